using Mbp.Ledger.Writing;
using Mbp.Simulation.Tests.Machine;

namespace Mbp.Simulation.Tests;

/// <summary>What a seed makes of the world: how big, how tight, how unlucky.</summary>
internal sealed record Scenario
{
    /// <summary>Nothing goes wrong at all.</summary>
    public required bool IsQuiet { get; init; }

    public required int Hosts { get; init; }

    public required int Clients { get; init; }

    public required int CommandsEach { get; init; }

    public required int Accounts { get; init; }

    /// <summary>How long things go wrong.</summary>
    public required TimeSpan Trouble { get; init; }

    public required TimeSpan Think { get; init; }

    /// <summary>A usual way between two machines.</summary>
    public required TimeSpan Latency { get; init; }

    /// <summary>What making a batch durable takes, beside the ways there and back.</summary>
    public required TimeSpan Commit { get; init; }

    public required TimeSpan TickEvery { get; init; }

    public required WriterOptions Writer { get; init; }

    public required double Unavailable { get; init; }

    /// <summary>The store fails as it should not: a bug somewhere, and it must not take the writer with it.</summary>
    public required double Odd { get; init; }

    public required double LostBefore { get; init; }

    public required double LostAfter { get; init; }

    /// <summary>The writer is told that the connection broke, while the commit still travels.</summary>
    public required double Late { get; init; }

    public required double Slow { get; init; }

    /// <summary>The database is handed the same batch twice.</summary>
    public required double Twice { get; init; }

    public required double ReadFails { get; init; }

    public required double LeaseFails { get; init; }

    public required double Crash { get; init; }

    public required double Pause { get; init; }

    public required double LeaseBreaks { get; init; }

    /// <summary>The database goes away as a whole, for a while.</summary>
    public required double Outage { get; init; }

    public required double ClockSteps { get; init; }

    public required double Restart { get; init; }

    public required double NetworkLoses { get; init; }

    public required double CallerGoes { get; init; }

    public required double SentTwice { get; init; }

    public static Scenario From(World world)
    {
        var random = world.Random;
        var quiet = random.Next(10) == 0;
        var deadline = Pick(300, 1_000, 3_000);
        return new Scenario
        {
            IsQuiet = quiet,
            Hosts = Pick(1, 2, 2, 3),
            Clients = Pick(2, 4, 8),
            CommandsEach = Pick(5, 10, 20),
            Accounts = Pick(2, 3, 6),
            Trouble = world.Between(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(15)),
            Think = TimeSpan.FromMilliseconds(Pick(1, 20, 300)),
            Latency = TimeSpan.FromMicroseconds(Pick(100, 1_000, 10_000)),
            Commit = TimeSpan.FromMicroseconds(Pick(0, 1_000, 20_000)),
            TickEvery = TimeSpan.FromMilliseconds(Pick(200, 1_000)),
            Writer = new WriterOptions
            {
                QueueLength = Pick(2, 8, 100, 4_096),
                BatchCommands = Pick(1, 3, 16, 512),
                BatchBytes = Pick(50, 500, 4 * 1024 * 1024),
                CachedStreams = Pick(1, 2, 4, 100),
                Deadline = TimeSpan.FromMilliseconds(deadline),
                LeaseRetry = TimeSpan.FromMilliseconds(Pick(20, 100, 250)),
            },
            Unavailable = Rate(0.02, 0.1),
            Odd = Rate(0.01, 0.03),
            LostBefore = Rate(0.02, 0.1),
            LostAfter = Rate(0.02, 0.1),
            Late = Rate(0.02, 0.1),
            Slow = Rate(0.01, 0.05),
            Twice = Rate(0.05, 0.3),
            ReadFails = Rate(0.01, 0.05),
            LeaseFails = Rate(0.05, 0.3),
            Crash = Rate(0.0002, 0.001),
            Pause = Rate(0.0002, 0.002),
            LeaseBreaks = Rate(0.0002, 0.002),
            Outage = Rate(0.0001, 0.0005),
            ClockSteps = Rate(0.0002, 0.002),
            Restart = Rate(0.0001, 0.0005),
            NetworkLoses = Rate(0.01, 0.1),
            CallerGoes = Rate(0.02, 0.1),
            SentTwice = Pick(0, 1, 3) * 0.1,
        };

        int Pick(params ReadOnlySpan<int> choices) => choices[random.Next(choices.Length)];

        double Rate(double low, double high) => (random.Next(3), quiet) switch
        {
            (0, _) or (_, true) => 0,
            (1, _) => low,
            _ => high,
        };
    }

    public override string ToString() =>
        $"{(IsQuiet ? "quiet, " : "")}{Hosts} hosts, {Clients} clients, {CommandsEach} commands each, {Accounts} accounts, queue {Writer.QueueLength}, batch {Writer.BatchCommands}, "
        + $"cache {Writer.CachedStreams}, deadline {Writer.Deadline.TotalMilliseconds} ms, lease retry {Writer.LeaseRetry.TotalMilliseconds} ms, latency {Latency.TotalMilliseconds} ms, commit {Commit.TotalMilliseconds} ms";
}

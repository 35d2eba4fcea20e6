using System.Collections.Concurrent;
using System.Globalization;
using Xunit;
using Xunit.Abstractions;

namespace Mbp.Simulation.Tests;

/// <summary>docs/simulation.md says how it works and how a seed is run again.</summary>
public sealed class SimulationTests(ITestOutputHelper output)
{
    private const int Seeds = 1_000;

    // A planted bug that hides longer than this would hide from CI as well.
    private const int SeedsForABug = 300;

    public static TheoryData<string> Bugs => [.. _bugs.Keys];

    private static readonly Dictionary<string, PlantedBug> _bugs = new(StringComparer.Ordinal)
    {
        ["a retry that applies twice"] = new ForgottenKeys(),
        ["an acknowledgement before the commit"] = new EarlyAnswer(),
        ["a stale state kept after a failed commit"] = new StaleStates(),
        ["a fence not checked"] = new NoFence(),
    };

    private static readonly string[] _happens =
    [
        "answer: accepted", "answer: busy", "answer: failed", "answer: gone", "answer: notwriter", "answer: refused", "answer: unknown", "answer given again",
        "answer to a commit lost", "clock set", "commit failed oddly", "commit fenced off", "commit lost on its way", "commit refused: out of order", "commit slow",
        "database went down", "host crashed", "host restarted in order", "host stood still", "key used for something else", "late commit fenced off",
        "late commit written", "lease broken", "read failed", "second delivery refused", "snapshot saved",
    ];

    [Fact]
    public void Every_seed_holds()
    {
        var (first, count) = Setting("MBP_SIMULATION_SEED") is { } one ? (one, 1) : (1, Setting("MBP_SIMULATION_SEEDS") ?? Seeds);
        var whole = count == 1;
        var watch = System.Diagnostics.Stopwatch.StartNew();
        var results = RunAll(first, count, keepTrace: whole);
        var took = watch.Elapsed.TotalSeconds;
        output.WriteLine(
            $"{results.Count} seeds in {took:0.0} s ({results.Count / took:0.0}/s): {results.Sum(r => r.Steps)} steps, {results.Sum(r => (long)r.Commands)} commands written, {results.Sum(r => r.Epochs)} leases.");
        var counts = results.SelectMany(result => result.Counts).GroupBy(count => count.Key, count => (long)count.Value).ToDictionary(group => group.Key, group => group.Sum());
        output.WriteLine(string.Join('\n', counts.OrderBy(count => count.Key, StringComparer.Ordinal).Select(count => $"{count.Value,9} {count.Key}")));
        if (whole)
        {
            output.WriteLine(results[0].Describe(whole: true));
        }

        if (results.Find(result => result.Violation is not null) is { } broken)
        {
            Assert.Fail(broken.Describe(whole));
        }

        // A simulation in which a thing no longer happens says nothing about it.
        Assert.True(count < Seeds || _happens.All(counts.ContainsKey), $"It never happened: {string.Join(", ", _happens.Where(what => !counts.ContainsKey(what)))}");
    }

    [Fact]
    public void A_seed_is_the_same_history_each_time()
    {
        for (var seed = 1; seed <= 20; seed++)
        {
            var (first, second) = (Simulation.Run(seed, keepTrace: true), Simulation.Run(seed, keepTrace: true));
            Assert.Equal(first.Trace, second.Trace);
            Assert.Equal((first.Hash, first.Steps), (second.Hash, second.Steps));
        }
    }

    [Theory]
    [MemberData(nameof(Bugs))]
    public void A_planted_bug_is_found_and_its_seed_finds_it_again(string name)
    {
        var bug = _bugs[name];
        var seeds = 0;
        Result found;
        do
        {
            found = Simulation.Run(++seeds, bug);
        }
        while (found.Violation is null && seeds < SeedsForABug);

        Assert.NotNull(found.Violation);
        output.WriteLine($"{name}: found after {seeds} seeds");
        output.WriteLine(found.Describe());
        var again = Simulation.Run(found.Seed, bug);
        Assert.Equal((found.Violation, found.Hash), (again.Violation, again.Hash));
        Assert.Null(Simulation.Run(found.Seed).Violation);
    }

    [Fact]
    public void A_continuation_that_leaves_the_simulation_is_noticed()
    {
        var result = Simulation.Run(1, new Escape());
        Assert.Contains(" came from another thread", result.Violation, StringComparison.Ordinal);
    }

    /// <summary>Each simulation has one thread, so there are as many at a time as there are processors. Stops at the first violation.</summary>
    private static List<Result> RunAll(int first, int count, bool keepTrace)
    {
        var results = new ConcurrentBag<Result>();
        var (next, broken) = (first - 1, false);
        var threads = Enumerable.Range(0, Math.Min(count, Environment.ProcessorCount)).Select(_ => new Thread(() =>
        {
            while (!Volatile.Read(ref broken) && Interlocked.Increment(ref next) is var seed && seed < first + count)
            {
                var result = Simulation.Run(seed, keepTrace: keepTrace);
                // A hundred thousand tails of traces that nobody reads are not kept.
                results.Add(result.Violation is null && !keepTrace ? result with { Trace = [] } : result);
                Volatile.Write(ref broken, broken || result.Violation is not null);
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        return [.. results.OrderBy(result => result.Seed)];
    }

    private static int? Setting(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? int.Parse(value, CultureInfo.InvariantCulture) : null;
}

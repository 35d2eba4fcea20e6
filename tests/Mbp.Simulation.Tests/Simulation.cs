using System.Reflection;
using Mbp.Ledger;
using Mbp.Simulation.Tests.Machine;
using Mbp.Simulation.Tests.Workload;

namespace Mbp.Simulation.Tests;

/// <summary>One seed: hosts that compete for the lease, clients that will not give up, trouble for a while, and then a quiet end that must come.</summary>
internal sealed class Simulation
{
    private const long MaxSteps = 1_000_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly int[] _lives;
    private readonly Process _operator;
    private readonly List<Client> _clients;
    private long _quietSince = -1;
    private bool _done;

    private Simulation(int seed, PlantedBug bug, bool keepTrace)
    {
        World = new World(seed, keepTrace);
        Bug = bug;
        Scenario = Scenario.From(World);
        var log = new InMemoryLog();
        Model = new Model(World, log);
        Database = bug.Database(World, Scenario, Model, log);
        World.Say("world", Scenario.ToString());
        _operator = new Process(World, "operator", 1);
        _lives = new int[Scenario.Hosts];
        Hosts = [.. Enumerable.Range(0, Scenario.Hosts).Select(place => new SimulatedHost(this, place, 0))];
        _clients = [.. Enumerable.Range(0, Scenario.Clients).Select(n => new Client(this, $"client{n}", n))];
    }

    public World World { get; }

    public Scenario Scenario { get; }

    public PlantedBug Bug { get; }

    public Model Model { get; }

    public SimulatedDatabase Database { get; }

    /// <summary>The present life of each host.</summary>
    public List<SimulatedHost> Hosts { get; }

    /// <summary>Runs a seed to its end on this thread.</summary>
    public static Result Run(int seed, PlantedBug? bug = null, bool keepTrace = false)
    {
        // A test runner's context would draw continuations away from the simulation.
        var context = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            var simulation = new Simulation(seed, bug ?? PlantedBug.None, keepTrace);
            simulation.Run();
            var (world, model) = (simulation.World, simulation.Model);
            return new Result(seed, world.Violation, world.Trace.Hash, world.Steps, model.AcceptedCommands, model.Epoch, world.Counts, [.. world.Trace.Lines]);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(context);
        }
    }

    private void Run()
    {
        World.BeforeStep = MakeTrouble;
        _clients.ForEach(client => client.Begin(Scenario.CommandsEach));
        _operator.Begin(OperateAsync);
        World.Run(() => _done, MaxSteps);
    }

    /// <summary>Asked before every step, so that it can come between any two awaits.</summary>
    private void MakeTrouble()
    {
        if (!Database.InTrouble)
        {
            return;
        }

        if (World.Now > Scenario.Trouble.Ticks)
        {
            Calm();
            return;
        }

        // One throw of the dice for all, or they would cost more than what they disturb.
        var dice = World.Random.NextDouble();
        if (Hits(Scenario.Crash) && Any() is { IsUp: true } victim)
        {
            Crash(victim);
        }
        else if (Hits(Scenario.Pause) && Any() is { IsUp: true } sleeper)
        {
            var time = World.Between(TimeSpan.Zero, World.Chance(0.2) ? TimeSpan.FromSeconds(5) : TimeSpan.FromMilliseconds(300));
            World.Say(sleeper.Process.Name, $"stands still for {time.TotalMilliseconds:0} ms");
            World.Count("host stood still");
            sleeper.Process.Pause(time);
        }
        else if (Hits(Scenario.LeaseBreaks) && Database.Current is { } lease)
        {
            World.Count("lease broken");
            Database.Break(lease);
            Database.Process.Begin(async () =>
            {
                await Database.Process.Delay(World.Between(TimeSpan.Zero, TimeSpan.FromSeconds(2)));
                lease.Lose();
            });
        }
        else if (Hits(Scenario.ClockSteps))
        {
            var host = Any();
            World.Count("clock set");
            host.Clock.Wrong += NodaTime.Duration.FromTimeSpan(World.Between(TimeSpan.FromMinutes(-90), TimeSpan.FromMinutes(30)));
            World.Say(host.Process.Name, $"has its clock set; it is off by {host.Clock.Wrong.TotalSeconds:0} s");
        }
        else if (Hits(Scenario.Outage))
        {
            Database.GoDown(World.Between(TimeSpan.Zero, TimeSpan.FromSeconds(3)));
        }
        else if (Hits(Scenario.Restart) && Any() is { IsUp: true, IsDraining: false } leaver)
        {
            World.Count("host restarted in order");
            leaver.Drain(afterwards: () => Follow(leaver, crashed: false));
        }

        bool Hits(double rate)
        {
            dice -= rate;
            return dice < 0 && dice >= -rate;
        }
    }

    private SimulatedHost Any() => Hosts[World.Random.Next(Hosts.Count)];

    private void Crash(SimulatedHost host)
    {
        World.Say(host.Process.Name, "crashes");
        World.Count("host crashed");
        host.Process.Crash();
        if (Database.Current is { } lease && lease.Store == host.Store)
        {
            // The database notices in its own time.
            Database.Process.Begin(async () =>
            {
                await Database.Process.Delay(World.Between(TimeSpan.Zero, TimeSpan.FromSeconds(1)));
                Database.Break(lease);
            });
        }

        Follow(host, crashed: true);
    }

    /// <summary>The next life of a host.</summary>
    private void Follow(SimulatedHost host, bool crashed) => _operator.Begin(async () =>
    {
        await _operator.Delay(World.Between(TimeSpan.Zero, TimeSpan.FromSeconds(1)));
        if (!crashed)
        {
            host.Process.Crash();
        }

        if (Hosts[host.Place] == host)
        {
            Hosts[host.Place] = new SimulatedHost(this, host.Place, ++_lives[host.Place]);
            World.Say("operator", $"starts {Hosts[host.Place].Process.Name}");
        }
    });

    private void Calm()
    {
        if (Database.InTrouble)
        {
            Database.InTrouble = false;
            _quietSince = World.Now;
            World.Say("world", "the trouble is over");
        }
    }

    private async Task OperateAsync()
    {
        await UntilAsync(() => _clients.TrueForAll(client => client.IsDone), "a client never got its answers");
        Calm();
        var last = new Client(this, "last", Scenario.Clients);
        last.BeginOne(Bank.CountOn("last", most: 1));
        await UntilAsync(() => last.IsDone, "no command came through after the trouble was over");
        var head = Model.Head;
        await UntilAsync(() => Hosts.TrueForAll(host => host.IsUp && !host.IsDraining && host.Follower.Position >= head), "a follower did not catch up");
        // Giving the lease up is safe, and no way to go about business.
        Model.Require(!Scenario.IsQuiet || Model.Epoch == 1, $"{Model.Epoch} leases were taken, and nothing had gone wrong");
        foreach (var host in Hosts)
        {
            Model.Require(host.Follower.Rows.Count > 0, $"the read model of {host.Process.Name} is empty");
            CheckRows(host);
            host.Drain(afterwards: () => { });
            await UntilAsync(() => host.IsGone, $"{host.Process.Name} did not stop");
        }

        _done = true;
    }

    /// <summary>Waits, and looks after everybody's patience meanwhile. Patience is counted from the end of the trouble.</summary>
    private async Task UntilAsync(Func<bool> condition, string otherwise)
    {
        var since = World.Now;
        while (!condition())
        {
            await _operator.Delay(TimeSpan.FromMilliseconds(100));
            Hosts.ForEach(host => host.CheckPatience());
            if (_quietSince >= 0 && World.Now - Math.Max(_quietSince, since) > Patience.Ticks)
            {
                World.Violate($"{otherwise}, {Patience.TotalSeconds} s after the trouble was over");
                return;
            }
        }
    }

    private void CheckRows(SimulatedHost host)
    {
        var rows = new Dictionary<string, Row>(StringComparer.Ordinal);
        foreach (var e in Model.Events.Take((int)host.Follower.Position))
        {
            Bank.Balances.ApplyTo(rows, e);
        }

        Model.Require(
            rows.Count == host.Follower.Rows.Count && rows.All(row => host.Follower.Rows.GetValueOrDefault(row.Key) == row.Value),
            $"the read model of {host.Process.Name} is not the fold of the log");
    }
}

/// <summary>How a seed went.</summary>
internal sealed record Result(int Seed, string? Violation, ulong Hash, long Steps, int Commands, long Epochs, IReadOnlyDictionary<string, int> Counts, IReadOnlyList<string> Trace)
{
    private const int Tail = 40;

    // Set by the SDK: version+commit.
    private static readonly string _commit = typeof(Result).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+').Last() ?? "unknown";

    public string Describe(bool whole = false) =>
        $"""
        seed={Seed} commit={_commit}: {Violation ?? "holds"}
        {(whole ? "The whole trace:" : $"The last {Tail} lines; for all of it: MBP_SIMULATION_SEED={Seed} dotnet test tests/Mbp.Simulation.Tests")}
        {string.Join('\n', whole ? Trace : Trace.TakeLast(Tail))}
        """;
}

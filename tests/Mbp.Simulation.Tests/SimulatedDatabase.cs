using Mbp.Ledger;
using Mbp.Simulation.Tests.Machine;

namespace Mbp.Simulation.Tests;

/// <summary>
/// The database, a process of its own over one <see cref="InMemoryLog"/>: what was sent to it goes on when the sender has died or given up.
/// </summary>
internal class SimulatedDatabase
{
    private long _downUntil;

    public SimulatedDatabase(World world, Scenario scenario, Model model, InMemoryLog log)
    {
        (World, Scenario, Model, Log) = (world, scenario, model, log);
        Process = new Process(world, "database", 0);
    }

    public World World { get; }

    public Scenario Scenario { get; }

    public Model Model { get; }

    public InMemoryLog Log { get; }

    public Process Process { get; }

    /// <summary>Faults happen only while this holds; what is on its way arrives.</summary>
    public bool InTrouble { get; set; } = true;

    public SimulatedLease? Current { get; private set; }

    public bool IsDown => World.Now < _downUntil;

    /// <summary>All sessions end; nothing answers until it is back.</summary>
    public void GoDown(TimeSpan time)
    {
        World.Say("database", $"is down for {time.TotalMilliseconds:0} ms");
        World.Count("database went down");
        _downUntil = World.Now + time.Ticks;
        if (Current is { } lease)
        {
            Break(lease);
        }
    }

    /// <summary>A way through the network: mostly usual, sometimes long.</summary>
    public TimeSpan Way() => Scenario.Latency * ((World.Random.NextDouble() * 2) + (InTrouble && !Scenario.IsQuiet && World.Chance(0.02) ? 50 : 0));

    public bool Strikes(double probability) => InTrouble && World.Chance(probability);

    public void Acquire(SimulatedStore store, string holder, TaskCompletionSource<Lease?> reply, CancellationToken cancellationToken) => Process.Begin(async () =>
    {
        await Process.Delay(Way());
        if (IsDown || Strikes(Scenario.LeaseFails))
        {
            reply.TrySetException(new StoreUnavailableException("The simulated database takes no connections."));
            return;
        }

        var inner = Log.TryAcquire(holder);
        var lease = inner is null ? null : new SimulatedLease(store, inner);
        if (lease is not null)
        {
            (Current, Model.Epoch) = (lease, lease.Epoch);
            World.Say("database", $"epoch {lease.Epoch} to {holder} at {lease.Position}");
        }

        await Process.Delay(Way());
        if (lease is not null && (store.Process.IsDead || cancellationToken.IsCancellationRequested || Strikes(Scenario.LeaseFails)))
        {
            // Granted, and the answer was lost: the session ends sooner or later.
            await Process.Delay(World.Between(TimeSpan.Zero, TimeSpan.FromMilliseconds(500)));
            Break(lease);
            lease = null;
            reply.TrySetException(new StoreUnavailableException("The simulated connection broke while the lease was taken."));
        }

        if (cancellationToken.IsCancellationRequested)
        {
            reply.TrySetCanceled(cancellationToken);
        }

        reply.TrySetResult(lease);
    });

    /// <summary>The session that holds the lease ends; the holder hears of it later, or from its next commit.</summary>
    public void Break(SimulatedLease lease)
    {
        if (Current == lease)
        {
            World.Say("database", $"the lease of epoch {lease.Epoch} is free");
            Current = null;
            Log.BreakLease();
        }
    }

    public void Append(SimulatedLease lease, Batch batch, TaskCompletionSource<long> reply)
    {
        if (lease.Committing is not null)
        {
            World.Violate($"Two commits at once under epoch {lease.Epoch}.");
        }

        lease.Committing = reply;
        Process.Begin(async () =>
        {
            var (head, error) = await ServeAsync(lease, batch);
            lease.Committing = null;
            if (error is FencedException or UnknownOutcomeException)
            {
                lease.Lose();
            }

            if (error is not null)
            {
                reply.TrySetException(error);
            }

            reply.TrySetResult(head);
        });
    }

    /// <summary>What the log is asked to write. Planted bugs write something else.</summary>
    protected virtual long Write(SimulatedLease lease, Batch batch) => Log.Append(lease.Inner, batch);

    private async Task<(long Head, Exception? Error)> ServeAsync(SimulatedLease lease, Batch batch)
    {
        var lost = new UnknownOutcomeException("The simulated connection broke during the commit.");
        await Process.Delay(Way() + (Scenario.Commit * World.Random.NextDouble()));
        if (Strikes(Scenario.Slow))
        {
            World.Say("database", $"stands still over the commit of epoch {lease.Epoch}");
            World.Count("commit slow");
            await Process.Delay(World.Between(TimeSpan.Zero, Scenario.Writer.Deadline * 3));
        }

        if (Strikes(Scenario.Unavailable))
        {
            World.Count("commit refused: out of order");
            World.Say("database", $"refuses a batch of epoch {lease.Epoch}: out of order");
            await Process.Delay(Way());
            return (0, new StoreUnavailableException("The simulated database is out of order."));
        }

        if (Strikes(Scenario.Odd))
        {
            World.Say("database", $"does not take a batch of epoch {lease.Epoch}, oddly");
            World.Count("commit failed oddly");
            await Process.Delay(Way());
            return (0, World.Chance(0.5) ? new ArgumentException("A simulated bug in what was sent.") : new TimeoutException("A simulated failure that nobody foresaw."));
        }

        if (IsDown || Strikes(Scenario.LostBefore))
        {
            World.Count("commit lost on its way");
            World.Say("database", $"never gets the batch of epoch {lease.Epoch}");
            Break(lease);
            await Process.Delay(Way());
            return (0, lost);
        }

        if (Strikes(Scenario.Late))
        {
            World.Say("database", $"the batch of epoch {lease.Epoch} travels on without its sender");
            Process.Begin(() => ArriveLateAsync(lease, batch));
            await Process.Delay(Way());
            return (0, lost);
        }

        try
        {
            var head = Commit(lease, batch);
            if (Strikes(Scenario.LostAfter))
            {
                World.Count("answer to a commit lost");
                World.Say("database", $"the answer to epoch {lease.Epoch} is lost");
                Break(lease);
                await Process.Delay(Way());
                return (0, lost);
            }

            if (Strikes(Scenario.Twice))
            {
                DeliverAgain(lease, batch);
            }

            await Process.Delay(Way());
            return (head, null);
        }
        catch (Exception e) when (e is FencedException or ConcurrencyException or ArgumentException)
        {
            World.Count(e is FencedException ? "commit fenced off" : "commit refused: versions or keys");
            World.Say("database", $"refuses a batch of epoch {lease.Epoch}: {e.Message}");
            await Process.Delay(Way());
            return (0, e);
        }
    }

    private long Commit(SimulatedLease lease, Batch batch)
    {
        var before = Log.Head;
        var head = Write(lease, batch);
        World.Say("database", $"epoch {lease.Epoch} committed {before + 1}..{head}, {batch.Commands.Count} keys");
        Model.Committed(lease.Epoch, before, batch);
        return head;
    }

    private async Task ArriveLateAsync(SimulatedLease lease, Batch batch)
    {
        // The lock's session is not the commit's: somebody else may have the lease by now, or soon.
        if (World.Chance(0.7))
        {
            await Process.Delay(World.Between(TimeSpan.Zero, TimeSpan.FromMilliseconds(300)));
            Break(lease);
            await Process.Delay(World.Between(TimeSpan.Zero, TimeSpan.FromSeconds(2)));
        }
        else
        {
            await Process.Delay(Way());
        }

        try
        {
            Commit(lease, batch);
            World.Count("late commit written");
        }
        catch (Exception e) when (e is FencedException or ConcurrencyException)
        {
            World.Count("late commit fenced off");
            World.Say("database", $"refuses the late batch of epoch {lease.Epoch}: {e.Message}");
        }
    }

    private void DeliverAgain(SimulatedLease lease, Batch batch)
    {
        try
        {
            Write(lease, batch);
            World.Violate($"A batch of epoch {lease.Epoch} was written twice when delivered twice.");
        }
        catch (ConcurrencyException)
        {
            World.Count("second delivery refused");
            World.Say("database", $"refuses a batch of epoch {lease.Epoch} that it has already");
        }
    }
}

/// <summary>The right to append as one host has it in hand: it may be over without the host's knowing.</summary>
internal sealed class SimulatedLease(SimulatedStore store, InMemoryLease inner) : Lease
{
    private readonly CancellationTokenSource _lost = new();

    public InMemoryLease Inner => inner;

    public SimulatedStore Store => store;

    public bool Released { get; private set; }

    public override long Epoch => inner.Epoch;

    public override long Position => inner.Position;

    public override NodaTime.Instant At => inner.At;

    public override CancellationToken Lost => _lost.Token;

    /// <summary>The answer that the host waits for, while a commit is on its way.</summary>
    public TaskCompletionSource<long>? Committing { get; set; }

    public void Lose() => _lost.Cancel();

    /// <summary>The host hangs up. What it sent goes on without it.</summary>
    public override void Abort()
    {
        Lose();
        Committing?.TrySetException(new UnknownOutcomeException("The host cut the simulated connection."));
    }

    public override ValueTask DisposeAsync()
    {
        if (Released)
        {
            return ValueTask.CompletedTask;
        }

        Released = true;
        return store.ReleaseAsync(this);
    }
}

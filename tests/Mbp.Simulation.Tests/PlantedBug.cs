using Mbp.Ledger;
using Mbp.Ledger.Writing;
using Mbp.Simulation.Tests.Machine;

namespace Mbp.Simulation.Tests;

/// <summary>What the simulated hosts and their database are made of; a bug makes one part of it wrong.</summary>
internal class PlantedBug
{
    public static readonly PlantedBug None = new();

    public virtual SimulatedDatabase Database(World world, Scenario scenario, Model model, InMemoryLog log) => new(world, scenario, model, log);

    public virtual StateCache States(IEventStore store, EventCatalog catalog, int capacity) => new(store, catalog, capacity);

    public virtual BatchCommitter Committer(
        IEventStore store, string holder, WriterOptions options, Action<IReadOnlyList<Recorded>> committed, Action<Exception, string> trouble) =>
        new(store, holder, options, committed, trouble);
}

/// <summary>The keys of commands are not kept: a retry is carried out again.</summary>
internal sealed class ForgottenKeys : PlantedBug
{
    public override SimulatedDatabase Database(World world, Scenario scenario, Model model, InMemoryLog log) => new Forgetful(world, scenario, model, log);

    private sealed class Forgetful(World world, Scenario scenario, Model model, InMemoryLog log) : SimulatedDatabase(world, scenario, model, log)
    {
        protected override long Write(SimulatedLease lease, Batch batch) => base.Write(lease, batch with { Commands = [] });
    }
}

/// <summary>Callers are answered when the commit is sent, not when it is durable.</summary>
internal sealed class EarlyAnswer : PlantedBug
{
    public override BatchCommitter Committer(
        IEventStore store, string holder, WriterOptions options, Action<IReadOnlyList<Recorded>> committed, Action<Exception, string> trouble) =>
        new Hasty(store, holder, options, committed, trouble);

    private sealed class Hasty(IEventStore store, string holder, WriterOptions options, Action<IReadOnlyList<Recorded>> committed, Action<Exception, string> trouble)
        : BatchCommitter(store, holder, options, committed, trouble)
    {
        public override Task CommitAsync(Lease lease, PendingBatch pending, Func<Task> leave)
        {
            pending.Complete(pending.Record(pending.LastPosition));
            return base.CommitAsync(lease, pending, leave);
        }
    }
}

/// <summary>After a failed commit the writer goes on with the states that it had decided on.</summary>
internal sealed class StaleStates : PlantedBug
{
    public override StateCache States(IEventStore store, EventCatalog catalog, int capacity) => new Stubborn(store, catalog, capacity);

    private sealed class Stubborn(IEventStore store, EventCatalog catalog, int capacity) : StateCache(store, catalog, capacity)
    {
        public override void Clear()
        {
        }
    }
}

/// <summary>A commit is let in whatever its epoch.</summary>
internal sealed class NoFence : PlantedBug
{
    public override SimulatedDatabase Database(World world, Scenario scenario, Model model, InMemoryLog log) => new Open(world, scenario, model, log);

    private sealed class Open(World world, Scenario scenario, Model model, InMemoryLog log) : SimulatedDatabase(world, scenario, model, log)
    {
        private SimulatedLease? _newest;

        protected override long Write(SimulatedLease lease, Batch batch)
        {
            _newest = Current ?? _newest;
            return Log.Append(_newest is { } newest && newest.Epoch > lease.Epoch ? newest.Inner : lease.Inner, batch);
        }
    }
}

/// <summary>Work goes through another thread, where no seed says what comes first.</summary>
internal sealed class Escape : PlantedBug
{
    public override BatchCommitter Committer(
        IEventStore store, string holder, WriterOptions options, Action<IReadOnlyList<Recorded>> committed, Action<Exception, string> trouble) =>
        new Pooled(store, holder, options, committed, trouble);

    private sealed class Pooled(IEventStore store, string holder, WriterOptions options, Action<IReadOnlyList<Recorded>> committed, Action<Exception, string> trouble)
        : BatchCommitter(store, holder, options, committed, trouble)
    {
        public override async Task CommitAsync(Lease lease, PendingBatch pending, Func<Task> leave)
        {
            var elsewhere = new TaskCompletionSource();
            var thread = new Thread(elsewhere.SetResult);
            // Once the wait below has begun; the simulation holds still meanwhile, or it would be over before the thread is.
            _ = Task.Factory.StartNew(
                () =>
                {
                    thread.Start();
                    thread.Join();
                },
                CancellationToken.None,
                TaskCreationOptions.None,
                TaskScheduler.Current);
            await elsewhere.Task;
            await base.CommitAsync(lease, pending, leave);
        }
    }
}

using System.Runtime.CompilerServices;
using Mbp.Ledger;
using Mbp.Simulation.Tests.Machine;

namespace Mbp.Simulation.Tests;

/// <summary>One host's connections to the database: each call takes its time, and may fail.</summary>
internal sealed class SimulatedStore(SimulatedDatabase database, Process process) : IEventStore
{
    private readonly InMemoryEventStore _inner = new(database.Log);
    private readonly World _world = database.World;

    public Process Process => process;

    public Task<Lease?> TryAcquireAsync(string holder, CancellationToken cancellationToken)
    {
        _world.MustBeIn(process);
        var reply = new TaskCompletionSource<Lease?>(TaskCreationOptions.RunContinuationsAsynchronously);
        database.Acquire(this, holder, reply, cancellationToken);
        return reply.Task;
    }

    public async ValueTask ReleaseAsync(SimulatedLease lease)
    {
        _world.MustBeIn(process);
        await process.Delay(database.Way());
        if (database.IsDown || database.Strikes(database.Scenario.LeaseFails))
        {
            // The server finds out by itself that the session is gone.
            database.Process.Begin(async () =>
            {
                await database.Process.Delay(_world.Between(TimeSpan.Zero, TimeSpan.FromSeconds(1)));
                database.Break(lease);
            });
            throw new StoreUnavailableException("The simulated connection broke while the lease was given back.");
        }

        database.Break(lease);
    }

    public Task<long> AppendAsync(Lease lease, Batch batch)
    {
        _world.MustBeIn(process);
        var ours = (SimulatedLease)lease;
        if (ours.Store != this || ours.Released)
        {
            return Task.FromException<long>(new FencedException("The lease was given back."));
        }

        var reply = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        database.Append(ours, new Batch([.. batch.Events], [.. batch.Commands], [.. batch.Outbox]) { Leaves = batch.Leaves }, reply);
        return reply.Task;
    }

    public Task<string?> HolderAsync(CancellationToken cancellationToken) => AskAsync(() => _inner.HolderAsync(cancellationToken), cancellationToken);

    public Task<long> HeadAsync(CancellationToken cancellationToken) => AskAsync(() => _inner.HeadAsync(cancellationToken), cancellationToken);

    public IAsyncEnumerable<StoredEvent> ReadStreamAsync(StreamId stream, long afterVersion, CancellationToken cancellationToken) =>
        ReadAsync(() => database.Log.Stream(stream, afterVersion), cancellationToken);

    public Task<IReadOnlyDictionary<StreamId, long>> FindVersionsAsync(IReadOnlyCollection<StreamId> streams, CancellationToken cancellationToken) =>
        AskAsync(() => _inner.FindVersionsAsync(streams, cancellationToken), cancellationToken);

    public IAsyncEnumerable<StoredEvent> ReadAllAsync(long afterPosition, CancellationToken cancellationToken) =>
        ReadAsync(() => database.Log.All(afterPosition), cancellationToken);

    public IAsyncEnumerable<StoredEvent> ReadRangeAsync(long afterPosition, long lastPosition, CancellationToken cancellationToken) =>
        ReadAsync(() => [.. database.Log.All(afterPosition).TakeWhile(e => e.Position <= lastPosition)], cancellationToken);

    // Waiting is polling here: InMemoryLog's own signal reaches those who wait through the thread pool.
    public async Task WaitBeyondAsync(long position, CancellationToken cancellationToken)
    {
        while (await HeadAsync(cancellationToken) <= position)
        {
            await process.Delay(TimeSpan.FromMilliseconds(50));
        }
    }

    public Task<Snapshot?> LoadSnapshotAsync(StreamId stream, IFold fold, CancellationToken cancellationToken) =>
        AskAsync(() => _inner.LoadSnapshotAsync(stream, fold, cancellationToken), cancellationToken);

    public async Task SaveSnapshotAsync(Snapshot snapshot, CancellationToken cancellationToken)
    {
        var fold = Workload.Bank.FoldsOf(snapshot.Stream).Single(fold => fold.Name == snapshot.Fold);
        var truth = database.Model.StateOfVersion(new StateRef(snapshot.Stream, fold), snapshot.Version);
        _world.Count("snapshot saved");
        database.Model.Require(snapshot.State.Span.SequenceEqual(fold.Save(truth)), $"the snapshot of {snapshot.Stream} at {snapshot.Version} is not the state there");
        await AskAsync(
            async () =>
            {
                await _inner.SaveSnapshotAsync(snapshot, cancellationToken);
                return true;
            },
            cancellationToken);
    }

    public Task<IReadOnlyDictionary<CommandKey, CommandRecord>> FindCommandsAsync(IReadOnlyCollection<CommandKey> keys, CancellationToken cancellationToken) =>
        keys.Count == 0
            ? _inner.FindCommandsAsync(keys, cancellationToken)
            : AskAsync(() => _inner.FindCommandsAsync(keys, cancellationToken), cancellationToken);

    /// <summary>There and back; the question is answered at one moment in between.</summary>
    private async Task<T> AskAsync<T>(Func<Task<T>> question, CancellationToken cancellationToken)
    {
        _world.MustBeIn(process);
        await process.Delay(database.Way());
        cancellationToken.ThrowIfCancellationRequested();
        if (database.IsDown || database.Strikes(database.Scenario.ReadFails))
        {
            _world.Count("read failed");
            throw new StoreUnavailableException("The simulated database does not answer.");
        }

        var answer = await question();
        await process.Delay(database.Way());
        _world.MustBeIn(process);
        return answer;
    }

    private async IAsyncEnumerable<StoredEvent> ReadAsync(Func<IReadOnlyList<StoredEvent>> question, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var stored in await AskAsync(() => Task.FromResult(question()), cancellationToken))
        {
            if (database.Strikes(database.Scenario.ReadFails / 10))
            {
                throw new StoreUnavailableException("The simulated connection broke while reading.");
            }

            yield return stored;
        }
    }
}

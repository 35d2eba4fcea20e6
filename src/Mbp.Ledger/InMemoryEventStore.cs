using System.Runtime.CompilerServices;
using NodaTime;

namespace Mbp.Ledger;

/// <summary>
/// One host's view of an <see cref="InMemoryLog"/>: the semantics of the PostgreSQL store without a server, for tests and simulations.
/// It keeps encoded bytes, so that what cannot be written or read back fails here too.
/// </summary>
public sealed class InMemoryEventStore(InMemoryLog log) : IEventStore
{
    public InMemoryEventStore()
        : this(new InMemoryLog())
    {
    }

    private readonly TaskScheduler _elsewhere = TaskScheduler.Current;

    /// <summary>What this host shares with the others.</summary>
    public InMemoryLog Log => log;

    public Task<Lease?> TryAcquireAsync(string holder, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult<Lease?>(log.TryAcquire(holder));
    }

    public Task<string?> HolderAsync(CancellationToken cancellationToken) => Task.FromResult(log.Holder);

    public async Task<long> AppendAsync(Lease lease, Batch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        // Elsewhere, as in a database: no caller may come to rely on an append that completes at once, or on its own thread.
        return await Task.Factory.StartNew(() => log.Append(lease, batch), CancellationToken.None, TaskCreationOptions.DenyChildAttach, _elsewhere);
    }

    public async IAsyncEnumerable<StoredEvent> ReadStreamAsync(StreamId stream, long afterVersion, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.Yield();
        foreach (var stored in log.Stream(stream, afterVersion))
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return stored;
        }
    }

    public Task<IReadOnlyDictionary<StreamId, long>> FindVersionsAsync(IReadOnlyCollection<StreamId> streams, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(streams);
        return Task.FromResult<IReadOnlyDictionary<StreamId, long>>(streams
            .Select(stream => (Stream: stream, log.Stream(stream, 0).Count))
            .Where(found => found.Count > 0)
            .ToDictionary(found => found.Stream, found => (long)found.Count));
    }

    public IAsyncEnumerable<StoredEvent> ReadAllAsync(long afterPosition, CancellationToken cancellationToken) =>
        ReadRangeAsync(afterPosition, log.Head, cancellationToken);

    public async IAsyncEnumerable<StoredEvent> ReadRangeAsync(
        long afterPosition, long lastPosition, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.Yield();
        foreach (var stored in log.All(afterPosition).TakeWhile(e => e.Position <= lastPosition))
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return stored;
        }
    }

    public Task<long> HeadAsync(CancellationToken cancellationToken) => Task.FromResult(log.Head);

    public Task WaitBeyondAsync(long position, CancellationToken cancellationToken) => log.WaitBeyondAsync(position, cancellationToken);

    public Task<Snapshot?> LoadSnapshotAsync(StreamId stream, IFold fold, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(fold);
        return Task.FromResult(log.Snapshot(stream, fold.Name) is { } kept && kept.FoldVersion == fold.Version ? kept : null);
    }

    public Task SaveSnapshotAsync(Snapshot snapshot, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        log.Keep(snapshot);
        return Task.CompletedTask;
    }

    public Task<IReadOnlyDictionary<CommandKey, CommandRecord>> FindCommandsAsync(IReadOnlyCollection<CommandKey> keys, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(keys);
        return Task.FromResult(log.Find(keys));
    }

    public Task<long> DeleteOldCommandsAsync(Instant before, CancellationToken cancellationToken) => Task.FromResult(log.Forget(before));
}

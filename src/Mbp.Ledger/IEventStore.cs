using Mbp.Ledger.Merkle;
using NodaTime;

namespace Mbp.Ledger;

/// <summary>
/// The append-only ledger. One writer at a time holds its <see cref="Lease"/> and appends batches; anybody reads.
/// Positions are gapless and in commit order, so everything up to <see cref="HeadAsync"/> is readable and final.
/// </summary>
public interface IEventStore
{
    /// <summary>
    /// Tries to become the writer. The new fencing epoch is committed before this returns (the barrier): from then on no batch of an
    /// earlier holder can commit, and everything an earlier holder committed is visible. Null = somebody else holds the lease.
    /// </summary>
    /// <param name="holder">Who asks, in words that help an operator: where it can be reached.</param>
    Task<Lease?> TryAcquireAsync(string holder, CancellationToken cancellationToken);

    /// <summary>Who holds the lease now or held it last; null before the first.</summary>
    Task<string?> HolderAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Commits the whole batch durably, or nothing of it. Takes no cancellation token on purpose: a commit that was sent has an outcome, and
    /// giving up on it does not change that.
    /// </summary>
    /// <returns>The position of the batch's last event (the head as it was, for a batch without events).</returns>
    /// <exception cref="FencedException">The lease is no longer the newest.</exception>
    /// <exception cref="ConcurrencyException">A stream is not at the version that the batch expects, or the ledger has grown past this writer.</exception>
    /// <exception cref="UnknownOutcomeException">The connection broke: the batch may or may not be there.</exception>
    /// <exception cref="StoreUnavailableException">The store is out of order (not reachable, disk full): nothing of the batch was written.</exception>
    /// <exception cref="ArgumentException">The batch is not one that any store could hold (<see cref="Batch.Moves"/>).</exception>
    /// <remarks>
    /// When a failure means that the lease cannot go on (fenced off, unknown outcome, events of somebody else in the ledger),
    /// <see cref="Lease.Lost"/> has fired before this throws. The way back is always the same: dispose of the lease, acquire, read again.
    /// </remarks>
    Task<long> AppendAsync(Lease lease, Batch batch);

    /// <summary>The events of one stream after a version, in order.</summary>
    IAsyncEnumerable<StoredEvent> ReadStreamAsync(StreamId stream, long afterVersion, CancellationToken cancellationToken);

    /// <summary>The versions of streams, all in one question; a stream without events is absent from the answer.</summary>
    Task<IReadOnlyDictionary<StreamId, long>> FindVersionsAsync(IReadOnlyCollection<StreamId> streams, CancellationToken cancellationToken);

    /// <summary>The events of the whole ledger after a position up to the head at the time of the call, in order.</summary>
    IAsyncEnumerable<StoredEvent> ReadAllAsync(long afterPosition, CancellationToken cancellationToken);

    /// <summary>The events after one position up to another, in order.</summary>
    IAsyncEnumerable<StoredEvent> ReadRangeAsync(long afterPosition, long lastPosition, CancellationToken cancellationToken);

    /// <summary>The position of the last event; 0 for an empty ledger.</summary>
    Task<long> HeadAsync(CancellationToken cancellationToken);

    /// <summary>Returns when the head is (or may be) beyond <paramref name="position"/>; may return early, never misses one.</summary>
    Task WaitBeyondAsync(long position, CancellationToken cancellationToken);

    /// <summary>The newest snapshot of a fold, if there is one of the fold's present version.</summary>
    Task<Snapshot?> LoadSnapshotAsync(StreamId stream, IFold fold, CancellationToken cancellationToken);

    /// <summary>Keeps a snapshot; an older one never replaces a newer.</summary>
    Task SaveSnapshotAsync(Snapshot snapshot, CancellationToken cancellationToken);

    /// <summary>What is remembered under these keys; keys that were never used are absent from the answer.</summary>
    Task<IReadOnlyDictionary<CommandKey, CommandRecord>> FindCommandsAsync(IReadOnlyCollection<CommandKey> keys, CancellationToken cancellationToken);
}

/// <summary>The right to append, until it is disposed of or a later lease fences it off.</summary>
public abstract class Lease : IAsyncDisposable
{
    /// <summary>Grows with every lease; each commit proves that it is still the newest.</summary>
    public abstract long Epoch { get; }

    /// <summary>The head when the lease was taken.</summary>
    public abstract long Position { get; }

    /// <summary>The last event's ledger time when the lease was taken: later events are stamped later.</summary>
    public abstract Instant At { get; }

    /// <summary>Fires when the lease is known to be lost.</summary>
    public abstract CancellationToken Lost { get; }

    /// <summary>Cuts the lease off from the store at once: an append that hangs ends as an unknown outcome. The lease is lost by it.</summary>
    public abstract void Abort();

    public abstract ValueTask DisposeAsync();
}

/// <summary>What one commit writes.</summary>
/// <param name="Events">In ledger order. Versions state what is expected: a stream's first event here has the version after the stream's present one.</param>
/// <param name="Commands">The keyed commands that are answered by this batch.</param>
/// <param name="Outbox">Messages to others, which go out after the commit.</param>
public sealed record Batch(IReadOnlyList<NewEvent> Events, IReadOnlyList<NewCommand> Commands, IReadOnlyList<OutboxMessage> Outbox)
{
    public Batch(params IReadOnlyList<NewEvent> events)
        : this(events, [], [])
    {
    }

    /// <summary>What the public log will say of the events: one leaf for each, in their order.</summary>
    /// <exception cref="ArgumentException">A body or headers have no leaf: they are not JSON within the profile of <see cref="CanonicalJson"/>.</exception>
    public LeafBatch Leaves
    {
        get => field ??= BatchRules.LeavesOf(Events);
        init;
    }

    /// <summary>What the batch does to each stream, in the order of first use.</summary>
    /// <exception cref="ArgumentException">The batch contradicts itself, or holds what no store can keep.</exception>
    public IReadOnlyList<StreamMove> Moves() => BatchRules.Check(this);
}

/// <summary>One stream's part in a batch: the version that it must have, and the one that it will have.</summary>
public readonly record struct StreamMove(StreamId Stream, long Expected, long Version);

/// <summary>An event about to be appended; its position is its place in the batch.</summary>
public sealed record NewEvent(
    Guid Id,
    StreamId Stream,
    long Version,
    EncodedEvent Body,
    Instant At,
    string CorrelationId,
    string CausationId,
    ReadOnlyMemory<byte> Headers);

/// <summary>An idempotency key: unique for each principal.</summary>
public readonly record struct CommandKey(string Principal, string Key);

/// <summary>A keyed command inside a batch.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Hash">SHA-256 of what was asked: the same key with another hash is a mistake of the caller.</param>
/// <param name="FirstEvent">The index of its first event in the batch.</param>
/// <param name="EventCount">How many events it caused; 0 = it was already so.</param>
/// <param name="At">When it was decided.</param>
public sealed record NewCommand(CommandKey Key, ReadOnlyMemory<byte> Hash, int FirstEvent, int EventCount, Instant At);

/// <summary>A keyed command that was answered: its events are those in (<paramref name="LastPosition"/> - <paramref name="EventCount"/>, <paramref name="LastPosition"/>].</summary>
public sealed record CommandRecord(ReadOnlyMemory<byte> Hash, long LastPosition, int EventCount, Instant At);

/// <summary>A message to somebody outside, delivered at least once; <paramref name="Id"/> is what the receiver deduplicates by.</summary>
public sealed record OutboxMessage(Guid Id, string Destination, ReadOnlyMemory<byte> Body);

/// <summary>A fold's state after <paramref name="Version"/> events of its stream.</summary>
public sealed record Snapshot(StreamId Stream, string Fold, int FoldVersion, long Version, ReadOnlyMemory<byte> State);

/// <summary>The batch contradicts what is stored; nothing of it was written.</summary>
public sealed class ConcurrencyException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>A later lease exists; nothing was written, and this writer must stop.</summary>
public sealed class FencedException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>The store cannot say whether the batch was committed.</summary>
public sealed class UnknownOutcomeException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>The store is out of order; nothing was written, and a later try may succeed.</summary>
public sealed class StoreUnavailableException(string message, Exception? cause = null) : Exception(message, cause);

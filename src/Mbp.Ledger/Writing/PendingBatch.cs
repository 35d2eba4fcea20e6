using System.Collections.Immutable;
using Mbp.Ledger.Merkle;
using NodaTime;

namespace Mbp.Ledger.Writing;

/// <summary>What was decided and waits for its commit: the events, and who is told what once they are durable.</summary>
/// <param name="number">Batches are numbered as they are begun.</param>
/// <param name="head">The ledger's last position before it.</param>
/// <param name="leaves">An empty builder, which is the batch's until everybody has an answer.</param>
/// <param name="like">A batch before it: the next is often as large.</param>
internal sealed class PendingBatch(long number, long head, LeafBatch.Builder leaves, PendingBatch? like = null)
{
    private readonly List<NewEvent> _events = new(like?._events.Count ?? 0);
    private readonly List<object> _bodies = new(like?._events.Count ?? 0);
    private Batch? _batch;
    private readonly List<NewCommand> _commands = new(like?._commands.Count ?? 0);
    private readonly List<DueSnapshot> _snapshots = [];
    private readonly List<Waiting> _waiting = new(like?._waiting.Count ?? 0);
    private readonly Dictionary<CommandKey, Waiting> _byKey = new(like?._byKey.Count ?? 0);
    private readonly TaskCompletionSource _settled = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public long Number => number;

    public long Head => head;

    /// <summary>Commands that wait for it, refused ones included.</summary>
    public int Commands => _waiting.Count;

    /// <summary>The size of its events' bodies.</summary>
    public long Bytes { get; private set; }

    /// <summary>When it is known what became of it.</summary>
    public Task Settled => _settled.Task;

    public bool Holds(CommandKey key) => _byKey.ContainsKey(key);

    public bool IsEmpty => _events.Count == 0 && _commands.Count == 0;

    public IReadOnlyList<NewCommand> Keyed => _commands;

    public IReadOnlyList<DueSnapshot> Snapshots => _snapshots;

    public long LastPosition => head + _events.Count;

    public Guid? LastEventId => _events.Count == 0 ? null : _events[^1].Id;

    /// <summary>A second command under a key that this very batch carries out: it gets the first one's answer.</summary>
    public bool TryJoin(Submission submission)
    {
        if (submission.Context.Key is not { } key || !_byKey.TryGetValue(key, out var first))
        {
            return false;
        }

        var same = first.Submission.Context.Hash.Span.SequenceEqual(submission.Context.Hash.Span);
        _waiting.Add(same
            ? first with { Submission = submission, Replayed = true }
            : new Waiting(submission, LedgerErrors.KeyMismatch, _events.Count, 0, Replayed: false));
        return true;
    }

    public void Reject(Submission submission, Rejection rejection) => _waiting.Add(new Waiting(submission, rejection, _events.Count, 0, Replayed: false));

    /// <summary>Makes the leaves of a command's events. They count once the command is accepted; the next command's take the place of others.</summary>
    public void Prepare(NewEvent[] events)
    {
        leaves.Truncate(_events.Count);
        foreach (var e in events)
        {
            leaves.Add(e);
        }
    }

    /// <summary>Takes a command whose leaves have been prepared.</summary>
    public void Accept(
        Submission submission, NewEvent[] events, ImmutableArray<StreamEvent> bodies, IReadOnlyList<DueSnapshot> snapshots, Instant at)
    {
        var waiting = new Waiting(submission, null, _events.Count, events.Length, Replayed: false);
        _waiting.Add(waiting);
        if (submission.Context.Key is { } key)
        {
            _byKey.Add(key, waiting);
            _commands.Add(new NewCommand(key, submission.Context.Hash, _events.Count, events.Length, at));
        }

        for (var i = 0; i < events.Length; i++)
        {
            _events.Add(events[i]);
            _bodies.Add(bodies[i].Event);
            Bytes += events[i].Body.Data.Length;
        }

        _snapshots.AddRange(snapshots);
    }

    public Batch ToBatch()
    {
        leaves.Truncate(_events.Count);
        return _batch = new Batch(_events, _commands, []) { Leaves = leaves.Build() };
    }

    /// <summary>Signs the batch for the positions that it will have if it is committed; without a signer or events there is nothing to sign.</summary>
    public BatchReceipts? Sign(IBatchSigner? signer) =>
        signer is null || _batch is null || _events.Count == 0 ? null : new BatchReceipts(signer, _batch.Leaves, head + 1);

    /// <summary>The events as they are stored, now that the last of them is at <paramref name="position"/>.</summary>
    public Recorded[] Record(long position)
    {
        var first = position - _events.Count + 1;
        var recorded = new Recorded[_events.Count];
        for (var i = 0; i < recorded.Length; i++)
        {
            var e = _events[i];
            recorded[i] = new Recorded(
                new StoredEvent(first + i, e.Stream, e.Version, e.Id, e.Body.Type, e.Body.Data, e.At, e.CorrelationId, e.CausationId, e.Headers),
                _bodies[i]);
        }

        return recorded;
    }

    /// <summary>Tells everybody, now that the batch is durable.</summary>
    public void Complete(Recorded[] recorded, BatchReceipts? receipts = null)
    {
        var first = head + 1;
        foreach (var (submission, rejection, start, count, replayed) in _waiting)
        {
            submission.Complete(new CommandOutcome(
                rejection,
                // Of "already so", the place that it was decided at: the same that a repetition is told.
                first + start + count - 1,
                new ArraySegment<Recorded>(recorded, start, count),
                replayed,
                count > 0 ? receipts?.Of(start + count - 1) : null));
        }

        _settled.TrySetResult();
    }

    public void Fail(Exception exception)
    {
        foreach (var (submission, _, _, _, _) in _waiting)
        {
            submission.Fail(exception);
        }

        _settled.TrySetResult();
    }

    private sealed record Waiting(Submission Submission, Rejection? Rejection, int Start, int Count, bool Replayed);
}

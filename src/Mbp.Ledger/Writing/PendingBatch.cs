using NodaTime;

namespace Mbp.Ledger.Writing;

/// <summary>What was decided and waits for its commit: the events, and who is told what once they are durable.</summary>
internal sealed class PendingBatch(long head)
{
    private readonly List<NewEvent> _events = [];
    private readonly List<object> _bodies = [];
    private readonly List<NewCommand> _commands = [];
    private readonly List<DueSnapshot> _snapshots = [];
    private readonly List<Waiting> _waiting = [];
    private readonly Dictionary<CommandKey, Waiting> _byKey = [];

    public bool IsEmpty => _events.Count == 0 && _commands.Count == 0;

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

    public void Accept(
        Submission submission, IReadOnlyList<(NewEvent New, object Body)> events, IReadOnlyList<DueSnapshot> snapshots, Instant at)
    {
        var waiting = new Waiting(submission, null, _events.Count, events.Count, Replayed: false);
        _waiting.Add(waiting);
        if (submission.Context.Key is { } key)
        {
            _byKey.Add(key, waiting);
            _commands.Add(new NewCommand(key, submission.Context.Hash, _events.Count, events.Count, at));
        }

        foreach (var (created, body) in events)
        {
            _events.Add(created);
            _bodies.Add(body);
        }

        _snapshots.AddRange(snapshots);
    }

    public Batch ToBatch() => new(_events, _commands, []);

    /// <summary>Tells everybody, now that the batch is durable and its last event is at <paramref name="position"/>.</summary>
    public IReadOnlyList<Recorded> Complete(long position)
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

        foreach (var (submission, rejection, start, count, replayed) in _waiting)
        {
            submission.Complete(new CommandOutcome(
                rejection,
                // Of "already so", the place that it was decided at: the same that a repetition is told.
                first + start + count - 1,
                new ArraySegment<Recorded>(recorded, start, count),
                replayed));
        }

        return recorded;
    }

    public void Fail(Exception exception)
    {
        foreach (var (submission, _, _, _, _) in _waiting)
        {
            submission.Fail(exception);
        }
    }

    private sealed record Waiting(Submission Submission, Rejection? Rejection, int Start, int Count, bool Replayed);
}

using System.Diagnostics.CodeAnalysis;
using Mbp.Ledger.Merkle;
using NodaTime;

namespace Mbp.Ledger;

/// <summary>What may go wrong with one commit, for simulations.</summary>
public enum CommitFault
{
    /// <summary>It goes well.</summary>
    None,

    /// <summary>The store is out of order; nothing is written and the caller is told so.</summary>
    Unavailable,

    /// <summary>The connection breaks before the commit reaches the store.</summary>
    LostBeforeCommit,

    /// <summary>The connection breaks after the commit: all is written, and the caller cannot know.</summary>
    LostAfterCommit,
}

/// <summary>The ledger that several <see cref="InMemoryEventStore"/>s share, as several hosts share a database.</summary>
[SuppressMessage("Design", "CA1001", Justification = "The lease belongs to the writer that took it.")]
public sealed class InMemoryLog
{
    private readonly Lock _gate = new();
    private readonly List<StoredEvent> _events = [];
    private readonly Dictionary<StreamId, List<StoredEvent>> _streams = [];
    private readonly Dictionary<CommandKey, CommandRecord> _commands = [];
    private readonly Dictionary<(StreamId, string), Snapshot> _snapshots = [];
    private readonly List<OutboxMessage> _outbox = [];
    private readonly List<MerkleHash> _leaves = [];
    private TaskCompletionSource _grown = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private InMemoryLease? _held;
    private long _epoch;
    private Instant _at = Instant.FromUnixTimeTicks(0);

    /// <summary>Asked before each commit; tells how it goes.</summary>
    public Func<Batch, CommitFault>? Faults { get; set; }

    internal string? Holder { get; private set; }

    internal long Head
    {
        get
        {
            lock (_gate)
            {
                return _events.Count;
            }
        }
    }

    /// <summary>The leaf hashes of all events, by position.</summary>
    public IReadOnlyList<MerkleHash> Leaves
    {
        get
        {
            lock (_gate)
            {
                return [.. _leaves];
            }
        }
    }

    /// <summary>The messages that were committed, in order.</summary>
    public IReadOnlyList<OutboxMessage> Outbox
    {
        get
        {
            lock (_gate)
            {
                return [.. _outbox];
            }
        }
    }

    /// <summary>Takes the lease away without the holder's doing, as when its session with the database dies.</summary>
    public void BreakLease()
    {
        InMemoryLease? broken;
        lock (_gate)
        {
            (broken, _held) = (_held, null);
        }

        broken?.Lose();
    }

    internal InMemoryLease? TryAcquire(string holder)
    {
        lock (_gate)
        {
            if (_held is not null)
            {
                return null;
            }

            Holder = holder;
            return _held = new InMemoryLease(this, ++_epoch, _events.Count, _at);
        }
    }

    internal void Release(InMemoryLease lease)
    {
        lock (_gate)
        {
            if (_held == lease)
            {
                _held = null;
            }
        }
    }

    internal long Append(Lease lease, Batch batch)
    {
        var moves = batch.Moves();
        // Made by every store: an event without a leaf is none.
        var leaves = batch.Leaves;
        var fault = Faults?.Invoke(batch) ?? CommitFault.None;
        if (fault is CommitFault.Unavailable)
        {
            throw new StoreUnavailableException("The simulated store is out of order.");
        }

        long head = 0;
        if (fault is not CommitFault.LostBeforeCommit)
        {
            head = Commit(lease, batch, moves, leaves);
        }

        if (fault is CommitFault.None)
        {
            return head;
        }

        BreakLease();
        throw new UnknownOutcomeException("The simulated connection broke during the commit.");
    }

    private long Commit(Lease lease, Batch batch, IReadOnlyList<StreamMove> moves, LeafBatch leaves)
    {
        lock (_gate)
        {
            if (lease is not InMemoryLease ours || ours.Log != this || ours.Epoch != _epoch)
            {
                (lease as InMemoryLease)?.Lose();
                throw new FencedException($"The lease of epoch {lease.Epoch} is over: epoch {_epoch} is held by {Holder}.");
            }

            if (ours.Released)
            {
                throw new FencedException("The lease was given back.");
            }

            // All guards come first: a batch is written whole or not at all.
            foreach (var move in moves)
            {
                var present = _streams.TryGetValue(move.Stream, out var stream) ? stream.Count : 0;
                if (present != move.Expected)
                {
                    throw new ConcurrencyException($"Stream {move.Stream} is at version {present}, the batch expects {move.Expected}.");
                }
            }

            if (batch.Commands.Select(command => command.Key).GroupBy(key => key).FirstOrDefault(group => group.Count() > 1 || _commands.ContainsKey(group.Key)) is { } taken)
            {
                throw new ConcurrencyException($"The command key {taken.Key} is taken.");
            }

            var before = _events.Count;
            foreach (var e in batch.Events)
            {
                Write(e);
            }

            foreach (var command in batch.Commands)
            {
                _commands.Add(command.Key, new(command.Hash.ToArray(), before + command.FirstEvent + command.EventCount, command.EventCount, command.At));
            }

            _leaves.AddRange(leaves.Hashes);
            _outbox.AddRange(batch.Outbox.Select(message => message with { Body = message.Body.ToArray() }));
            if (_events.Count > before)
            {
                _at = _events[^1].At;
                _grown.SetResult();
                _grown = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            return _events.Count;
        }
    }

    private void Write(NewEvent e)
    {
        var stored = new StoredEvent(
            _events.Count + 1, e.Stream, e.Version, e.Id, e.Body.Type, e.Body.Data.ToArray(), e.At, e.CorrelationId, e.CausationId, e.Headers.ToArray());
        _events.Add(stored);
        if (!_streams.TryGetValue(e.Stream, out var stream))
        {
            _streams.Add(e.Stream, stream = []);
        }

        stream.Add(stored);
    }

    internal IReadOnlyList<StoredEvent> Stream(StreamId stream, long afterVersion)
    {
        lock (_gate)
        {
            return _streams.TryGetValue(stream, out var events) ? [.. events.Skip((int)long.Clamp(afterVersion, 0, int.MaxValue))] : [];
        }
    }

    internal IReadOnlyList<StoredEvent> All(long afterPosition)
    {
        lock (_gate)
        {
            var from = (int)long.Clamp(afterPosition, 0, _events.Count);
            return _events.GetRange(from, _events.Count - from);
        }
    }

    internal Task WaitBeyondAsync(long position, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return _events.Count > position ? Task.CompletedTask : _grown.Task.WaitAsync(cancellationToken);
        }
    }

    internal Snapshot? Snapshot(StreamId stream, string fold)
    {
        lock (_gate)
        {
            return _snapshots.GetValueOrDefault((stream, fold));
        }
    }

    internal void Keep(Snapshot snapshot)
    {
        lock (_gate)
        {
            var key = (snapshot.Stream, snapshot.Fold);
            if (!_snapshots.TryGetValue(key, out var kept) || (snapshot.FoldVersion, snapshot.Version).CompareTo((kept.FoldVersion, kept.Version)) > 0)
            {
                _snapshots[key] = snapshot with { State = snapshot.State.ToArray() };
            }
        }
    }

    internal IReadOnlyDictionary<CommandKey, CommandRecord> Find(IReadOnlyCollection<CommandKey> keys)
    {
        lock (_gate)
        {
            return keys.Distinct().Where(_commands.ContainsKey).ToDictionary(key => key, key => _commands[key]);
        }
    }

    internal long Forget(Instant before)
    {
        lock (_gate)
        {
            var old = _commands.Where(pair => pair.Value.At < before).Select(pair => pair.Key).ToList();
            old.ForEach(key => _commands.Remove(key));
            return old.Count;
        }
    }
}

internal sealed class InMemoryLease(InMemoryLog log, long epoch, long position, Instant at) : Lease
{
    private readonly CancellationTokenSource _lost = new();

    public InMemoryLog Log => log;

    public override long Epoch => epoch;

    public override long Position => position;

    public override Instant At => at;

    public override CancellationToken Lost => _lost.Token;

    public bool Released { get; private set; }

    public void Lose() => _lost.Cancel();

    public override void Abort() => Lose();

    public override ValueTask DisposeAsync()
    {
        Released = true;
        log.Release(this);
        return ValueTask.CompletedTask;
    }
}

using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Text.Json;

namespace Mbp.Ledger.Writing;

/// <summary>
/// The folded states of the streams in use. Only the writer's loop touches it, and while that loop holds the lease nobody else appends, so
/// a state here is the stream's true state, with the decided but uncommitted events of the present batch on top.
/// </summary>
internal class StateCache(IEventStore store, EventCatalog catalog, int capacity) : IStates
{
    // Loading is I/O; more readers than this only queue up inside the database.
    private const int ParallelLoads = 8;

    private readonly Dictionary<StreamId, Entry> _entries = [];
    private readonly List<Entry> _moved = [];
    private long _batch;
    private long _committed;
    private readonly LinkedList<Entry> _byUse = [];
    private readonly ConcurrentQueue<StreamId> _toForget = new();

    public int Count => _entries.Count;

    /// <summary>Begins a batch; states that move from now on belong to it until it is committed.</summary>
    public long BeginBatch() => ++_batch;

    /// <summary>The batch is durable. May be called from elsewhere than the writer's loop.</summary>
    public void Committed(long batch) => Volatile.Write(ref _committed, batch);

    /// <summary>Whether the state would have to be read from a stream that this very batch has moved: that can only be done after its commit.</summary>
    public bool IsMovedBy(long batch, StateRef reference) =>
        _entries.TryGetValue(reference.Stream, out var entry) && entry.Batch == batch && entry.Find(reference.Fold) is null;

    /// <summary>Whether the state would have to be read from a stream whose last events are not durable yet: the store does not show them.</summary>
    public bool IsBehind(StateRef reference) =>
        _entries.TryGetValue(reference.Stream, out var entry) && entry.Batch > Volatile.Read(ref _committed) && entry.Find(reference.Fold) is null;

    public virtual void Clear()
    {
        _committed = _batch;
        _entries.Clear();
        _byUse.Clear();
    }

    public TState Get<TState>(StateRef<TState> reference)
        where TState : class =>
        _entries.TryGetValue(reference.Stream, out var entry) && entry.Find(reference.Fold) is TState state
            ? state
            : throw new InvalidOperationException($"{reference.Fold.Name} of {reference.Stream} was not among the states that the operation reads.");

    /// <summary>Whether the state is in memory; if so, its stream has just been used.</summary>
    public bool Use(StateRef reference)
    {
        if (!_entries.TryGetValue(reference.Stream, out var entry) || entry.Find(reference.Fold) is null)
        {
            return false;
        }

        if (entry.Node != _byUse.First)
        {
            _byUse.Remove(entry.Node);
            _byUse.AddFirst(entry.Node);
        }

        return true;
    }

    /// <summary>Reads states that are not in memory.</summary>
    /// <param name="missing">Which.</param>
    /// <param name="head">The last position that this writer knows of. An event after it is another writer's: what is here already is out of date then.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <returns>Those whose streams do not fold, with the reason: only the commands that read them suffer.</returns>
    public async Task<IReadOnlyDictionary<StateRef, Exception>> LoadAsync(IReadOnlyCollection<StateRef> missing, long head, CancellationToken cancellationToken)
    {
        var unreadable = new ConcurrentDictionary<StateRef, Exception>();
        var loaded = new (StateRef Reference, long Version, long Position, object State)[missing.Count];
        await Parallel.ForEachAsync(
            missing.Select((reference, index) => (reference, index)),
            new ParallelOptions { MaxDegreeOfParallelism = ParallelLoads, TaskScheduler = TaskScheduler.Current, CancellationToken = cancellationToken },
            async (item, ct) =>
            {
                try
                {
                    var (version, position, state) = await FoldLoader.LoadAsync(store, catalog, item.reference, ct);
                    loaded[item.index] = (item.reference, version, position, state);
                }
                catch (Exception e) when (e is UnknownEventTypeException or UnreadableEventException or InvalidOperationException or JsonException)
                {
                    unreadable[item.reference] = e;
                }
            });

        foreach (var (reference, version, position, state) in loaded)
        {
            if (position > head)
            {
                throw new ConcurrencyException($"{reference.Stream} has an event at position {position}; this writer knows of none after {head}.");
            }

            if (state is not null)
            {
                Put(reference, version, state);
            }
        }

        return unreadable;
    }

    /// <summary>The version of a stream, with the present batch's events counted.</summary>
    public long VersionOf(StreamId stream) =>
        _entries.TryGetValue(stream, out var entry)
            ? entry.Version
            : throw new InvalidOperationException($"An operation wrote to {stream} without reading it.");

    /// <summary>Whether the stream's version is in memory.</summary>
    public bool Knows(StreamId stream) => _entries.ContainsKey(stream);

    /// <summary>
    /// Reads the versions of streams of which no state is asked for. They are the first to be forgotten: a payout to a hundred thousand accounts must
    /// not push out what trades work with. An event that somebody else appended is found by the commit, which expects these versions.
    /// </summary>
    public async Task LoadVersionsAsync(IReadOnlyCollection<StreamId> unknown, CancellationToken cancellationToken)
    {
        var found = await store.FindVersionsAsync(unknown, cancellationToken);
        foreach (var stream in unknown)
        {
            // A state of it may have been read meanwhile.
            if (!_entries.ContainsKey(stream))
            {
                var entry = new Entry(stream, found.GetValueOrDefault(stream));
                _entries.Add(stream, entry);
                _byUse.AddLast(entry.Node);
            }
        }
    }

    /// <summary>Applies a command's events to every state that follows their streams: all of them, or (when one does not fold) none.</summary>
    /// <returns>The folds that are due for a snapshot.</returns>
    public IReadOnlyList<DueSnapshot> Apply(ImmutableArray<StreamEvent> events)
    {
        // A state moves only after every event of the command folded, so a fold that throws leaves no half command behind.
        _moved.Clear();
        try
        {
            foreach (var (stream, @event) in events)
            {
                var entry = _entries[stream];
                if (entry.Begin())
                {
                    _moved.Add(entry);
                }

                entry.Fold(@event);
            }
        }
        catch
        {
            _moved.ForEach(entry => entry.End(_batch, takeOver: false));
            throw;
        }

        List<DueSnapshot>? due = null;
        foreach (var entry in _moved)
        {
            entry.End(_batch, takeOver: true);
            for (var i = 0; i < entry.States.Count; i++)
            {
                var (kind, state) = entry.States[i];
                if (kind.SnapshotEvery > 0 && entry.Version / kind.SnapshotEvery != entry.SnapshotAt[i])
                {
                    entry.SnapshotAt[i] = entry.Version / kind.SnapshotEvery;
                    (due ??= []).Add(new DueSnapshot(entry.Stream, kind, entry.Version, state));
                }
            }
        }

        return due ?? (IReadOnlyList<DueSnapshot>)[];
    }

    /// <summary>Forgets the least recently used streams above the bound. A stream with events that are not durable yet stays.</summary>
    public void Trim()
    {
        var committed = Volatile.Read(ref _committed);
        for (var (node, over) = (_byUse.Last, _entries.Count - capacity); over > 0 && node is not null; over--)
        {
            var (oldest, before) = (node, node.Previous);
            if (oldest.Value.Batch <= committed)
            {
                _entries.Remove(oldest.Value.Stream);
                _byUse.Remove(oldest);
            }

            node = before;
        }
    }

    /// <summary>Has a stream's states read again from the store. May be called from elsewhere than the writer's loop.</summary>
    public void Forget(StreamId stream) => _toForget.Enqueue(stream);

    /// <summary>Lets go of what is to be forgotten; a stream with events that are not durable yet waits.</summary>
    public void LetGo()
    {
        for (var count = _toForget.Count; count > 0 && _toForget.TryDequeue(out var stream); count--)
        {
            if (!_entries.TryGetValue(stream, out var entry))
            {
                continue;
            }

            if (entry.Batch > Volatile.Read(ref _committed))
            {
                _toForget.Enqueue(stream);
                continue;
            }

            _entries.Remove(stream);
            _byUse.Remove(entry.Node);
        }
    }

    private void Put(StateRef reference, long version, object state)
    {
        if (!_entries.TryGetValue(reference.Stream, out var entry))
        {
            entry = new Entry(reference.Stream, version);
            _entries.Add(reference.Stream, entry);
            _byUse.AddFirst(entry.Node);
        }
        else if (entry.Version != version)
        {
            throw new ConcurrencyException($"{reference.Stream} is at version {version} in the store and at {entry.Version} in the writer.");
        }

        entry.States.Add((reference.Fold, state));
        entry.SnapshotAt.Add(reference.Fold.SnapshotEvery > 0 ? version / reference.Fold.SnapshotEvery : 0);
    }

    private sealed class Entry
    {
        private readonly List<object> _next = new(2);
        private int _taken;

        public Entry(StreamId stream, long version)
        {
            Stream = stream;
            Version = version;
            Node = new LinkedListNode<Entry>(this);
        }

        public StreamId Stream { get; }

        public long Version { get; private set; }

        public LinkedListNode<Entry> Node { get; }

        public List<(IFold Fold, object State)> States { get; } = new(2);

        /// <summary>For each state, how many snapshots' worth of events its last one covers.</summary>
        public List<long> SnapshotAt { get; } = new(2);

        /// <summary>The batch that moved it last.</summary>
        public long Batch { get; private set; }

        /// <summary>Begins to take a command's events; false where an earlier event of the command did.</summary>
        public bool Begin()
        {
            if (_taken > 0)
            {
                return false;
            }

            foreach (var (_, state) in States)
            {
                _next.Add(state);
            }

            return true;
        }

        public void Fold(object @event)
        {
            // Counted first: a fold that throws has begun, too.
            _taken++;
            for (var i = 0; i < States.Count; i++)
            {
                _next[i] = States[i].Fold.Apply(_next[i], @event);
            }
        }

        /// <summary>Moves on to what the events made of the states, or stays.</summary>
        public void End(long batch, bool takeOver)
        {
            if (takeOver)
            {
                for (var i = 0; i < States.Count; i++)
                {
                    States[i] = (States[i].Fold, _next[i]);
                }

                (Version, Batch) = (Version + _taken, batch);
            }

            _next.Clear();
            _taken = 0;
        }

        public object? Find(IFold fold)
        {
            foreach (var (known, state) in States)
            {
                if (ReferenceEquals(known, fold))
                {
                    return state;
                }
            }

            return null;
        }
    }
}

/// <summary>A state worth keeping. States are immutable, so it is written out later, away from the writer's loop.</summary>
internal sealed record DueSnapshot(StreamId Stream, IFold Fold, long Version, object State)
{
    public Snapshot Save() => new(Stream, Fold.Name, Fold.Version, Version, Fold.Save(State));
}

/// <summary>Folds a stream from its newest snapshot and the events after it.</summary>
public static class FoldLoader
{
    /// <returns>The stream's version, the position of its last event (0 without one), and the state there.</returns>
    public static async Task<(long Version, long Position, object State)> LoadAsync(
        IEventStore store, EventCatalog catalog, StateRef reference, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(catalog);
        var (stream, fold) = reference;
        var snapshot = fold.SnapshotEvery > 0 ? await store.LoadSnapshotAsync(stream, fold, cancellationToken) : null;
        var (version, position) = (snapshot?.Version ?? 0, 0L);
        var state = snapshot is null ? fold.Initial : fold.Load(snapshot.State.Span);
        // From the snapshot's own last event on, which tells its position.
        await foreach (var stored in store.ReadStreamAsync(stream, Math.Max(0, version - 1), cancellationToken))
        {
            position = stored.Position;
            if (stored.Version > version)
            {
                state = fold.Apply(state, catalog.Decode(stored).Data);
                version = stored.Version;
            }
        }

        return (version, position, state);
    }

    /// <summary>The state as it was: after the last event at or before <paramref name="until"/> (a position, a time).</summary>
    public static async Task<TState> LoadAsOfAsync<TState>(
        IEventStore store, EventCatalog catalog, StateRef<TState> reference, Func<StoredEvent, bool> until, CancellationToken cancellationToken)
        where TState : class
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(until);
        var state = reference.Fold.Initial;
        await foreach (var stored in store.ReadStreamAsync(reference.Stream, 0, cancellationToken))
        {
            if (!until(stored))
            {
                break;
            }

            state = reference.Fold.Apply(state, catalog.Decode(stored).Data);
        }

        return state;
    }
}

using Mbp.Domain.Markets;
using Mbp.Domain.Trading;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Host.Platform;

/// <summary>
/// States as they were; a past market has no tape and no price track, as averages of the past are made of the quotes themselves. A fold of a long stream begins at a point before the one that is asked for: a snapshot, or a state that an earlier question
/// left behind. Either is the fold of the same events, so it changes nothing but the time that the answer takes.
/// </summary>
internal sealed class PastStreams(IEventStore store, EventCatalog catalog)
{
    // A question leaves a state behind for each so many events that it folded.
    private const int Stride = 500;

    // States share most of what they hold with their neighbours.
    private const int MostKept = 1_000;

    private readonly Lock _gate = new();
    private readonly Dictionary<StreamId, SortedList<long, (long Version, MarketView View)>> _kept = [];
    private readonly Queue<(StreamId Stream, long Position)> _oldestFirst = [];

    /// <summary>A market after the last of its events up to a position.</summary>
    public async Task<MarketView> MarketAsync(MarketId id, long position, CancellationToken cancellationToken)
    {
        var market = await FoldAsync(id.Stream, position, cancellationToken).ConfigureAwait(false);
        if (market.Market is Market.Unknown)
        {
            return market;
        }

        var quotes = await FoldAsync(id.Quotes, position, cancellationToken).ConfigureAwait(false);
        var resolution = await FoldAsync(id.Resolution, position, cancellationToken).ConfigureAwait(false);
        var abuse = await FoldAsync(id.Abuse, position, cancellationToken).ConfigureAwait(false);
        return market with
        {
            Twap = quotes.Twap,
            Moderation = abuse.Moderation,
            Resolution = resolution.Resolution,
            Settlement = resolution.Settlement,
            ResolutionVersion = resolution.ResolutionVersion,
            Position = Math.Max(Math.Max(market.Position, abuse.Position), Math.Max(quotes.Position, resolution.Position)),
        };
    }

    /// <summary>One state of one stream, and the version that it had.</summary>
    public async Task<(TState State, long Version)> StateAsync<TState>(StateRef<TState> reference, long position, CancellationToken cancellationToken)
        where TState : class
    {
        var (version, state) = (0L, reference.Fold.Initial);
        if (reference.Fold.SnapshotEvery > 0
            && await store.LoadSnapshotAsync(reference.Stream, reference.Fold, cancellationToken).ConfigureAwait(false) is { } snapshot
            && await PositionOfAsync(reference.Stream, snapshot.Version, cancellationToken).ConfigureAwait(false) <= position)
        {
            (version, state) = (snapshot.Version, (TState)reference.Fold.Load(snapshot.State.Span));
        }

        await foreach (var stored in store.ReadStreamAsync(reference.Stream, version, cancellationToken).ConfigureAwait(false))
        {
            if (stored.Position > position)
            {
                break;
            }

            (version, state) = (stored.Version, reference.Fold.Apply(state, catalog.Decode(stored).Data));
        }

        return (state, version);
    }

    /// <summary>The last position whose event happened at an instant or before; ledger time grows with positions, so it is searched by halves.</summary>
    public async Task<long> PositionAsync(Instant at, long head, CancellationToken cancellationToken)
    {
        var (low, high) = (0L, head);
        while (low < high)
        {
            var middle = low + (high - low + 1) / 2;
            var found = await AtOrBeforeAsync(middle, low, cancellationToken).ConfigureAwait(false);
            (low, high) = found is null || found <= at ? (middle, high) : (low, middle - 1);
        }

        return low;
    }

    // Positions have no gaps but where somebody else appended; then the last event before the gap speaks for it.
    private async Task<Instant?> AtOrBeforeAsync(long position, long above, CancellationToken cancellationToken)
    {
        Instant? last = null;
        for (var (to, step) = (position, 1L); to > above && last is null; step *= 8)
        {
            var from = Math.Max(above, to - step);
            await foreach (var stored in store.ReadRangeAsync(from, to, cancellationToken).ConfigureAwait(false))
            {
                last = stored.At;
            }

            to = from;
        }

        return last;
    }

    private async Task<MarketView> FoldAsync(StreamId stream, long position, CancellationToken cancellationToken)
    {
        var (version, view) = Nearest(stream, position);
        var snapshots = version == 0 && stream.Category == "market" ? await SnapshotsAsync(stream, position, cancellationToken).ConfigureAwait(false) : null;
        (version, view) = snapshots is null ? (version, view) : (snapshots.From, snapshots.Begin(view));
        var folded = 0;
        await foreach (var stored in store.ReadStreamAsync(stream, version, cancellationToken).ConfigureAwait(false))
        {
            if (stored.Position > position)
            {
                break;
            }

            var recorded = catalog.Decode(stored);
            view = stream.Category == "market" ? Apply(view, recorded, snapshots) : view.Apply(recorded);
            version = stored.Version;
            // Between the versions of its snapshots the view is of no one version.
            if (++folded % Stride == 0 && (snapshots is null || version >= snapshots.Whole))
            {
                Keep(stream, version, view);
            }
        }

        return view;
    }

    private async Task<Snapshots?> SnapshotsAsync(StreamId stream, long position, CancellationToken cancellationToken)
    {
        var market = await store.LoadSnapshotAsync(stream, Market.Fold, cancellationToken).ConfigureAwait(false);
        var pool = market is null ? null : await store.LoadSnapshotAsync(stream, Pool.Fold, cancellationToken).ConfigureAwait(false);
        return market is not null && pool is not null
               && await PositionOfAsync(stream, Math.Max(market.Version, pool.Version), cancellationToken).ConfigureAwait(false) <= position
            ? new Snapshots(market, pool)
            : null;
    }

    private async Task<long> PositionOfAsync(StreamId stream, long version, CancellationToken cancellationToken)
    {
        await foreach (var stored in store.ReadStreamAsync(stream, version - 1, cancellationToken).ConfigureAwait(false))
        {
            return stored.Position;
        }

        return long.MaxValue;
    }

    private (long Version, MarketView View) Nearest(StreamId stream, long position)
    {
        lock (_gate)
        {
            if (_kept.TryGetValue(stream, out var states))
            {
                for (var i = states.Count - 1; i >= 0; i--)
                {
                    if (states.Keys[i] <= position)
                    {
                        return states.Values[i];
                    }
                }
            }
        }

        return (0, MarketView.Empty);
    }

    /// <summary>Lets go of the states of a stream: a text in them was erased.</summary>
    public void Forget(StreamId stream)
    {
        lock (_gate)
        {
            _kept.Remove(stream);
            var left = _oldestFirst.Where(kept => kept.Stream != stream).ToList();
            _oldestFirst.Clear();
            left.ForEach(_oldestFirst.Enqueue);
        }
    }

    private void Keep(StreamId stream, long version, MarketView view)
    {
        lock (_gate)
        {
            if (!_kept.TryGetValue(stream, out var states))
            {
                _kept.Add(stream, states = []);
            }

            if (!states.TryAdd(view.Position, (version, view)))
            {
                return;
            }

            _oldestFirst.Enqueue((stream, view.Position));
            if (_oldestFirst.Count > MostKept)
            {
                var (old, at) = _oldestFirst.Dequeue();
                _kept[old].Remove(at);
                if (_kept[old].Count == 0)
                {
                    _kept.Remove(old);
                }
            }
        }
    }

    // Each snapshot has a version of its own: an event counts for the one that does not hold it yet.
    private static MarketView Apply(MarketView view, Recorded recorded, Snapshots? begun) => view with
    {
        Market = recorded.Version > (begun?.OfMarket.Version ?? 0) ? Market.Fold.Apply(view.Market, recorded.Data) : view.Market,
        Pool = recorded.Version > (begun?.OfPool.Version ?? 0) ? Pool.Fold.Apply(view.Pool, recorded.Data) : view.Pool,
        Version = recorded.Version,
        Position = recorded.Position,
    };

    /// <summary>The writer's snapshots of one market's stream.</summary>
    private sealed record Snapshots(Snapshot OfMarket, Snapshot OfPool)
    {
        /// <summary>One event before the older one ends: there is always one to read, and with it the view's version and position.</summary>
        public long From => Math.Min(OfMarket.Version, OfPool.Version) - 1;

        /// <summary>From here on the view is whole.</summary>
        public long Whole => Math.Max(OfMarket.Version, OfPool.Version);

        public MarketView Begin(MarketView empty) =>
            empty with { Market = (Market)Market.Fold.Load(OfMarket.State.Span), Pool = (Pool)Pool.Fold.Load(OfPool.State.Span) };
    }
}

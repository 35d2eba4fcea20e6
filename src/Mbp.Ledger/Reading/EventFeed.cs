using System.Runtime.CompilerServices;

namespace Mbp.Ledger.Reading;

/// <summary>
/// The one place from which everybody in a process follows the ledger. A follower has a cursor of its own, the position up to which it has
/// read; the newest events are kept in memory, decoded once for all, and older ones are read from the store. So a slow follower costs no
/// memory and holds nobody up: it falls behind, and reads the store until it is back.
/// </summary>
/// <param name="store">The ledger.</param>
/// <param name="catalog">Decodes what others wrote.</param>
/// <param name="capacity">How many of the newest events are kept in memory.</param>
/// <param name="trouble">Told of every failure that the pump survives, with what it does about it.</param>
public sealed class EventFeed(IEventStore store, EventCatalog catalog, int capacity = 32_768, Action<Exception, string>? trouble = null)
{
    private const int PumpPage = 1_000;

    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(500);

    private readonly Lock _gate = new();
    private readonly EventRing _ring = new(capacity);
    private readonly FollowerWaits _waits = new();
    private bool _isStarted;

    /// <summary>The newest position that it knows.</summary>
    public long Head
    {
        get
        {
            lock (_gate)
            {
                return _ring.Head;
            }
        }
    }

    /// <summary>Whether this process is the writer and hands over what it commits: asking the database for it would be waste.</summary>
    public Func<bool> IsFedHere { get; set; } = () => false;

    /// <summary>While commits are handed over, the ledger is still looked at so often: for what somebody else appended.</summary>
    internal TimeSpan SelfCheck { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Takes a commit of this process, in ledger order. Never waits and never throws; followers go on elsewhere, not on the caller's thread. What
    /// lies between it and the commit before, if anything does, followers read from the store.
    /// </summary>
    public void Committed(IReadOnlyList<Recorded> events)
    {
        if (events is { Count: > 0 })
        {
            Append(events[0].Position - 1, events);
        }
    }

    /// <summary>Takes an event as it is stored now, its texts erased, for the one that is kept in memory.</summary>
    public void Replace(Recorded erased)
    {
        lock (_gate)
        {
            _ring.Replace(erased);
        }
    }

    /// <summary>Follows what others commit, until it is cancelled. A database that is away is waited for.</summary>
    public async Task FollowAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await CatchUpAsync(cancellationToken).ConfigureAwait(false);
                await (IsFedHere() ? Task.Delay(SelfCheck, cancellationToken) : store.WaitBeyondAsync(Head, cancellationToken)).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                trouble?.Invoke(e, "The event feed tries again; nothing is skipped.");
                await Task.Delay(Retry, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>
    /// The next events beyond a position, at least one; waits for it. Commands come whole: about <paramref name="most"/> events, fewer where the
    /// next command would not fit, more where it alone is larger. Await it once.
    /// </summary>
    /// <exception cref="UnknownEventTypeException">The next command has an event that this build does not know. All before it was delivered.</exception>
    /// <exception cref="UnreadableEventException">The next command has an event whose body does not fit its type.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<IReadOnlyList<Recorded>> ReadAsync(long after, int most, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        cancellationToken.ThrowIfCancellationRequested();
        // One more shows whether a command ends there.
        for (var size = most + 1L; ; size *= 2)
        {
            var (run, head, wait) = Look(after, size);
            for (; wait is not null; (run, head, wait) = Look(after, size))
            {
                await wait.UntilGrownAsync(cancellationToken).ConfigureAwait(false);
            }

            run ??= await FromStoreAsync(after, size, head, cancellationToken).ConfigureAwait(false);
            var whole = Commands.Whole(run, isAll: run[^1].Position == head, most);
            if (whole > 0)
            {
                return whole == run.Length ? run : new ArraySegment<Recorded>(run, 0, whole);
            }

            if (Array.Find(run, Commands.IsUnreadable) is { } fault)
            {
                // Decoded once more, so that each follower gets an exception of its own.
                return [catalog.Decode(fault.Stored)];
            }
        }
    }

    /// <summary>What there is after a position: events from memory, or none (they are in the store up to the head), or nothing yet and a place to wait.</summary>
    private (Recorded[]? Run, long Head, FollowerWaits.Wait? Wait) Look(long after, long size)
    {
        lock (_gate)
        {
            var head = _ring.Head;
            return after >= head ? (null, head, _waits.Enter()) : (after >= _ring.Floor ? _ring.Copy(after, size) : null, head, null);
        }
    }

    /// <summary>Events after a position from the store, up to the first that cannot be read. The head is known to be beyond the position.</summary>
    private async Task<Recorded[]> FromStoreAsync(long after, long size, long head, CancellationToken cancellationToken)
    {
        var run = new List<Recorded>();
        // A range may be void, where foreign transactions were rolled back; the one with the head is not.
        for (var last = after; run.Count == 0 && last < head; size *= 2)
        {
            (after, last) = (last, head - last > size ? last + size : head);
            await foreach (var stored in store.ReadRangeAsync(after, last, cancellationToken).ConfigureAwait(false))
            {
                run.Add(Decode(stored));
                if (Commands.IsUnreadable(run[^1]))
                {
                    break;
                }
            }
        }

        return run.Count > 0 ? [.. run] : throw Lost(head, after);
    }

    private async Task CatchUpAsync(CancellationToken cancellationToken)
    {
        var head = await store.HeadAsync(cancellationToken).ConfigureAwait(false);
        if (!_isStarted)
        {
            // What was there before is for those who need it to read from the store.
            Append(head, []);
            _isStarted = true;
            return;
        }

        var after = Head;
        if (head <= after)
        {
            return;
        }

        var page = new List<Recorded>();
        await foreach (var stored in store.ReadRangeAsync(after, head, cancellationToken).ConfigureAwait(false))
        {
            // Pages end between commands: half of one must not come to be the head.
            if (page.Count >= PumpPage && !Commands.AreOne(page[^1].Stored, stored))
            {
                Append(after, page);
                after = page[^1].Position;
                page.Clear();
            }

            page.Add(Decode(stored));
        }

        Append(after, page.Count > 0 ? page : throw Lost(head, after));
    }

    private static InvalidOperationException Lost(long head, long after) => new($"The ledger was at position {head}, and has nothing beyond {after} any more.");

    private Recorded Decode(StoredEvent stored)
    {
        try
        {
            return catalog.Decode(stored);
        }
        catch (Exception)
        {
            // Whatever it is, it is for the followers to know, who decode it once more. The feed goes on.
            return Commands.Unreadable(stored);
        }
    }

    /// <summary>Takes events that are all there is after a position, up to the last of them.</summary>
    private void Append(long after, IReadOnlyList<Recorded> events)
    {
        lock (_gate)
        {
            var head = _ring.Head;
            _ring.Append(after, events);
            if (_ring.Head > head)
            {
                _waits.EndAll();
            }
        }
    }
}

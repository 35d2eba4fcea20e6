using System.Collections.Concurrent;
using System.Threading.Channels;
using Mbp.Host.Platform;
using Mbp.Ledger;
using Mbp.Ledger.Reading;

namespace Mbp.Host.Streaming;

/// <summary>
/// Carries all followers that are at the ledger's end: in rounds, each event made into a frame once for all of them, and each of them written to
/// once a round. A commit wakes one loop, not thousands of clients. While nobody follows, nothing happens here.
/// </summary>
internal sealed class StreamRounds : BackgroundService
{
    private const int Kept = 16_384;
    private const int Page = 4_096;
    private const int PagesARound = 4;

    // What is made ready for those who come: after a restart all clients are back at once, a little behind, and find it in memory.
    private const int Prepared = 8_192;

    // Reading for those who are far behind takes time from those who are not.
    private const int ReadersAtATime = 4;

    private static readonly TimeSpan ShortestRound = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan RoundPerClient = TimeSpan.FromMicroseconds(45);
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan WaitedFor = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(500);

    private readonly EventFeed _feed;
    private readonly StreamLimits _limits;
    private readonly ILogger<StreamRounds> _log;
    private readonly FrameRing _ring = new(Kept);
    private readonly ConcurrentQueue<StreamClient> _joining = new();
    private readonly ConcurrentQueue<EventFrame> _erased = new();
    private readonly List<StreamClient> _carried = [];
    private readonly ConcurrentDictionary<StreamClient, bool> _all = new();
    private readonly SemaphoreSlim _readers = new(ReadersAtATime);
    private readonly Channel<bool> _calls = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
    private int _clients;
    private long _floor = long.MaxValue;
    private Exception? _fault;
    private volatile bool _isOver;

    public StreamRounds(EventFeed feed, MbpOptions options, StreamMetrics metrics, ILogger<StreamRounds> log)
    {
        (_feed, _limits, _log) = (feed, options.Streams, log);
        metrics.Watch(this);
    }

    public int Clients => Volatile.Read(ref _clients);

    public long Lag => _all.Keys.Select(client => Math.Max(0, _feed.Head - client.Cursor)).DefaultIfEmpty(0).Max();

    /// <summary>Whoever has read up to here can be carried.</summary>
    public long Floor => Volatile.Read(ref _floor);

    /// <summary>False = there are as many as there may be.</summary>
    public bool TryEnter()
    {
        if (Interlocked.Increment(ref _clients) <= _limits.Clients)
        {
            return true;
        }

        Leave();
        return false;
    }

    public void Leave() => Interlocked.Decrement(ref _clients);

    /// <summary>Serves a client until it is gone, sent away or cut off, or the ledger cannot be read on.</summary>
    public async Task ServeAsync(StreamClient client, CancellationToken cancellationToken)
    {
        _all.TryAdd(client, true);
        // Whoever writes to it has to let go first; it is asked to at once.
        using var gone = cancellationToken.UnsafeRegister(
            static state =>
            {
                var (rounds, client) = ((StreamRounds, StreamClient))state!;
                client.Dismiss();
                rounds.Call();
            },
            (this, client));
        try
        {
            await client.BeginAsync(cancellationToken).ConfigureAwait(false);
            while (await CarryAsync(client).ConfigureAwait(false) == Streaming.Leave.Behind)
            {
                await client.CatchUpAsync(_feed, this, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            _all.TryRemove(client, out _);
        }
    }

    /// <summary>An event whose texts were erased: nobody is to be given them any more.</summary>
    public void Replace(Recorded erased) => _erased.Enqueue(EventFrame.Of(erased));

    /// <summary>For those who are behind: a few at a time, page by page.</summary>
    public async Task<IReadOnlyList<Recorded>> ReadAsync(EventFeed feed, long after, int most, CancellationToken cancellationToken)
    {
        await _readers.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return await feed.ReadAsync(after, most, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _readers.Release();
        }
    }

    public override void Dispose()
    {
        _readers.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                await _calls.Reader.ReadAsync(stoppingToken).ConfigureAwait(false);
                await CarryAllAsync(stoppingToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops.
        }
        finally
        {
            _isOver = true;
            RefuseJoining();
            _carried.ForEach(client => client.LetGo(Streaming.Leave.Over));
        }
    }

    private Task<Leave> CarryAsync(StreamClient client)
    {
        var carried = client.CarriedAsync();
        _joining.Enqueue(client);
        Call();
        if (_isOver)
        {
            RefuseJoining();
        }

        return carried;
    }

    private void Call() => _calls.Writer.TryWrite(true);

    /// <summary>From the first client that comes to the last that goes.</summary>
    private async Task CarryAllAsync(CancellationToken stoppingToken)
    {
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        Begin();
        var next = NextAsync(TimeSpan.Zero, enough.Token);
        var called = _calls.Reader.WaitToReadAsync(enough.Token).AsTask();
        try
        {
            while (Clients > 0 || !_joining.IsEmpty || _carried.Count > 0)
            {
                var began = TimeProvider.System.GetTimestamp();
                for (var pages = 0; pages < PagesARound && next.IsCompleted; pages++)
                {
                    next = await TakeAsync(next, enough.Token).ConfigureAwait(false);
                }

                Round();
                var rest = ShortestRound + _carried.Count * RoundPerClient - TimeProvider.System.GetElapsedTime(began);
                await Task.Delay(rest > ShortestRound ? rest : ShortestRound, stoppingToken).ConfigureAwait(false);
                if (!next.IsCompleted && !called.IsCompleted && Pause() is { Ticks: > 0 } pause)
                {
                    await Task.WhenAny(next, called, Task.Delay(pause, stoppingToken)).ConfigureAwait(false);
                }

                if (called.IsCompleted && _calls.Reader.TryRead(out _))
                {
                    called = _calls.Reader.WaitToReadAsync(enough.Token).AsTask();
                }
            }
        }
        finally
        {
            Volatile.Write(ref _floor, long.MaxValue);
            await enough.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(next, called).ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default).ConfigureAwait(false);
        }
    }

    private void Begin()
    {
        TakeErased();
        _fault = null;
        var known = Math.Max(_feed.Head, _joining.Select(client => client.Cursor).DefaultIfEmpty(0).Max());
        var start = Math.Max(0, known - Prepared);
        if (_ring.Head < start || _ring.Head == 0)
        {
            _ring.BeginAfter(start);
        }

        Publish();
    }

    private async Task<IReadOnlyList<Recorded>> NextAsync(TimeSpan pause, CancellationToken cancellationToken)
    {
        await Task.Delay(pause, cancellationToken).ConfigureAwait(false);
        return await _feed.ReadAsync(_ring.Head, Page, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Makes frames of what was read, and reads on.</summary>
    private async Task<Task<IReadOnlyList<Recorded>>> TakeAsync(Task<IReadOnlyList<Recorded>> next, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var recorded in await next.ConfigureAwait(false))
            {
                _ring.Add(EventFrame.Of(recorded));
            }

            Publish();
            return NextAsync(TimeSpan.Zero, cancellationToken);
        }
        catch (Exception e) when (e is UnknownEventTypeException or UnreadableEventException)
        {
            // It is never skipped: all get what is before it, and that is the end. Those who come again are told the same.
            _fault = e;
            Log.StreamsEnd(_log, e, _ring.Head);
            return new TaskCompletionSource<IReadOnlyList<Recorded>>().Task.WaitAsync(cancellationToken);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            Log.WorkerTrouble(_log, e, "the event streams");
            return NextAsync(Retry, cancellationToken);
        }
    }

    private void TakeErased()
    {
        while (_erased.TryDequeue(out var frame))
        {
            _ring.Replace(frame);
        }
    }

    private void Round()
    {
        TakeErased();
        while (_joining.TryDequeue(out var client))
        {
            _carried.Add(client);
        }

        var now = Environment.TickCount64;
        for (var i = _carried.Count - 1; i >= 0; i--)
        {
            var client = _carried[i];
            if (Step(client, now) is not Streaming.Leave.No and var why)
            {
                _carried[i] = _carried[^1];
                _carried.RemoveAt(_carried.Count - 1);
                client.LetGo(why);
            }
        }
    }

    // Nothing wakes the rounds for those who could not be given all at once, nor when one of them has taken what it was given.
    private TimeSpan Pause()
    {
        var pause = Idle;
        foreach (var client in _carried)
        {
            if (client.HasMore(_ring))
            {
                if (!client.IsWaitedFor)
                {
                    return TimeSpan.Zero;
                }

                pause = WaitedFor;
            }
        }

        return pause;
    }

    private Leave Step(StreamClient client, long now)
    {
        try
        {
            return client.Step(_ring, now, isLast: _fault is not null);
        }
        catch (Exception e)
        {
            // One client's connection is nobody else's trouble.
            Log.StreamBroke(_log, e);
            return Streaming.Leave.Over;
        }
    }

    // Not the very edge, which moves: who is told of it should find it there when it comes.
    private void Publish() => Volatile.Write(ref _floor, _ring.Next - _ring.First == Kept ? _ring[_ring.First + Kept / 8].Position : _ring.Floor);

    private void RefuseJoining()
    {
        while (_joining.TryDequeue(out var client))
        {
            client.LetGo(Streaming.Leave.Over);
        }
    }
}

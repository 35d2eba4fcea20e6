using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using Mbp.Ledger.Reading;

namespace Mbp.Host.Streaming;

/// <summary>Why a client leaves the rounds.</summary>
internal enum Leave
{
    /// <summary>It does not.</summary>
    No,

    /// <summary>What it needs next is no longer, or not yet, in memory: it reads by itself until it is back.</summary>
    Behind,

    /// <summary>It is gone, cut off or sent away, or the ledger cannot be read on.</summary>
    Over,
}

/// <summary>
/// One follower and how far it is. It is written to by one at a time: by its own request while it is behind, by the rounds once it is not. What
/// waits for it in memory is bounded: nothing is added before it has taken what was written before.
/// </summary>
/// <param name="body">Where to.</param>
/// <param name="filter">What it sees.</param>
/// <param name="cursor">It has seen everything up to here.</param>
/// <param name="limits">How long silence and patience last.</param>
/// <param name="metrics">Where it is counted.</param>
/// <param name="isAllowed">Whether its key is still in force.</param>
/// <param name="cutOff">Cuts its connection.</param>
internal sealed class StreamClient(
    PipeWriter body, StreamFilter filter, long cursor, StreamLimits limits, StreamMetrics metrics, Func<bool> isAllowed, Action cutOff)
{
    // In one step. A follower of everything needs it all when rounds are long; the next step comes only after it has taken this one.
    private const int MostBytes = 256 * 1024;
    private const int PageEvents = 250;
    private const long AllowedForMs = 1_000;

    private TaskCompletionSource<Leave>? _carried;
    private Task<FlushResult>? _flush;
    private long _cursor = cursor;
    private long _told = -1;
    private long _number = -1;
    private long _wroteAt = Environment.TickCount64;
    private long _allowedAt = Environment.TickCount64;
    private bool _isCutOff;
    private volatile bool _isLeaving;

    /// <summary>Everything up to here that it may see was written to it.</summary>
    public long Cursor => Volatile.Read(ref _cursor);

    /// <summary>Whether it has not taken yet what was written last.</summary>
    public bool IsWaitedFor => _flush is { IsCompleted: false };

    /// <summary>Whether there is more for it than one step may write.</summary>
    public bool HasMore(FrameRing ring) => _number < ring.Next;

    /// <summary>From any thread: it is to be let go as soon as nobody writes to it.</summary>
    public void Dismiss() => _isLeaving = true;

    /// <summary>The first bytes: when to come back after a break, and where it stands.</summary>
    public Task BeginAsync(CancellationToken cancellationToken)
    {
        Write("retry: 2000\n"u8);
        WriteProgress();
        return body.FlushAsync(cancellationToken).AsTask();
    }

    /// <summary>Reads by itself, by memory or by the store, until the rounds can carry it.</summary>
    public async Task CatchUpAsync(EventFeed feed, StreamRounds rounds, CancellationToken cancellationToken)
    {
        while (Cursor < rounds.Floor && IsStillAllowed(Environment.TickCount64))
        {
            var bytes = 0;
            foreach (var recorded in await rounds.ReadAsync(feed, Cursor, PageEvents, cancellationToken).ConfigureAwait(false))
            {
                if (filter.Shows(EventFrame.SubjectOf(recorded.Stream), recorded.Stream.Key))
                {
                    bytes += Write(EventFrame.Of(recorded));
                }

                Volatile.Write(ref _cursor, recorded.Position);
                if (bytes > MostBytes)
                {
                    await FlushAsync(cancellationToken).ConfigureAwait(false);
                    bytes = 0;
                }
            }

            if (bytes > 0 || WriteHeartbeat(Environment.TickCount64))
            {
                await FlushAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>From now on the rounds write to it; ends when they let it go.</summary>
    public Task<Leave> CarriedAsync()
    {
        _number = -1;
        return (_carried = new TaskCompletionSource<Leave>(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
    }

    public void LetGo(Leave why) => _carried!.SetResult(why);

    /// <summary>One step of a round: what is new goes out in one write. Never waits.</summary>
    /// <param name="ring">What there is.</param>
    /// <param name="now">In milliseconds.</param>
    /// <param name="isLast">Nothing will follow what is in the ring.</param>
    public Leave Step(FrameRing ring, long now, bool isLast)
    {
        if (_flush is { } flush)
        {
            if (!flush.IsCompleted)
            {
                return _isLeaving ? CutOff() : now - _wroteAt < limits.Patience.TotalMilliseconds ? Leave.No : CutOff();
            }

            if (!flush.IsCompletedSuccessfully || flush.Result.IsCompleted)
            {
                return Leave.Over;
            }

            _flush = null;
        }

        if (_isLeaving || _isCutOff || !IsStillAllowed(now))
        {
            return Leave.Over;
        }

        if (_number < 0 && Cursor >= ring.Floor)
        {
            _number = ring.After(Cursor);
        }

        if (_number < ring.First)
        {
            return Leave.Behind;
        }

        if (Collect(ring) > 0 || WriteHeartbeat(now))
        {
            Flush(now);
        }

        return isLast && _number == ring.Next && _flush is null ? Leave.Over : Leave.No;
    }

    private int Collect(FrameRing ring)
    {
        var bytes = 0;
        for (; _number < ring.Next && bytes < MostBytes; _number++)
        {
            var frame = ring[_number];
            if (frame.Position > Cursor)
            {
                bytes += filter.Shows(frame.Subject, frame.Id) ? Write(frame) : 0;
                Volatile.Write(ref _cursor, frame.Position);
            }
        }

        return bytes;
    }

    private int Write(EventFrame frame)
    {
        Write(frame.Bytes);
        metrics.Delivered();
        _told = frame.Position;
        return frame.Bytes.Length;
    }

    private void Write(ReadOnlySpan<byte> bytes) => body.Write(bytes);

    private bool WriteHeartbeat(long now)
    {
        if (now - _wroteAt < limits.Heartbeat.TotalMilliseconds)
        {
            return false;
        }

        WriteProgress();
        _wroteAt = now;
        return true;
    }

    // An id without data is no event to a client, but it is where the client resumes: so one that is shown little does not read all of it again.
    private void WriteProgress()
    {
        var position = Cursor.ToString(CultureInfo.InvariantCulture);
        Write(Encoding.ASCII.GetBytes(Cursor > _told ? $": position {position}\nid: {position}\n\n" : $": position {position}\n\n"));
        _told = Cursor;
    }

    private void Flush(long now)
    {
        _wroteAt = now;
        var flush = body.FlushAsync(CancellationToken.None);
        // Nearly always at once; and then there is nothing to keep, but that the client may be gone.
        _flush = flush is { IsCompletedSuccessfully: true, Result.IsCompleted: false } ? null : flush.AsTask();
    }

    private async Task FlushAsync(CancellationToken cancellationToken)
    {
        Flush(Environment.TickCount64);
        if (_flush is not { } flush)
        {
            return;
        }

        try
        {
            if ((await flush.WaitAsync(limits.Patience, cancellationToken).ConfigureAwait(false)).IsCompleted)
            {
                throw new OperationCanceledException("The client is gone.");
            }
        }
        catch (TimeoutException)
        {
            CutOff();
            throw new OperationCanceledException("The client takes nothing.");
        }

        _flush = null;
    }

    private Leave CutOff()
    {
        if (!_isCutOff)
        {
            _isCutOff = true;
            cutOff();
        }

        return Leave.No;
    }

    private bool IsStillAllowed(long now)
    {
        if (now - _allowedAt < AllowedForMs)
        {
            return true;
        }

        _allowedAt = now;
        return isAllowed();
    }
}

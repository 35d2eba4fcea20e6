using System.Numerics;

namespace Mbp.Benchmarks.Load;

/// <summary>
/// Latencies in log-linear buckets: exact below 25.6 us, then 128 buckets for each doubling, so that a percentile is never off by more than
/// 0.4 %. Recording allocates nothing and may be done from several threads.
/// </summary>
internal sealed class LatencyHistogram
{
    // Ticks of 100 ns up to this are counted one by one; above, half as many buckets cover each doubling.
    private const int Linear = 256;
    private const int Half = Linear / 2;
    private const int Doublings = 28;

    private readonly long[] _counts = new long[Linear + Half * Doublings];
    private long _longest;

    /// <summary>How many were recorded.</summary>
    public long Count => _counts.Sum();

    /// <summary>The longest, exactly.</summary>
    public TimeSpan Longest => TimeSpan.FromTicks(Volatile.Read(ref _longest));

    public void Record(TimeSpan latency)
    {
        var ticks = Math.Max(0, latency.Ticks);
        Interlocked.Increment(ref _counts[Math.Min(Bucket(ticks), _counts.Length - 1)]);
        Raise(ticks);
    }

    /// <summary>Adds all that another one recorded.</summary>
    public void Add(LatencyHistogram other)
    {
        for (var i = 0; i < _counts.Length; i++)
        {
            Interlocked.Add(ref _counts[i], Volatile.Read(ref other._counts[i]));
        }

        Raise(other.Longest.Ticks);
    }

    /// <summary>The latency that a share of all (0.99, say) did not exceed; zero where nothing was recorded.</summary>
    public TimeSpan Percentile(double share)
    {
        var rank = (long)Math.Ceiling(share * Count);
        var seen = 0L;
        for (var i = 0; i < _counts.Length; i++)
        {
            seen += _counts[i];
            if (seen >= rank && seen > 0)
            {
                return TimeSpan.FromTicks(Math.Min(Middle(i), Longest.Ticks));
            }
        }

        return TimeSpan.Zero;
    }

    private void Raise(long ticks)
    {
        for (var seen = Volatile.Read(ref _longest); ticks > seen;)
        {
            var before = Interlocked.CompareExchange(ref _longest, ticks, seen);
            if (before == seen)
            {
                return;
            }

            seen = before;
        }
    }

    private static int Bucket(long ticks)
    {
        if (ticks < Linear)
        {
            return (int)ticks;
        }

        var doubling = BitOperations.Log2((ulong)ticks) - 7;
        return Linear + (doubling - 1) * Half + (int)(ticks >> doubling) - Half;
    }

    private static long Middle(int bucket)
    {
        if (bucket < Linear)
        {
            return bucket;
        }

        var (doubling, place) = Math.DivRem(bucket - Linear, Half);
        return ((long)(place + Half) << (doubling + 1)) + (1L << doubling);
    }
}

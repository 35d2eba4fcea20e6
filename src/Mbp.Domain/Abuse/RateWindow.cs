using System.Collections.Immutable;
using NodaTime;

namespace Mbp.Domain.Abuse;

/// <summary>When an account traded in the last minute. A trade adds one time and drops those that a minute has gone over since.</summary>
/// <param name="Times">Oldest first, in ticks of 100 ns since the epoch.</param>
/// <param name="Count">How many.</param>
public sealed record RateWindow(ImmutableQueue<long> Times, int Count)
{
    public static readonly Duration Length = Duration.FromMinutes(1);

    public static RateWindow Empty { get; } = new([], 0);

    /// <summary>The trades in (at - 60 s, at] (spec D17).</summary>
    public int CountAt(Instant at)
    {
        var (bound, count) = ((at - Length).ToUnixTimeTicks(), Count);
        foreach (var time in Times)
        {
            if (time > bound)
            {
                break;
            }

            count--;
        }

        return count;
    }

    public RateWindow With(Instant at)
    {
        var (bound, times, count) = ((at - Length).ToUnixTimeTicks(), Times, Count);
        while (count > 0 && times.Peek() <= bound)
        {
            (times, count) = (times.Dequeue(), count - 1);
        }

        return new RateWindow(times.Enqueue(at.ToUnixTimeTicks()), count + 1);
    }
}

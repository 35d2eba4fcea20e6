using System.Collections.Immutable;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Pricing;

/// <summary>
/// All of a market's quotes within a horizon, for exact averages over any window at any instant inside it, such as the 24 hours before a close
/// (spec D7, D10). An average costs O(log n).
/// </summary>
/// <param name="Horizon">How far back before the last quote windows may start.</param>
/// <param name="Points">The quotes, one for each instant, and the last one before the horizon, whose price is carried in.</param>
/// <param name="First">The first quote's time, also when it is no longer kept; null: there is none yet.</param>
public sealed record PriceHistory(Duration Horizon, ImmutableList<PriceTick> Points, Instant? First = null)
{
    public static PriceHistory Empty(Duration horizon) => new(horizon, []);

    public PriceHistory Observe(EquatableArray<Price> prices, Instant at)
    {
        if (Points.IsEmpty)
        {
            return this with { Points = [new PriceTick(at, prices, EquatableArray.Own(new PriceSum[prices.Count]))], First = at };
        }

        var last = Points[^1];
        if (at < last.At)
        {
            throw new InvalidOperationException($"A quote at {at} cannot follow one at {last.At}.");
        }

        // Of several quotes at one instant the last counts.
        var points = at == last.At ? Points.RemoveAt(Points.Count - 1) : Points;
        points = points.Add(new PriceTick(at, prices, PriceSum.After(last.Sums, last.Prices, at - last.At)));
        var carried = IndexAt(points, at - Horizon);
        return this with { Points = carried > 0 ? points.RemoveRange(0, carried) : points };
    }

    /// <summary>The average over [at - window, at); null with no quote at or before <paramref name="at"/>.</summary>
    /// <exception cref="InvalidOperationException">The window starts before the horizon.</exception>
    public Twap? Twap(Instant at, Duration window)
    {
        if (First is not { } first || at < first)
        {
            return null;
        }

        var start = Instant.Max(at - window, first);
        var (from, to) = (SumsAt(start, out _), SumsAt(at, out var current));
        var sums = new PriceSum[to.Count];
        for (var i = 0; i < sums.Length; i++)
        {
            sums[i] = to[i] - from[i];
        }

        return new Twap(current, EquatableArray.Own(sums), (at - start).BclCompatibleTicks);
    }

    private EquatableArray<PriceSum> SumsAt(Instant at, out EquatableArray<Price> prices)
    {
        var index = IndexAt(Points, at);
        var point = index >= 0 ? Points[index] : throw new InvalidOperationException($"The prices at {at} are not kept any more.");
        prices = point.Prices;
        return PriceSum.After(point.Sums, point.Prices, at - point.At);
    }

    /// <summary>The last quote at or before an instant; -1 if there is none.</summary>
    private static int IndexAt(ImmutableList<PriceTick> points, Instant at)
    {
        var (low, high) = (0, points.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = points[middle].At <= at ? (middle + 1, high) : (low, middle);
        }

        return low - 1;
    }
}

using System.Collections.Immutable;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Pricing;

/// <summary>
/// The quotes that a <see cref="PriceHistory"/> of the same horizon would hold, in place: for one who sees every quote of every market and asks for
/// an average once in a market's life. A quote costs a few copied words, and no more is kept than the horizon needs.
/// </summary>
internal sealed class RecentQuotes(Duration horizon)
{
    private const int FirstRoom = 16;

    // A ring. Prices lie flat, one quote behind the other: an array object for each would outweigh them.
    private Instant[] _times = [];
    private long[] _prices = [];
    private int _outcomes;
    private int _start;
    private int _count;
    private Instant? _first;

    public void Observe(EquatableArray<Price> prices, Instant at)
    {
        if (_first is null)
        {
            (_first, _outcomes) = (at, prices.Count);
        }
        else if (at < TimeAt(_count - 1))
        {
            throw new InvalidOperationException($"A quote at {at} cannot follow one at {TimeAt(_count - 1)}.");
        }

        // Of several quotes at one instant the last counts.
        if (_count == 0 || TimeAt(_count - 1) != at)
        {
            Drop(at - horizon);
            Grow();
            _count++;
        }

        var place = Place(_count - 1);
        _times[place] = at;
        for (var o = 0; o < _outcomes; o++)
        {
            _prices[(place * _outcomes) + o] = prices[o].Units;
        }
    }

    /// <summary>The same history that the fold would have.</summary>
    public PriceHistory ToHistory()
    {
        var points = ImmutableList.CreateBuilder<PriceTick>();
        var (last, sums) = (_count == 0 ? Instant.MinValue : TimeAt(0), EquatableArray.Own(new PriceSum[_outcomes]));
        for (var i = 0; i < _count; i++)
        {
            var at = TimeAt(i);
            sums = i == 0 ? sums : PriceSum.After(sums, points[i - 1].Prices, at - last);
            points.Add(new PriceTick(at, PricesAt(i), sums));
            last = at;
        }

        return new PriceHistory(horizon, points.ToImmutable(), _first);
    }

    // The last quote before the horizon stays: its price is carried in.
    private void Drop(Instant start)
    {
        while (_count > 1 && TimeAt(1) <= start)
        {
            (_start, _count) = (Place(1), _count - 1);
        }
    }

    private void Grow()
    {
        if (_count < _times.Length)
        {
            return;
        }

        var room = Math.Max(FirstRoom, _times.Length * 2);
        var (times, prices) = (new Instant[room], new long[room * _outcomes]);
        var tail = _times.Length - _start;
        Array.Copy(_times, _start, times, 0, tail);
        Array.Copy(_times, 0, times, tail, _start);
        Array.Copy(_prices, _start * _outcomes, prices, 0, tail * _outcomes);
        Array.Copy(_prices, 0, prices, tail * _outcomes, _start * _outcomes);
        (_times, _prices, _start) = (times, prices, 0);
    }

    private int Place(int index)
    {
        var place = _start + index;
        return place < _times.Length ? place : place - _times.Length;
    }

    private Instant TimeAt(int index) => _times[Place(index)];

    private EquatableArray<Price> PricesAt(int index)
    {
        var prices = new Price[_outcomes];
        for (var o = 0; o < prices.Length; o++)
        {
            prices[o] = new Price(_prices[(Place(index) * _outcomes) + o]);
        }

        return EquatableArray.Own(prices);
    }
}

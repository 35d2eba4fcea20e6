using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Pricing;

/// <summary>
/// The quotes of one outcome over the last minutes, for exact averages over windows that end at any instant (spec D10). Mutable and compact: a
/// busy market has many, and each is looked at a few times and dropped. <see cref="PriceHistory"/> is its immutable sibling for decisions.
/// </summary>
public sealed class PriceWindow(Duration horizon)
{
    private readonly long _horizon = horizon.BclCompatibleTicks;

    // A ring: the newest quotes, oldest first from _first.
    private Quote[] _quotes = new Quote[16];
    private int _first;
    private int _count;
    private long _begin;

    /// <summary>The next quote. Of several at one instant the last counts.</summary>
    public void Add(Instant at, Price price)
    {
        var ticks = at.ToUnixTimeTicks();
        if (_count == 0)
        {
            (_begin, _quotes[0], _first, _count) = (ticks, new Quote(ticks, price.Units, 0), 0, 1);
            return;
        }

        ref var last = ref At(_count - 1);
        if (ticks <= last.At)
        {
            last = ticks == last.At ? last with { Price = price.Units } : throw new InvalidOperationException($"A quote at {at} cannot follow a later one.");
            return;
        }

        var next = new Quote(ticks, price.Units, last.Sum + (Int128)last.Price * (ticks - last.At));
        // The last one before the horizon stays: its price is carried in.
        while (_count > 1 && At(1).At <= ticks - _horizon)
        {
            (_first, _count) = ((_first + 1) & (_quotes.Length - 1), _count - 1);
        }

        if (_count == _quotes.Length)
        {
            Grow();
        }

        At(_count++) = next;
    }

    /// <summary>The average over [at - window, at) up to the last quote or later, rounded down; the price itself where nothing is covered.</summary>
    public Price Average(Instant at, Duration window)
    {
        var end = at.ToUnixTimeTicks();
        var start = Math.Max(end - window.BclCompatibleTicks, _begin);
        return start == end ? new Price(At(_count - 1).Price) : new Price((long)((SumAt(end) - SumAt(start)) / (end - start)));
    }

    private Int128 SumAt(long ticks)
    {
        var (low, high) = (0, _count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = At(middle).At <= ticks ? (middle + 1, high) : (low, middle);
        }

        ref var quote = ref At(low - 1);
        return quote.Sum + (Int128)quote.Price * (ticks - quote.At);
    }

    private ref Quote At(int index) => ref _quotes[(_first + index) & (_quotes.Length - 1)];

    private void Grow()
    {
        var larger = new Quote[_quotes.Length * 2];
        for (var i = 0; i < _count; i++)
        {
            larger[i] = At(i);
        }

        (_quotes, _first) = (larger, 0);
    }

    /// <param name="At">Ticks of 100 ns since the epoch.</param>
    /// <param name="Price">In force since then, in units.</param>
    /// <param name="Sum">The integral of all prices up to then, since the first quote that was added.</param>
    private readonly record struct Quote(long At, long Price, Int128 Sum);
}

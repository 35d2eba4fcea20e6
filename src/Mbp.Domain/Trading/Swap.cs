using Mbp.Domain.Units;
using Mbp.Ledger;

namespace Mbp.Domain.Trading;

/// <summary>What a trade would do to the pool: computed once, checked, then written into the event.</summary>
internal readonly ref struct Swap
{
    private readonly Pool _pool;
    private readonly int _outcome;
    private readonly Shares[] _after;

    private Swap(Pool pool, int outcome, Shares[] after, long? slippagePpm)
    {
        _pool = pool;
        _outcome = outcome;
        _after = after;
        Prices = Cpmm.Prices(after);
        SlippagePpm = slippagePpm;
    }

    public EquatableArray<Price> Prices { get; }

    public long? SlippagePpm { get; }

    public Price PriceBefore => _pool.Prices[_outcome];

    public Price PriceAfter => Prices[_outcome];

    /// <summary>The swap, or the refusal of one that would drain a reserve (spec D3).</summary>
    public static Rejection? Try(Pool pool, int outcome, TradeSide side, Credits net, Shares shares, out Swap swap)
    {
        var before = pool.Reserves.AsSpan();
        swap = default;
        if (Lowest(before, outcome, side, net.Units, shares.Units, out var left) is var lowest && left < Cpmm.MinReserve(before.Length))
        {
            return TradingErrors.ReserveBelowMin(pool.Outcomes[lowest], left, before.Length);
        }

        var after = Cpmm.After(before, outcome, side, net.Units, shares.Units);
        // The arithmetic cannot do this; if it ever does, no value may move (spec D6).
        if (Invariant.IsBreached(before, after))
        {
            throw new InvalidOperationException($"A swap breaches the invariant: {pool.Reserves} to [{string.Join(", ", after)}].");
        }

        swap = new Swap(pool, outcome, after, before.Length == 2 ? Cpmm.SlippagePpm(before, outcome, net.Units, shares.Units) : null);
        return null;
    }

    /// <summary>
    /// No trade may push any outcome's price out of the bounds, or further out. One that is outside already (more than two outcomes can leave
    /// one there) may always be traded back.
    /// </summary>
    public Rejection? OutOf(PriceBounds? bounds)
    {
        for (var o = 0; bounds is { } limits && o < Prices.Count; o++)
        {
            var (before, after) = (_pool.Prices[o], Prices[o]);
            if ((after > limits.Max && after > before) || (after < limits.Min && after < before))
            {
                return TradingErrors.PriceOutOfBounds(_pool.Outcomes[o], after, limits);
            }
        }

        return null;
    }

    private static int Lowest(ReadOnlySpan<Shares> reserves, int outcome, TradeSide side, long net, long shares, out long left)
    {
        var (lowest, cash, traded) = side == TradeSide.Buy ? (0, net, -shares) : (0, -net, shares);
        left = long.MaxValue;
        for (var i = 0; i < reserves.Length; i++)
        {
            var units = reserves[i].Units + cash + (i == outcome ? traded : 0);
            (lowest, left) = units < left ? (i, units) : (lowest, left);
        }

        return lowest;
    }
}

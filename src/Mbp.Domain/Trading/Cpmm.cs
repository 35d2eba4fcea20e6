using System.Numerics;
using Mbp.Domain.Units;

namespace Mbp.Domain.Trading;

/// <summary>
/// The constant-product market maker over complete sets (spec 3.3, D2 to D6, D12), in integers. Two outcomes have closed forms in 128 bits,
/// because every trade of a binary market passes here; more outcomes are exact in big integers. Every rounding favours the pool.
/// </summary>
public static class Cpmm
{
    /// <summary>Fees are parts per million of the cash that moves (spec D3, D3s).</summary>
    public const int Ppm = 1_000_000;

    /// <summary>ceil(amount * ppm / 1e6), in units (spec D3, D3s).</summary>
    public static long Fee(long amount, int feePpm) => IntegerMath.CeilMulDiv(amount, feePpm, Ppm);

    /// <summary>The least that a reserve may hold, in units: with more, rounding cannot move the invariant by 1e-9 (spec D3).</summary>
    public static long MinReserve(int outcomes) => Math.Max(10_000_000_000, 2_000_000_000L * outcomes);

    /// <summary>The shares bought with cash after the fee (spec D3), in units; may be 0. The caller checks that no reserve leaves the range.</summary>
    public static long SharesBought(ReadOnlySpan<Shares> reserves, int outcome, long net)
    {
        if (reserves.Length > 2)
        {
            return CpmmMany.SharesBought(reserves, outcome, net);
        }

        var (own, other) = Pair(reserves, outcome);
        return own + net - (long)IntegerMath.CeilDiv((UInt128)own * (UInt128)other, (UInt128)(other + net));
    }

    /// <summary>The cash for which shares go back, before the fee (spec D3s), in units: the largest that does not let K fall.</summary>
    public static long CashReturned(ReadOnlySpan<Shares> reserves, int outcome, long shares)
    {
        if (reserves.Length > 2)
        {
            return CpmmMany.CashReturned(reserves, outcome, shares);
        }

        var (own, other) = Pair(reserves, outcome);
        var sum = (UInt128)own + (UInt128)other + (UInt128)shares;
        return (long)((sum - IntegerMath.CeilSqrt(sum * sum - 4 * (UInt128)shares * (UInt128)other)) / 2);
    }

    /// <summary>The marginal price of every outcome; they add up to exactly 1 (spec D2).</summary>
    public static EquatableArray<Price> Prices(ReadOnlySpan<Shares> reserves)
    {
        if (reserves.Length > 2)
        {
            return CpmmMany.Prices(reserves);
        }

        var (yes, no) = Pair(reserves, 0);
        var first = IntegerMath.FloorMulDiv(Decimal8.One, no, yes + no);
        return EquatableArray.Own([new Price(first), new Price(Decimal8.One - first)]);
    }

    /// <summary>
    /// |average price without fee - price before| / price before in ppm, rounded up (spec D12). Two outcomes only.
    /// </summary>
    /// <param name="reserves">Before the trade.</param>
    /// <param name="outcome">The traded outcome.</param>
    /// <param name="cash">After the fee for a buy, before it for a sell, in units.</param>
    /// <param name="shares">The shares traded, in units.</param>
    public static long SlippagePpm(ReadOnlySpan<Shares> reserves, int outcome, long cash, long shares)
    {
        var (own, other) = Pair(reserves, outcome);
        var paid = (UInt128)cash * ((UInt128)own + (UInt128)other);
        var marginal = (UInt128)shares * (UInt128)other;
        var difference = paid > marginal ? paid - marginal : marginal - paid;
        return difference <= UInt128.MaxValue / Ppm
            ? (long)IntegerMath.CeilDiv(difference * Ppm, marginal)
            : (long)IntegerMath.CeilDiv((BigInteger)difference * Ppm, marginal);
    }

    /// <summary>The reserves after a trade, given what it moved (spec D3, D3s).</summary>
    internal static Shares[] After(ReadOnlySpan<Shares> reserves, int outcome, TradeSide side, long net, long shares)
    {
        var after = new Shares[reserves.Length];
        var cash = side == TradeSide.Buy ? net : -net;
        for (var i = 0; i < after.Length; i++)
        {
            var traded = i != outcome ? 0 : side == TradeSide.Buy ? -shares : shares;
            after[i] = new Shares(reserves[i].Units + cash + traded);
        }

        return after;
    }

    private static (long Own, long Other) Pair(ReadOnlySpan<Shares> reserves, int outcome) =>
        reserves.Length == 2
            ? (reserves[outcome].Units, reserves[1 - outcome].Units)
            : throw new ArgumentException($"A pool has at least two outcomes, not {reserves.Length}.", nameof(reserves));
}

using System.Numerics;
using Mbp.Domain.Units;

namespace Mbp.Domain.Pricing;

/// <summary>
/// Depth@2%: what moves an outcome's marginal price up by 2% (a buy) or down by 2% (a sell), fee excluded, the target kept within 1% to 99%
/// (spec 3.5, D8).
/// </summary>
/// <param name="UpShares">Shares bought by the move up.</param>
/// <param name="UpCash">Cash that the move up costs.</param>
/// <param name="DownShares">Shares sold by the move down.</param>
/// <param name="DownCash">Cash that the move down returns.</param>
public sealed record Depth(Shares UpShares, Credits UpCash, Shares DownShares, Credits DownCash)
{
    /// <summary><c>depth_2pct</c>: the thinner side, in shares.</summary>
    public Shares Shares => UpShares < DownShares ? UpShares : DownShares;

    /// <summary><c>depth_2pct_ce</c>: the thinner side, in CE$.</summary>
    public Credits Cash => UpCash < DownCash ? UpCash : DownCash;

    public static Depth Of(ReadOnlySpan<Shares> reserves, int outcome)
    {
        var curve = new Curve(reserves, outcome);
        var (up, down) = Targets(curve);
        var (upCash, downCash) = reserves.Length == 2 ? Pair(curve, up, down) : (Up(curve, up), Down(curve, down));
        return new Depth(
            Within(upCash + curve.Own - curve.OwnAfter(upCash)), new Credits(upCash),
            Within(curve.OwnAfter(-downCash) - curve.Own + downCash), new Credits(downCash));

        // A pool near the end of the range may be deeper than any amount there is.
        static Shares Within(BigInteger units) => new((long)BigInteger.Min(units, Decimal8.Max));
    }

    /// <summary>1.02 p but at most 99%, and 0.98 p but at least 1%, with p = weight / all weights.</summary>
    private static (Fraction Up, Fraction Down) Targets(Curve curve)
    {
        var (weight, all) = curve.Price();
        var up = new Fraction(102 * weight, 100 * all);
        var down = new Fraction(98 * weight, 100 * all);
        var (ceiling, floor) = (new Fraction(99, 100), new Fraction(1, 100));
        return (up > ceiling ? ceiling : up, down < floor ? floor : down);
    }

    /// <summary>Two outcomes: the other reserve x at the target satisfies x^2 = K T / (1 - T).</summary>
    private static (long Up, long Down) Pair(Curve curve, Fraction up, Fraction down)
    {
        var other = curve.Others[0];
        var highest = IntegerMath.FloorSqrt(curve.K * up.Top / (up.Bottom - up.Top));
        var lowest = IntegerMath.CeilSqrt(IntegerMath.CeilDiv(curve.K * down.Top, down.Bottom - down.Top));
        return ((long)BigInteger.Clamp(highest - other, 0, Decimal8.Max), (long)BigInteger.Max(0, other - lowest));
    }

    /// <summary>More outcomes: the most cash that leaves the price at or below the target.</summary>
    private static long Up(Curve curve, Fraction target)
    {
        var high = 1L;
        while (high < Decimal8.Max && curve.CompareTo(target, high) <= 0)
        {
            high = Math.Min(Decimal8.Max, high * 4);
        }

        return IntegerMath.LargestWhere(0, high, cash => cash == 0 || curve.CompareTo(target, cash) <= 0);
    }

    private static long Down(Curve curve, Fraction target)
    {
        var least = curve.Others.Min();
        return IntegerMath.LargestWhere(0, least - 1, cash => cash == 0 || curve.CompareTo(target, -cash) >= 0);
    }
}

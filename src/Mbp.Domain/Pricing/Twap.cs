using System.Numerics;
using Mbp.Domain.Units;

namespace Mbp.Domain.Pricing;

/// <summary>
/// A time-weighted average of every outcome's price over [T - w, T), price by left-closed steps (spec D10). Comparisons are made on the
/// integrals, so that rounding never decides a freeze (spec 3.7).
/// </summary>
/// <param name="Current">The prices at T, quotes at T included.</param>
/// <param name="Sums">The integrals over the covered part of the window.</param>
/// <param name="CoveredTicks">How much of the window lies after the first quote, in ticks of 100 ns; less than w only in a young market.</param>
public sealed record Twap(EquatableArray<Price> Current, EquatableArray<PriceSum> Sums, long CoveredTicks)
{
    private const int BasisPoints = 10_000;

    /// <summary>floor(C1 / covered); the current price if nothing is covered.</summary>
    public Price Average(int outcome) => CoveredTicks == 0 ? Current[outcome] : new Price((long)(Sums[outcome].C1 / CoveredTicks));

    /// <summary>Whether the current price is more than so many basis points of the average away from it: strictly (spec D10).</summary>
    public bool DivergesBeyond(int outcome, int basisPoints) =>
        (BigInteger)Distance(Current[outcome], outcome) * BasisPoints > basisPoints * (BigInteger)Sums[outcome].C1;

    /// <summary>|p - TWAP| / TWAP in parts per million, rounded down; for display and metrics, never for a decision.</summary>
    public long DivergencePpm(int outcome) =>
        Sums[outcome].C1 == 0 ? 0 : (long)((BigInteger)Distance(Current[outcome], outcome) * 1_000_000 / Sums[outcome].C1);

    /// <summary>
    /// Rule R2 with this window as the reference: whether a sample lies more than 2.5758293 standard deviations and more than so many basis points
    /// (1% in spec D11) from the average.
    /// </summary>
    public bool IsOutside99Band(int outcome, Price sample, int basisPoints)
    {
        var (c1, c2) = ((BigInteger)Sums[outcome].C1, (BigInteger)Sums[outcome].C2);
        var distance = (BigInteger)Distance(sample, outcome);
        return distance * distance * 1_000_000_000 > 6_634_896_601 * (CoveredTicks * c2 - c1 * c1) && distance * BasisPoints > basisPoints * c1;
    }

    /// <summary>
    /// The prices within 2.5758293 standard deviations of the average, for display: rounded outwards, and kept within [0, 1]. A decision asks
    /// <see cref="IsOutside99Band"/>, which rounds nothing.
    /// </summary>
    public (Price Low, Price High) Band99(int outcome)
    {
        if (CoveredTicks == 0)
        {
            return (Current[outcome], Current[outcome]);
        }

        var (c1, c2) = ((BigInteger)Sums[outcome].C1, (BigInteger)Sums[outcome].C2);
        var width = IntegerMath.CeilSqrt(IntegerMath.CeilDiv(6_634_896_601 * (CoveredTicks * c2 - c1 * c1), 1_000_000_000));
        var (low, high) = (BigInteger.Max(0, c1 - width) / CoveredTicks, IntegerMath.CeilDiv(c1 + width, CoveredTicks));
        return (new Price((long)low), new Price((long)BigInteger.Min(high, Decimal8.One)));
    }

    private Int128 Distance(Price price, int outcome) => Int128.Abs((Int128)price.Units * CoveredTicks - Sums[outcome].C1);
}

using System.Collections.Immutable;
using System.Numerics;
using Mbp.Domain.Pricing;
using Mbp.Domain.Units;

namespace Mbp.Domain.Settlement;

/// <summary>What one share of each outcome pays: q_0, q_1, ... with a sum of exactly 1 (spec D7).</summary>
public sealed record PayoutVector
{
    public PayoutVector(EquatableArray<Price> shares)
    {
        var sum = BigInteger.Zero;
        foreach (var share in shares)
        {
            sum += share.Units;
        }

        Shares = shares.Count >= 2 && sum == Decimal8.One
            ? shares
            : throw new ArgumentException($"A payout vector has two or more parts that add up to 1, not {shares}.", nameof(shares));
    }

    /// <summary>q, per outcome.</summary>
    public EquatableArray<Price> Shares { get; }

    /// <summary>One outcome takes all: YES, NO, or the winner among several.</summary>
    public static PayoutVector Winner(int outcome, int outcomes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(outcome);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(outcome, outcomes);
        var shares = new Price[outcomes];
        shares[outcome] = new Price(Decimal8.One);
        return new PayoutVector(EquatableArray.Own(shares));
    }

    /// <summary>LONG and SHORT share by where the value lies in its range: q_LONG = floor(1e8 (clamp(v) - L) / (U - L)).</summary>
    /// <param name="lower">L, in any unit that the others share; may be negative.</param>
    /// <param name="upper">U, above L.</param>
    /// <param name="value">The value found; outside the range it counts as the nearer end.</param>
    public static PayoutVector Scalar(BigInteger lower, BigInteger upper, BigInteger value)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(lower, upper);
        var inside = BigInteger.Clamp(value, lower, upper) - lower;
        var longShare = (long)(Decimal8.One * inside / (upper - lower));
        return new PayoutVector([new Price(longShare), new Price(Decimal8.One - longShare)]);
    }

    /// <summary>A voided market pays the average prices of the 24 hours before its close.</summary>
    public static PayoutVector Void(Twap beforeClose)
    {
        ArgumentNullException.ThrowIfNull(beforeClose);
        return beforeClose.CoveredTicks == 0
            ? Void([.. beforeClose.Current.Select(price => (BigInteger)price.Units)])
            : Void([.. beforeClose.Sums.Select(sum => (BigInteger)sum.C1)]);
    }

    /// <summary>
    /// A voided market pays the average prices before its close. Two outcomes: q_YES is the floor and q_NO the rest (spec D7). The
    /// specification leaves more outcomes open: floors, and the units that are left by largest remainder, ties to the lowest index, as for prices.
    /// </summary>
    /// <param name="weights">Per outcome the integral of its price over the window: only the proportions count.</param>
    public static PayoutVector Void(ImmutableArray<BigInteger> weights)
    {
        if (weights.Length == 2)
        {
            var yes = (long)(Decimal8.One * weights[0] / (weights[0] + weights[1]));
            return new PayoutVector([new Price(yes), new Price(Decimal8.One - yes)]);
        }

        return new PayoutVector(EquatableArray.Own(Array.ConvertAll(LargestRemainder.Split(Decimal8.One, weights.AsSpan()), units => new Price(units))));
    }
}

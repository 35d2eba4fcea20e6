using System.Numerics;
using Mbp.Domain.Units;

namespace Mbp.Domain.Pricing;

/// <summary>A ratio of integers, compared by cross multiplication.</summary>
internal readonly record struct Fraction(BigInteger Top, BigInteger Bottom)
{
    public static bool operator <(Fraction left, Fraction right) => left.Top * right.Bottom < right.Top * left.Bottom;

    public static bool operator >(Fraction left, Fraction right) => right < left;
}

/// <summary>The curve that a trade of one outcome moves along, from given reserves.</summary>
internal sealed class Curve
{
    public Curve(ReadOnlySpan<Shares> reserves, int outcome)
    {
        Own = reserves[outcome].Units;
        Others = new long[reserves.Length - 1];
        for (var (i, at) = (0, 0); i < reserves.Length; i++)
        {
            if (i != outcome)
            {
                Others[at++] = reserves[i].Units;
            }
        }

        K = Own * Product(0);
    }

    public long Own { get; }

    public long[] Others { get; }

    public BigInteger K { get; }

    /// <summary>The traded outcome's reserve once cash moved into every other one, rounded for the pool.</summary>
    public BigInteger OwnAfter(long cash) => IntegerMath.CeilDiv(K, Product(cash));

    /// <summary>The marginal price as weight / sum of weights, a weight being the product of the other reserves (spec D2).</summary>
    public (BigInteger Weight, BigInteger All) Price() => (Product(0), Product(0) + Own * PairSum(0));

    /// <summary>
    /// Compares the price at which cash moved in with a target T, on the exact curve where the own reserve is K / P: with P the product of the
    /// other reserves and Q the sum of the products that leave one of them out, p = P^2 / (P^2 + K Q).
    /// </summary>
    public int CompareTo(Fraction target, long cash)
    {
        var product = Product(cash);
        return (product * product * (target.Bottom - target.Top)).CompareTo(target.Top * K * PairSum(cash));
    }

    private BigInteger Product(long cash)
    {
        var product = BigInteger.One;
        foreach (var reserve in Others)
        {
            product *= reserve + cash;
        }

        return product;
    }

    private BigInteger PairSum(long cash)
    {
        var sum = BigInteger.Zero;
        for (var left = 0; left < Others.Length; left++)
        {
            var product = BigInteger.One;
            for (var i = 0; i < Others.Length; i++)
            {
                product *= i == left ? 1 : Others[i] + cash;
            }

            sum += product;
        }

        return sum;
    }
}

using System.Numerics;
using Mbp.Domain.Units;

namespace Mbp.Domain.Trading;

/// <summary>The market maker for more than two outcomes: products of n reserves outgrow 128 bits, so these are big integers.</summary>
internal static class CpmmMany
{
    public static long SharesBought(ReadOnlySpan<Shares> reserves, int outcome, long net)
    {
        var others = Others(reserves, outcome, net);
        var after = IntegerMath.CeilDiv(Product(reserves), others);
        return (long)(reserves[outcome].Units + net - after);
    }

    public static long CashReturned(ReadOnlySpan<Shares> reserves, int outcome, long shares)
    {
        var k = Product(reserves);
        var own = reserves[outcome].Units + shares;
        // The product falls as the cash grows, as long as no factor is negative; a share never pays more than 1.
        var high = shares;
        for (var i = 0; i < reserves.Length; i++)
        {
            high = i == outcome ? high : Math.Min(high, reserves[i].Units);
        }

        var all = reserves.ToArray();
        return IntegerMath.LargestWhere(0, high, cash => (own - cash) * Others(all, outcome, -cash) >= k);
    }

    public static EquatableArray<Price> Prices(ReadOnlySpan<Shares> reserves)
    {
        var weights = new BigInteger[reserves.Length];
        for (var i = 0; i < weights.Length; i++)
        {
            weights[i] = Others(reserves, i, 0);
        }

        return EquatableArray.Own(Array.ConvertAll(LargestRemainder.Split(Decimal8.One, weights), units => new Price(units)));
    }

    /// <summary>The product of all reserves, K.</summary>
    public static BigInteger Product(ReadOnlySpan<Shares> reserves)
    {
        var product = BigInteger.One;
        foreach (var reserve in reserves)
        {
            product *= reserve.Units;
        }

        return product;
    }

    /// <summary>The product of the other outcomes' reserves after cash moved into (or out of) each of them.</summary>
    public static BigInteger Others(ReadOnlySpan<Shares> reserves, int outcome, long cash)
    {
        var product = BigInteger.One;
        for (var i = 0; i < reserves.Length; i++)
        {
            if (i != outcome)
            {
                product *= reserves[i].Units + cash;
            }
        }

        return product;
    }
}

using System.Numerics;
using Mbp.Domain.Units;

namespace Mbp.Domain.Trading;

/// <summary>
/// The weights at which a pool opens so that its prices are the given probabilities. A price is proportional to the product of the other
/// reserves (D2), so a reserve is proportional to the product of the other prices: exact, for any number of outcomes.
/// </summary>
public static class OpeningWeights
{
    public static BigInteger[] For(EquatableArray<Price> probabilities)
    {
        var weights = new BigInteger[probabilities.Count];
        for (var i = 0; i < weights.Length; i++)
        {
            weights[i] = BigInteger.One;
            for (var j = 0; j < weights.Length; j++)
            {
                weights[i] *= i == j ? BigInteger.One : probabilities[j].Units;
            }
        }

        // For two outcomes this is (1-p : p), as 3.3 says; a common divisor changes nothing but the size of the numbers.
        var divisor = weights.Aggregate(BigInteger.GreatestCommonDivisor);
        return Array.ConvertAll(weights, weight => weight / divisor);
    }
}

using System.Numerics;

namespace Mbp.Domain.Units;

/// <summary>Splits whole units in proportion to weights so that nothing is lost (spec D2).</summary>
public static class LargestRemainder
{
    /// <summary>
    /// The floor of each exact share; the units that are left go one each to the largest remainders, ties to the lowest index.
    /// </summary>
    public static long[] Split(long total, ReadOnlySpan<BigInteger> weights)
    {
        var sum = BigInteger.Zero;
        foreach (var weight in weights)
        {
            sum += weight;
        }

        var parts = new long[weights.Length];
        var order = new (BigInteger Remainder, int Index)[weights.Length];
        var left = total;
        for (var i = 0; i < parts.Length; i++)
        {
            parts[i] = (long)BigInteger.DivRem(total * weights[i], sum, out var rest);
            order[i] = (rest, i);
            left -= parts[i];
        }

        Array.Sort(order, static (a, b) => b.Remainder.CompareTo(a.Remainder) is var byRemainder and not 0 ? byRemainder : a.Index.CompareTo(b.Index));
        for (var i = 0; i < left; i++)
        {
            parts[order[i].Index]++;
        }

        return parts;
    }
}

using System.Numerics;
using Mbp.Domain.Units;

namespace Mbp.Domain.Trading;

/// <summary>
/// The constant-product invariant over one swap: K never falls, and rounding lifts it by at most 1e-9 of itself (spec D6). K holds no fees and
/// starts anew at each liquidity event, so a swap is compared with the reserves right before it.
/// </summary>
public static class Invariant
{
    private const long LimitDivisor = 1_000_000_000;

    /// <summary>Whether the swap breaches the invariant: K fell, or rose by more than 1e-9 of itself.</summary>
    public static bool IsBreached(ReadOnlySpan<Shares> before, ReadOnlySpan<Shares> after)
    {
        if (before.Length == 2)
        {
            var k0 = (UInt128)before[0].Units * (UInt128)before[1].Units;
            var k1 = (UInt128)after[0].Units * (UInt128)after[1].Units;
            // For integers (K1 - K0) * 1e9 > K0 is the same as K1 - K0 > floor(K0 / 1e9), which cannot overflow.
            return k1 < k0 || k1 - k0 > k0 / LimitDivisor;
        }

        var first = CpmmMany.Product(before);
        var second = CpmmMany.Product(after);
        return second < first || (second - first) * LimitDivisor > first;
    }

    /// <summary>|K1/K0 - 1| in parts per trillion (1e-12), rounded up: what the watchdog's gauge shows.</summary>
    public static BigInteger ErrorE12(ReadOnlySpan<Shares> before, ReadOnlySpan<Shares> after)
    {
        var k0 = CpmmMany.Product(before);
        return IntegerMath.CeilDiv(BigInteger.Abs(CpmmMany.Product(after) - k0) * 1_000_000_000_000, k0);
    }
}

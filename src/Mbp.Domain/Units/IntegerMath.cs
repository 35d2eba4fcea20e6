using System.Numerics;

namespace Mbp.Domain.Units;

/// <summary>Exact integer division and roots. A rounding direction is always named at the call.</summary>
public static class IntegerMath
{
    public static UInt128 CeilDiv(UInt128 dividend, UInt128 divisor)
    {
        var (quotient, rest) = UInt128.DivRem(dividend, divisor);
        return rest == 0 ? quotient : quotient + 1;
    }

    /// <summary>Rounds up; both operands are not negative.</summary>
    public static BigInteger CeilDiv(BigInteger dividend, BigInteger divisor)
    {
        var quotient = BigInteger.DivRem(dividend, divisor, out var rest);
        return rest.IsZero ? quotient : quotient + 1;
    }

    /// <summary>floor(a * b / divisor) of values in range.</summary>
    internal static long FloorMulDiv(long a, long b, long divisor) => (long)((UInt128)a * (UInt128)b / (UInt128)divisor);

    /// <summary>ceil(a * b / divisor) of values in range.</summary>
    internal static long CeilMulDiv(long a, long b, long divisor) => (long)CeilDiv((UInt128)a * (UInt128)b, (UInt128)divisor);

    /// <summary>The largest r with r * r &lt;= value.</summary>
    public static UInt128 FloorSqrt(UInt128 value)
    {
        if (value <= 1)
        {
            return value;
        }

        // Newton from above: a start that is no less than the root falls monotonically on it.
        var bits = 128 - (int)UInt128.LeadingZeroCount(value);
        var root = UInt128.One << ((bits + 1) / 2);
        while (true)
        {
            var next = (root + value / root) >> 1;
            if (next >= root)
            {
                return root;
            }

            root = next;
        }
    }

    /// <summary>The smallest r with r * r >= value.</summary>
    public static UInt128 CeilSqrt(UInt128 value)
    {
        var root = FloorSqrt(value);
        return root * root == value ? root : root + 1;
    }

    /// <summary>The largest r with r * r &lt;= value.</summary>
    public static BigInteger FloorSqrt(BigInteger value)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(value);
        if (value <= 1)
        {
            return value;
        }

        var root = BigInteger.One << (int)((value.GetBitLength() + 1) / 2);
        while (true)
        {
            var next = (root + value / root) >> 1;
            if (next >= root)
            {
                return root;
            }

            root = next;
        }
    }

    /// <summary>The smallest r with r * r >= value.</summary>
    public static BigInteger CeilSqrt(BigInteger value)
    {
        var root = FloorSqrt(value);
        return root * root == value ? root : root + 1;
    }

    /// <summary>
    /// The largest x in [low, high] for which a condition holds that holds at low and, once it fails, fails for every larger x.
    /// </summary>
    internal static long LargestWhere(long low, long high, Func<long, bool> holds)
    {
        while (low < high)
        {
            var middle = low + (high - low + 1) / 2;
            if (holds(middle))
            {
                low = middle;
            }
            else
            {
                high = middle - 1;
            }
        }

        return low;
    }
}

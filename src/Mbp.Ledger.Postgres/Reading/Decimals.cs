using System.Globalization;

namespace Mbp.Ledger.Postgres.Reading;

/// <summary>Units of 1e-8 and PostgreSQL's decimal numbers. The widest, a sum of 28 digits, fits in both.</summary>
internal static class Decimals
{
    private const byte Scale = 8;

    public static decimal ToDecimal(this long units) => Make((UInt128)Int128.Abs(units), units < 0);

    public static decimal ToDecimal(this Int128 units) => Make((UInt128)Int128.Abs(units), units < 0);

    /// <exception cref="OverflowException">The number has more digits than units have.</exception>
    public static Int128 ToUnits(this decimal value)
    {
        var scaled = value * 100_000_000m;
        return decimal.Truncate(scaled) == scaled ? (Int128)scaled : throw new OverflowException($"{value.ToString(CultureInfo.InvariantCulture)} has more than 8 decimals.");
    }

    private static decimal Make(UInt128 units, bool negative) => units >> 96 == 0
        ? unchecked(new decimal((int)(uint)units, (int)(uint)(units >> 32), (int)(uint)(units >> 64), negative, Scale))
        : throw new OverflowException($"{units} units are more than a column holds.");
}

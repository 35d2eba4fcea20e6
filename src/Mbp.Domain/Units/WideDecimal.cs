using System.Globalization;

namespace Mbp.Domain.Units;

/// <summary>Sums over a whole ledger, which may pass the range of one value, as decimal text.</summary>
public static class WideDecimal
{
    /// <summary>Units of 1e-8 as "12.5"; a negative sum has a sign, for it can only be a fault that somebody must see.</summary>
    public static string Format(Int128 units)
    {
        var magnitude = Int128.Abs(units);
        var (whole, part) = (magnitude / Decimal8.One, (long)(magnitude % Decimal8.One));
        var text = part == 0
            ? whole.ToString(CultureInfo.InvariantCulture)
            : string.Create(CultureInfo.InvariantCulture, $"{whole}.{part:D8}").TrimEnd('0');
        return units < 0 ? $"-{text}" : text;
    }
}

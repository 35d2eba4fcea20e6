using System.Globalization;
using System.Numerics;

namespace Mbp.Cli.Pricing;

/// <summary>A decimal number from a file, of any length, exact: Digits / 10^Scale. The ledger's own prices have 8 decimals; feeds have 12 and more.</summary>
internal readonly record struct ExactDecimal(BigInteger Digits, int Scale)
{
    private const int MaxScale = 100;

    public static ExactDecimal Parse(string text)
    {
        var exponentAt = text.IndexOfAny(['e', 'E']);
        var mantissa = exponentAt < 0 ? text : text[..exponentAt];
        var exponent = exponentAt < 0 ? 0 : int.Parse(text[(exponentAt + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        var point = mantissa.IndexOf('.', StringComparison.Ordinal);
        var digits = BigInteger.Parse(point < 0 ? mantissa : mantissa.Remove(point, 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        var scale = (point < 0 ? 0 : mantissa.Length - point - 1) - exponent;
        return scale switch
        {
            > MaxScale or < -MaxScale => throw new FormatException($"'{text}' has more than {MaxScale} decimals or zeros."),
            < 0 => new ExactDecimal(digits * BigInteger.Pow(10, -scale), 0),
            _ => new ExactDecimal(digits, scale),
        };
    }

    /// <summary>1 - this.</summary>
    public ExactDecimal Complement() => this with { Digits = BigInteger.Pow(10, Scale) - Digits };

    public BigInteger At(int scale) => Digits * BigInteger.Pow(10, scale - Scale);

    /// <summary>floor(top / bottom) with so many decimals.</summary>
    public static string Floor(BigInteger top, BigInteger bottom, int decimals)
    {
        var scaled = BigInteger.DivRem(top * BigInteger.Pow(10, decimals), bottom, out var rest) - (rest.Sign < 0 ? 1 : 0);
        var digits = BigInteger.Abs(scaled).ToString(CultureInfo.InvariantCulture).PadLeft(decimals + 1, '0');
        return $"{(scaled.Sign < 0 ? "-" : "")}{digits[..^decimals]}.{digits[^decimals..]}";
    }
}

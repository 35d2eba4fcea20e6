using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Mbp.Domain.Units;

/// <summary>What the four value types of the ledger share: an integer count of 1e-8 units in [0, 1e18-1] (spec D1).</summary>
/// <typeparam name="TSelf">The value type itself.</typeparam>
public interface IUnits<TSelf>
    where TSelf : struct, IUnits<TSelf>
{
    /// <summary>The value in units of 1e-8.</summary>
    long Units { get; }

    static abstract TSelf FromUnits(long units);
}

/// <summary>The range and the decimal text of values that count 1e-8 units. The text is exact both ways; nothing is ever rounded here.</summary>
public static class Decimal8
{
    /// <summary>How many units are 1.</summary>
    public const long One = 100_000_000;

    /// <summary>The largest value, 9999999999.99999999: a DECIMAL(18,8) column holds it, and a product of two fits 128 bits (spec 3.2).</summary>
    public const long Max = 999_999_999_999_999_999;

    private const int Decimals = 8;
    private const int WholeDigits = 10;

    internal const int LongestText = WholeDigits + 1 + Decimals + 1;

    private static readonly SearchValues<char> Allowed = SearchValues.Create("0123456789.");

    /// <exception cref="OverflowException">The value is below 0 or above <see cref="Max"/>.</exception>
    internal static long InRange(long units) =>
        units is >= 0 and <= Max ? units : throw new OverflowException($"{units} units is outside [0, {Max}].");

    /// <summary>Whether the sum of two values in range is in range.</summary>
    public static bool Fits(long a, long b) => a <= Max - b;

    /// <summary>"12.5", "0": no exponent, no trailing zeros.</summary>
    public static string Format(long units)
    {
        Span<char> text = stackalloc char[LongestText];
        return text[..Format(units, text)].ToString();
    }

    /// <summary>The same into a buffer of at least <see cref="LongestText"/> characters; returns how many it took.</summary>
    internal static int Format(long units, Span<char> text)
    {
        var (whole, part) = Math.DivRem(units, One);
        whole.TryFormat(text, out var length, provider: null);
        if (part == 0)
        {
            return length;
        }

        text[length++] = '.';
        for (var unit = One / 10; part > 0; unit /= 10)
        {
            text[length++] = (char)('0' + part / unit);
            part %= unit;
        }

        return length;
    }

    /// <summary>Reads "12.5" strictly: what is not exactly a value of the ledger is refused with the rule that it breaks.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out long units, out string? rule)
    {
        units = 0;
        rule = Broken(text);
        if (rule is not null)
        {
            return false;
        }

        var point = text.IndexOf('.');
        var whole = point < 0 ? text : text[..point];
        var part = point < 0 ? [] : text[(point + 1)..];
        foreach (var digit in whole)
        {
            units = units * 10 + (digit - '0');
        }

        for (var i = 0; i < Decimals; i++)
        {
            units = units * 10 + (i < part.Length ? part[i] - '0' : 0);
        }

        return true;
    }

    /// <summary>Reads the same texts from UTF-8; what is refused is not told why.</summary>
    internal static bool TryParse(ReadOnlySpan<byte> text, out long units)
    {
        units = 0;
        var point = text.IndexOf((byte)'.');
        var whole = point < 0 ? text.Length : point;
        var part = point < 0 ? 0 : text.Length - point - 1;
        if (whole is 0 or > WholeDigits || part > Decimals || (point >= 0 && part == 0) || (whole > 1 && text[0] == '0'))
        {
            return false;
        }

        var read = 0L;
        for (var i = 0; i < text.Length; i++)
        {
            if (i != point)
            {
                var digit = text[i] - '0';
                if (digit is < 0 or > 9)
                {
                    return false;
                }

                read = (read * 10) + digit;
            }
        }

        for (var i = part; i < Decimals; i++)
        {
            read *= 10;
        }

        units = read;
        return true;
    }

    private static string? Broken(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty)
        {
            return "An amount is a decimal number such as \"12.5\", not an empty text.";
        }

        if (text[0] is '-' or '+')
        {
            return "An amount has no sign.";
        }

        if (text.ContainsAnyExcept(Allowed))
        {
            return "An amount has only digits and one decimal point: no spaces, no exponent, no separators.";
        }

        var point = text.IndexOf('.');
        var whole = point < 0 ? text : text[..point];
        var part = point < 0 ? "0" : text[(point + 1)..];
        if (whole.IsEmpty || part.IsEmpty || part.Contains('.'))
        {
            return "An amount has digits on both sides of its only decimal point.";
        }

        if (whole.Length > 1 && whole[0] == '0')
        {
            return "An amount has no leading zeros.";
        }

        if (part.Length > Decimals)
        {
            return "An amount has at most 8 decimals.";
        }

        return whole.Length > WholeDigits ? "An amount is at most 9999999999.99999999." : null;
    }
}

/// <summary>Values as decimal strings in JSON: a JSON number would pass through a double in half of the world's clients.</summary>
/// <typeparam name="TValue">The value type.</typeparam>
public sealed class UnitsConverter<TValue> : JsonConverter<TValue>
    where TValue : struct, IUnits<TValue>
{
    public override TValue Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.String)
        {
            throw new JsonException("An amount is a decimal string such as \"12.5\".");
        }

        // No amount is longer than this; what is, or has an escape in it, is read the slow way, for the rule that it breaks.
        Span<char> text = stackalloc char[2 * Decimal8.LongestText];
        var length = !reader.HasValueSequence && reader.ValueSpan.Length <= text.Length ? reader.CopyString(text) : -1;
        return Decimal8.TryParse(length < 0 ? reader.GetString() : text[..length], out var units, out var rule)
            ? TValue.FromUnits(units)
            : throw new JsonException(rule);
    }

    public override void Write(Utf8JsonWriter writer, TValue value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        Span<char> text = stackalloc char[Decimal8.LongestText];
        writer.WriteStringValue(text[..Decimal8.Format(value.Units, text)]);
    }
}

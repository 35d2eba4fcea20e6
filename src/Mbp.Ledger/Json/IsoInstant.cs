using NodaTime;

namespace Mbp.Ledger.Json;

/// <summary>
/// Instants as ISO 8601 text in the years 1 to 9999, the same as NodaTime's extended pattern, without an object on the way: every event has one,
/// and a rebuild reads them all.
/// </summary>
internal static class IsoInstant
{
    /// <summary>2026-01-02T03:04:05.123456789Z</summary>
    public const int LongestText = 30;

    private const int SecondsEnd = 19;

    public static int Format(Instant value, Span<byte> text)
    {
        var (year, month, day) = value.InUtc().Date;
        var time = value.InUtc().TimeOfDay;
        Digits(text, year, 4);
        text[4] = (byte)'-';
        Digits(text[5..], month, 2);
        text[7] = (byte)'-';
        Digits(text[8..], day, 2);
        text[10] = (byte)'T';
        Digits(text[11..], time.Hour, 2);
        text[13] = (byte)':';
        Digits(text[14..], time.Minute, 2);
        text[16] = (byte)':';
        Digits(text[17..], time.Second, 2);
        var length = SecondsEnd;
        if (time.NanosecondOfSecond is not 0 and var nanoseconds)
        {
            text[length++] = (byte)'.';
            for (var unit = 100_000_000; nanoseconds > 0; unit /= 10)
            {
                text[length++] = (byte)('0' + (nanoseconds / unit));
                nanoseconds %= unit;
            }
        }

        text[length++] = (byte)'Z';
        return length;
    }

    /// <summary>False for whatever is not exactly of that form; another reader may then say what is wrong with it.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out Instant value)
    {
        value = default;
        if (text.Length is < SecondsEnd + 1 or > LongestText
            || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':' || text[^1] != 'Z'
            || Number(text[..4]) is not (>= 1 and var year) || Number(text[5..7]) is not (>= 1 and <= 12 and var month) || Number(text[8..10]) is not (>= 1 and var day)
            || Number(text[11..13]) is not (>= 0 and <= 23 and var hour) || Number(text[14..16]) is not (>= 0 and <= 59 and var minute)
            || Number(text[17..19]) is not (>= 0 and <= 59 and var second)
            || day > CalendarSystem.Iso.GetDaysInMonth(year, month))
        {
            return false;
        }

        var nanoseconds = 0;
        var decimals = text[SecondsEnd..^1];
        if (!decimals.IsEmpty)
        {
            if (decimals[0] != '.' || decimals.Length < 2 || Number(decimals[1..]) is not (>= 0 and var part))
            {
                return false;
            }

            nanoseconds = part;
            for (var i = decimals.Length - 1; i < 9; i++)
            {
                nanoseconds *= 10;
            }
        }

        value = Instant.FromUtc(year, month, day, hour, minute, second).PlusNanoseconds(nanoseconds);
        return true;
    }

    private static void Digits(Span<byte> text, int number, int count)
    {
        for (var i = count - 1; i >= 0; i--)
        {
            (number, text[i]) = (number / 10, (byte)('0' + (number % 10)));
        }
    }

    private static int Number(ReadOnlySpan<byte> digits)
    {
        var number = 0;
        foreach (var digit in digits)
        {
            if (!char.IsAsciiDigit((char)digit))
            {
                return -1;
            }

            number = (number * 10) + (digit - '0');
        }

        return number;
    }
}

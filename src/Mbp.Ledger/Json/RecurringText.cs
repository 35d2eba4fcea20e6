using System.Text;

namespace Mbp.Ledger.Json;

/// <summary>
/// Strings of a long read that come again and again (ids, names, streams): one object for each instead of one for each event. A few thousand are
/// remembered for each thread; a new one takes an old one's place, and costs what it would have cost anyway.
/// </summary>
public static class RecurringText
{
    private const int Places = 4_096;

    [ThreadStatic]
    private static string?[]? known;

    /// <summary>The string of these bytes, which are ASCII.</summary>
    public static string Of(ReadOnlySpan<byte> ascii)
    {
        known ??= new string?[Places];
        var hash = 2_166_136_261U;
        foreach (var character in ascii)
        {
            hash = unchecked((hash ^ character) * 16_777_619U);
        }

        ref var place = ref known[(hash ^ (hash >> 16)) % Places];
        return place is not null && Ascii.Equals(ascii, place) ? place : place = Encoding.ASCII.GetString(ascii);
    }
}

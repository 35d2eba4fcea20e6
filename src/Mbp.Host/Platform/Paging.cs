using System.Globalization;
using NodaTime;

namespace Mbp.Host.Platform;

/// <summary>What all lists take: <c>limit</c> and <c>cursor</c>, where a cursor is the key of the last line of the page before.</summary>
internal static class Paging
{
    public const int LargestPage = 1_000;

    private const int DefaultPage = 100;

    public static int Limit(this Fields fields, string? limit, int otherwise = DefaultPage)
    {
        if (limit is null)
        {
            return otherwise;
        }

        if (int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out var size) && size is > 0 and <= LargestPage)
        {
            return size;
        }

        fields.Fail("limit", $"Is a whole number from 1 to {LargestPage}.");
        return otherwise;
    }

    public static long? Cursor(this Fields fields, string? cursor)
    {
        if (cursor is null)
        {
            return null;
        }

        if (long.TryParse(cursor, NumberStyles.None, CultureInfo.InvariantCulture, out var value))
        {
            return value;
        }

        fields.Fail("cursor", "Is the nextCursor of the page before.");
        return null;
    }

    /// <summary>The cursor of a list in the order of time.</summary>
    public static Instant? TimeCursor(this Fields fields, string? cursor) =>
        fields.Cursor(cursor) is not { } micros ? null
        // Up to the year 9892: what is computed from it must still be a time.
        : micros <= 250_000_000_000_000_000 ? Instant.FromUnixTimeTicks(micros * 10)
        : Bad(fields);

    public static string Text(long cursor) => cursor.ToString(CultureInfo.InvariantCulture);

    public static string Text(Instant cursor) => Text(cursor.ToUnixTimeTicks() / 10);

    /// <summary>One line more than the page was asked for: it tells that there is a next page, and goes.</summary>
    public static (IReadOnlyList<T> Page, bool More) Cut<T>(IReadOnlyList<T> lines, int size) =>
        lines.Count > size ? ([.. lines.Take(size)], true) : (lines, false);

    private static Instant? Bad(Fields fields)
    {
        fields.Fail("cursor", "Is the nextCursor of the page before.");
        return null;
    }
}

using NodaTime;

namespace Mbp.Cli.Files;

/// <summary>Times that somebody wrote down. The calendar ends with the year 9999, and windows, ticks and steps look beyond the last time of a file.</summary>
internal static class FileTime
{
    private static readonly Instant End = Instant.FromUtc(9999, 1, 1, 0, 0);

    public static Instant Checked(Instant at, string text, string where) =>
        at < End ? at : throw new EnvironmentException($"{where}'{text}' is later than the year 9998.");
}

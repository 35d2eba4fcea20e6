using System.Globalization;
using CsvHelper;
using NodaTime;
using NodaTime.Text;

namespace Mbp.Cli.Pricing;

/// <summary>The averages of a series as rows of a CSV file, one for each instant and window.</summary>
internal static class TwapFile
{
    private static readonly InstantPattern Milliseconds = InstantPattern.CreateWithInvariantCulture("uuuu'-'MM'-'dd'T'HH':'mm':'ss'.'fff'Z'");

    public static void Write(PriceSeries series, string stream, Duration every, IReadOnlyList<Duration> windows, Instant? from, Instant? to, TextWriter output)
    {
        using var csv = Writer(output);
        Row(csv, "stream", "t", "window_min", "twap", "last_price", "covered_s", "points_in_window", "carry_in", "divergence");
        foreach (var at in Instants(series, every, from, to))
        {
            foreach (var length in windows)
            {
                var window = series.Window(at, length);
                Row(
                    csv, stream, Text(at), Number(length.BclCompatibleTicks / NodaConstants.TicksPerMinute), window.Twap, window.LastPrice,
                    ExactDecimal.Floor(window.CoveredTicks, NodaConstants.TicksPerSecond, 3), Number(window.Points), Flag(window.CarryIn), window.Divergence);
            }
        }
    }

    /// <summary>The multiples of a step since the epoch from the first quote (or <paramref name="from"/>) to the last (or <paramref name="to"/>).</summary>
    public static IEnumerable<Instant> Instants(PriceSeries series, Duration every, Instant? from, Instant? to)
    {
        var step = every.BclCompatibleTicks;
        var start = Instant.Max(series.First, from ?? Instant.MinValue).ToUnixTimeTicks();
        var past = (start % step + step) % step;
        for (var at = Instant.FromUnixTimeTicks(past == 0 ? start : start - past + step); at <= (to ?? series.Last); at += every)
        {
            yield return at;
        }
    }

    public static string Text(Instant at) => Milliseconds.Format(at);

    public static string Flag(bool value) => value ? "true" : "false";

    public static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    public static CsvWriter Writer(TextWriter output) => CsvWriter.Create(output, new CsvWriterOptions { NewLine = "\n" }, leaveOpen: true);

    public static void Row(CsvWriter csv, params ReadOnlySpan<string> fields) => csv.WriteRecord(fields);
}

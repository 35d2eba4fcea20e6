using Mbp.Cli.Files;
using System.Numerics;
using CsvHelper;
using NodaTime;

namespace Mbp.Cli.Pricing;

/// <summary>
/// Rule R1 over a file: at each epoch-aligned 5-minute end the price may be at most 1% from the 5-minute average; two breaches in a row freeze,
/// two clean ends in a row open again (spec 3.8, D11; strictly more, as part 4 item 2 settles). A window that is not fully covered is not judged.
/// </summary>
internal static class FreezeCheck
{
    public static readonly Duration Window = Duration.FromMinutes(5);

    private const int InARow = 2;

    /// <summary>Every judged end of a series.</summary>
    public static IEnumerable<FreezeSample> Samples(PriceSeries series, string stream, int basisPoints, Instant? from, Instant? to) =>
        TwapFile.Instants(series, Window, from, to)
            .Select(at => (At: at, Window: series.Window(at, Window)))
            .Where(end => end.Window.CarryIn)
            .Select(end => new FreezeSample(
                stream, end.At, end.Window.LastPrice, end.Window.Twap, end.Window.Divergence, end.Window.Breaches(basisPoints)));

    /// <summary>Every judged end in a file that <c>twap compute</c> wrote, by its rounded figures.</summary>
    public static IEnumerable<FreezeSample> Samples(CsvReader csv, string file, int basisPoints)
    {
        CsvFile.Require(csv, file, "stream", "t", "window_min", "twap", "last_price", "carry_in", "divergence");
        while (csv.Read())
        {
            var at = PriceFile.At(csv, file, "t");
            if (csv.GetString("window_min") == "5" && csv.GetString("carry_in") == "true" && at.ToUnixTimeTicks() % Window.BclCompatibleTicks == 0)
            {
                var (last, twap) = (PriceFile.Price(csv, file, "last_price"), PriceFile.Price(csv, file, "twap"));
                var scale = Math.Max(last.Scale, twap.Scale);
                var breach = BigInteger.Abs(last.At(scale) - twap.At(scale)) * 10_000 > basisPoints * twap.At(scale);
                yield return new FreezeSample(csv.GetString("stream"), at, csv.GetString("last_price"), csv.GetString("twap"), csv.GetString("divergence"), breach);
            }
        }
    }

    /// <summary>Writes a row for each end and says whether the market was ever frozen.</summary>
    public static bool Write(IEnumerable<FreezeSample> samples, TextWriter output)
    {
        using var csv = TwapFile.Writer(output);
        TwapFile.Row(csv, "stream", "t", "last_price", "twap_5m", "divergence", "breach", "breaches_in_row", "green_in_row", "state");
        var (breaches, green, frozen, ever) = (0, 0, false, false);
        foreach (var sample in samples)
        {
            (breaches, green) = sample.Breach ? (breaches + 1, 0) : (0, green + 1);
            frozen = breaches >= InARow || frozen && green < InARow;
            ever |= frozen;
            TwapFile.Row(
                csv, sample.Stream, TwapFile.Text(sample.At), sample.LastPrice, sample.Twap, sample.Divergence, TwapFile.Flag(sample.Breach),
                TwapFile.Number(breaches), TwapFile.Number(green), frozen ? "frozen" : "open");
        }

        return ever;
    }
}

/// <summary>One judged end.</summary>
internal sealed record FreezeSample(string Stream, Instant At, string LastPrice, string Twap, string Divergence, bool Breach);

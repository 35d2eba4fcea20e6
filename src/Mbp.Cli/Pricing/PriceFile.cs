using CsvHelper;
using Mbp.Cli.Files;
using NodaTime;
using NodaTime.Text;

namespace Mbp.Cli.Pricing;

/// <summary>Which rows of a price file make the series.</summary>
/// <param name="Market">Keep this market_id only; null: the file has one series.</param>
/// <param name="MarketsFile">Where the market's outcome_a is found.</param>
/// <param name="Outcome">The outcome whose price the series is; trades of the other outcome count as 1 - price.</param>
/// <param name="AsIs">The price column is the series, whatever the outcome column says.</param>
internal sealed record PriceSelection(string? Market, string? MarketsFile, string? Outcome, bool AsIs);

/// <summary>Reads a price series by its columns' names.</summary>
internal static class PriceFile
{
    /// <summary>The series in a file with columns ts and price; equal times keep the file's order.</summary>
    public static PriceSeries Read(string file, PriceSelection selection)
    {
        using var csv = CsvFile.Open(file);
        CsvFile.Require(csv, file, "ts", "price");
        return CsvFile.Has(csv, "market_id") && selection.Market is null
            ? throw new EnvironmentException($"{file} holds several markets: name one with --market.")
            : Read(csv, file, selection).Values.Single();
    }

    /// <summary>A series for each market in the file, in the order of their ids; one without a name if the file has no markets.</summary>
    public static SortedDictionary<string, PriceSeries> ReadAll(string file, PriceSelection selection)
    {
        using var csv = CsvFile.Open(file);
        CsvFile.Require(csv, file, "ts", "price");
        return Read(csv, file, selection);
    }

    private static SortedDictionary<string, PriceSeries> Read(CsvReader csv, string file, PriceSelection selection)
    {
        if (selection.Market is not null)
        {
            CsvFile.Require(csv, file, "market_id");
        }

        var (byMarket, meant) = (CsvFile.Has(csv, "market_id"), selection.AsIs || !CsvFile.Has(csv, "outcome") ? null : MeantOutcomes(selection, file));
        var quotes = new SortedDictionary<string, List<(Instant At, ExactDecimal Price)>>(StringComparer.Ordinal);
        while (csv.Read())
        {
            var market = byMarket ? csv.GetString("market_id") : "";
            if (selection.Market is null || market == selection.Market)
            {
                var price = Price(csv, file);
                var series = quotes.TryGetValue(market, out var known) ? known : quotes[market] = [];
                series.Add((At(csv, file, "ts"), meant is null || csv.GetString("outcome") == meant(market) ? price : price.Complement()));
            }
        }

        return quotes.Count > 0
            ? new SortedDictionary<string, PriceSeries>(quotes.ToDictionary(pair => pair.Key, pair => new PriceSeries(pair.Value)), StringComparer.Ordinal)
            : throw new EnvironmentException($"{file} has no such prices.");
    }

    public static Instant At(CsvReader csv, string file, string column)
    {
        var text = csv.GetString(column);
        var parsed = OffsetDateTimePattern.Rfc3339.Parse(text);
        return parsed.Success ? FileTime.Checked(parsed.Value.ToInstant(), text, $"{file}, line {csv.LineNumber}: ") : throw new EnvironmentException($"{file}, line {csv.LineNumber}: '{text}' is no RFC 3339 time.");
    }

    public static ExactDecimal Price(CsvReader csv, string file, string column = "price")
    {
        var text = csv.GetString(column);
        try
        {
            return ExactDecimal.Parse(text);
        }
        catch (Exception e) when (e is FormatException or OverflowException)
        {
            throw new EnvironmentException($"{file}, line {csv.LineNumber}: '{text}' is no decimal number.");
        }
    }

    /// <summary>For each market the outcome whose price is meant.</summary>
    private static Func<string, string> MeantOutcomes(PriceSelection selection, string file)
    {
        if (selection.Outcome is { } outcome)
        {
            return _ => outcome;
        }

        if (selection.MarketsFile is null)
        {
            throw new EnvironmentException($"{file} has trades of several outcomes: say which price is meant with --markets FILE, --outcome NAME or --as-is.");
        }

        using var csv = CsvFile.Open(selection.MarketsFile);
        CsvFile.Require(csv, selection.MarketsFile, "market_id", "outcome_a");
        var first = new Dictionary<string, string>(StringComparer.Ordinal);
        while (csv.Read())
        {
            first.TryAdd(csv.GetString("market_id"), csv.GetString("outcome_a"));
        }

        return market => first.GetValueOrDefault(market) ?? throw new EnvironmentException($"{selection.MarketsFile} does not have the market '{market}'.");
    }
}

using System.Globalization;
using System.Security.Cryptography;
using Mbp.Cli.Files;
using Mbp.Domain.Units;

namespace Mbp.Cli.Importing;

/// <summary>One trade of a history, as the file has it.</summary>
internal sealed record HistoricTrade(int Line, string Market, int Seq, string Trader, bool IsBuy, string Outcome, string Amount, string Shares);

/// <summary>One market of a history.</summary>
/// <param name="Id">As in the file.</param>
/// <param name="Question">What was asked.</param>
/// <param name="OutcomeA">What becomes YES.</param>
/// <param name="OutcomeB">What becomes NO.</param>
/// <param name="Resolved">The known result, one of the two; null if it is not known.</param>
internal sealed record HistoricMarket(string Id, string Question, string OutcomeA, string OutcomeB, string? Resolved);

/// <summary>A trade history in memory: what happened in each market, in order.</summary>
internal sealed record TradeHistory(IReadOnlyList<HistoricMarket> Markets, ILookup<string, HistoricTrade> Trades, int Rows, string Sha256)
{
    /// <param name="tradesFile">CSV, possibly gzipped, with market_id, question, trader_id, side, outcome, amount, shares, seq.</param>
    /// <param name="marketsFile">CSV with market_id, question, outcome_a, outcome_b, resolved_outcome; null = the file beside the trades, if there is one.</param>
    public static TradeHistory Read(string tradesFile, string? marketsFile)
    {
        var trades = RowsOf(tradesFile, "market_id", "trader_id", "side", "outcome", "amount", "shares", "seq").Select((row, i) => Trade(tradesFile, row, i + 2)).ToList();
        var bySource = trades.ToLookup(t => t.Market);
        var beside = tradesFile.Replace("-trades.csv.gz", "-markets.csv", StringComparison.Ordinal).Replace("-trades.csv", "-markets.csv", StringComparison.Ordinal);
        marketsFile ??= beside != tradesFile && File.Exists(beside) ? beside : null;
        var markets = marketsFile is null
            ? RowsOf(tradesFile, "market_id").GroupBy(r => r["market_id"]).Select(g => Guess(g.Key, g.First(), bySource[g.Key])).ToList()
            : RowsOf(marketsFile, "market_id", "question", "outcome_a", "outcome_b").Select(Market).ToList();
        if (bySource.Select(g => g.Key).FirstOrDefault(id => markets.All(m => m.Id != id)) is { } unknown)
        {
            throw new EnvironmentException($"{marketsFile} lacks the market '{unknown}', which {tradesFile} trades.");
        }

        return new TradeHistory(
            [.. markets.Where(m => bySource.Contains(m.Id))], trades.OrderBy(t => t.Seq).ToLookup(t => t.Market), trades.Count,
            Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(tradesFile))));
    }

    private static HistoricTrade Trade(string file, IReadOnlyDictionary<string, string> row, int line) => new(
        line, row["market_id"],
        int.TryParse(row["seq"], NumberStyles.None, CultureInfo.InvariantCulture, out var seq) ? seq : throw Bad(file, line, "seq", row["seq"]),
        row["trader_id"],
        row["side"] switch { "buy" => true, "sell" => false, var side => throw Bad(file, line, "side", side) },
        row["outcome"],
        Floor(file, line, "amount", row["amount"]),
        Floor(file, line, "shares", row["shares"]));

    /// <summary>
    /// A source may count finer than the ledger, which refuses what it cannot hold: 1e-8 is cut off here, where it can be seen, and never rounded up.
    /// </summary>
    private static string Floor(string file, int line, string field, string text)
    {
        var point = text.IndexOf('.', StringComparison.Ordinal);
        var cut = point >= 0 && text.Length - point - 1 > 8 ? text[..(point + 9)] : text;
        return Decimal8.TryParse(cut, out var units, out var rule) ? Decimal8.Format(units) : throw Bad(file, line, field, text, rule);
    }

    private static HistoricMarket Market(IReadOnlyDictionary<string, string> row) => new(
        row["market_id"], row["question"], row["outcome_a"], row["outcome_b"],
        row.GetValueOrDefault("resolved_outcome") is { Length: > 0 } resolved ? resolved : null);

    private static HistoricMarket Guess(string id, IReadOnlyDictionary<string, string> row, IEnumerable<HistoricTrade> trades)
    {
        var names = trades.Select(t => t.Outcome).Distinct().Order(StringComparer.Ordinal).ToList();
        return new HistoricMarket(id, row.GetValueOrDefault("question") is { Length: > 0 } q ? q : id, names[0], names.Count > 1 ? names[1] : "", Resolved: null);
    }

    private static EnvironmentException Bad(string file, int line, string field, string text, string? rule = null) =>
        new($"{file}, line {line}: {field} is '{text}'. {rule}".TrimEnd());

    private static IEnumerable<IReadOnlyDictionary<string, string>> RowsOf(string file, params string[] needed)
    {
        using var csv = CsvFile.Open(file);
        CsvFile.Require(csv, file, needed);
        var headers = csv.Headers.ToList();
        while (csv.Read())
        {
            yield return headers.ToDictionary(h => h, h => csv.GetString(h), StringComparer.Ordinal);
        }
    }
}

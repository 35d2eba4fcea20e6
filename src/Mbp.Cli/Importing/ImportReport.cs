using System.Globalization;
using System.Text;
using System.Text.Json;
using Mbp.Cli.Api;

namespace Mbp.Cli.Importing;

/// <summary>What an import did, and whether every row and every credit is accounted for.</summary>
internal sealed record ImportReport(
    int Rows,
    int Accepted,
    int Refused,
    int NotSent,
    IReadOnlyDictionary<string, int> RefusedByCode,
    int SalesCapped,
    double Seconds,
    double TradesPerSecond,
    int Markets,
    int Settled,
    IReadOnlyList<MarketLine> ByMarket,
    Conservation Conservation,
    bool Holds)
{
    public static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    public static async Task<ImportReport> MakeAsync(Importer importer, TradeHistory history, ApiClient api, CancellationToken cancellationToken)
    {
        var results = importer.Results;
        var byCode = results.SelectMany(r => r.Refused).GroupBy(r => r.Key).OrderBy(g => g.Key, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Sum(r => r.Value));
        var (accepted, refused, notSent) = (results.Sum(r => r.Accepted), byCode.Values.Sum(), results.Sum(r => r.NotSent));
        var lines = new List<MarketLine>();
        foreach (var result in results)
        {
            var page = await api.GetAsync($"/v2/markets/{Uri.EscapeDataString(importer.MarketId(result.Id))}", cancellationToken).ConfigureAwait(false);
            lines.Add(new MarketLine(
                importer.MarketId(result.Id), result.Accepted, result.Refused.Values.Sum(), page.Body["prices"]?[0]?.GetValue<string>() ?? "",
                (int)page.Number("holders"), page.Text("phase"), result.Resolved));
        }

        var sums = await api.GetAsync("/v2/audit/conservation", cancellationToken).ConfigureAwait(false);
        var conservation = new Conservation(
            sums.Text("granted"), sums.Text("accounts"), sums.Text("pools"), sums.Text("fees"), sums.Text("dust"), sums.Body["holds"]?.GetValue<bool>() ?? false);
        var seconds = importer.TradingTime.TotalSeconds;
        return new ImportReport(
            history.Rows, accepted, refused, notSent, byCode, results.Sum(r => r.Capped), Math.Round(seconds, 3), Math.Round(accepted / Math.Max(seconds, 0.001)),
            results.Count, results.Count(r => r.Settled), lines, conservation,
            accepted + refused == history.Rows && conservation.Holds && results.All(r => r.Resolved is null || r.Settled));
    }

    public static async Task WritePositionsAsync(
        string file, Importer importer, TradeHistory history, ImportOptions options, ApiClient api, CancellationToken cancellationToken)
    {
        await using var csv = new StreamWriter(file, append: false, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        await csv.WriteLineAsync("account,balance,market,outcome,shares").ConfigureAwait(false);
        foreach (var account in history.Trades.SelectMany(g => g).Select(t => t.Trader).Append(options.House).Distinct().Order(StringComparer.Ordinal))
        {
            var path = $"/v2/accounts/{Uri.EscapeDataString(account)}";
            var balance = (await api.GetAsync(path, cancellationToken).ConfigureAwait(false)).Text("balance");
            var held = (await api.GetAsync($"{path}/positions", cancellationToken).ConfigureAwait(false)).Body;
            await csv.WriteLineAsync($"{account},{balance},,,").ConfigureAwait(false);
            foreach (var item in held["items"]!.AsArray())
            {
                await csv.WriteLineAsync($"{account},,{item!["marketId"]},{item["outcome"]},{item["shares"]}").ConfigureAwait(false);
            }

            foreach (var item in held["liquidity"]!.AsArray())
            {
                await csv.WriteLineAsync($"{account},,{item!["marketId"]},LP,{item["lpShares"]}").ConfigureAwait(false);
            }
        }
    }

    public string ToText()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{"market",-44} {"accepted",8} {"refused",8} {"price",12} {"holders",8} phase\n");
        foreach (var line in ByMarket)
        {
            text.Append(CultureInfo.InvariantCulture, $"{line.Market,-44} {line.Accepted,8} {line.Refused,8} {line.Price,12} {line.Holders,8} {line.Phase}{(line.Resolved is null ? "" : $" ({line.Resolved})")}\n");
        }

        text.Append(CultureInfo.InvariantCulture, $"\nrows       {Rows} = {Accepted} accepted + {Refused} refused\n");
        foreach (var (code, count) in RefusedByCode)
        {
            text.Append(CultureInfo.InvariantCulture, $"           {count,6} {code}\n");
        }

        text.Append(CultureInfo.InvariantCulture, $"not sent   {NotSent} of the refused: sales of which the seller holds nothing here\n");
        text.Append(CultureInfo.InvariantCulture, $"capped     {SalesCapped} sales, at what the seller held\n");
        text.Append(CultureInfo.InvariantCulture, $"speed      {TradesPerSecond:0} trades/s accepted ({Seconds:0.0} s)\n");
        text.Append(CultureInfo.InvariantCulture, $"settled    {Settled} of {Markets} markets\n");
        text.Append(CultureInfo.InvariantCulture, $"credits    granted {Conservation.Granted} = accounts {Conservation.Accounts} + pools {Conservation.Pools} + fees {Conservation.Fees} + dust {Conservation.Dust}\n");
        text.Append(Holds ? "all accounted for" : "NOT all accounted for");
        return text.ToString();
    }
}

internal sealed record MarketLine(string Market, int Accepted, int Refused, string Price, int Holders, string Phase, string? Resolved);

internal sealed record Conservation(string Granted, string Accounts, string Pools, string Fees, string Dust, bool Holds);

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Mbp.Cli.Api;
using Mbp.Cli.Files;
using Mbp.Domain.Units;

namespace Mbp.Cli.Importing;

/// <summary>What an import is told.</summary>
/// <param name="Run">Names it: the same run sent twice changes nothing.</param>
/// <param name="Prefix">Put before every market's id.</param>
/// <param name="House">The account that opens the pools.</param>
/// <param name="Liquidity">CE$ for each pool.</param>
/// <param name="Connections">Markets replayed side by side; within one market the order is kept.</param>
/// <param name="Resolve">Resolve each market with its known result, and settle.</param>
internal sealed record ImportOptions(string Run, string Prefix, string House, Credits Liquidity, int Connections, bool Resolve);

/// <summary>How one market went.</summary>
internal sealed class MarketResult(string id)
{
    public string Id => id;

    public int Accepted { get; set; }

    public int Capped { get; set; }

    /// <summary>Of the refused, the sales of which the seller holds nothing here: they are counted as what the host would answer, and not sent.</summary>
    public int NotSent { get; set; }

    public Dictionary<string, int> Refused { get; } = new(StringComparer.Ordinal);

    public string? Resolved { get; set; }

    public bool Settled { get; set; }
}

/// <summary>
/// Replays a trade history through the command API: one account for each trader, one market for each market. A trader's sale is capped at
/// what the trader holds here, since this pool's prices, and so its shares, are not those of the source.
/// </summary>
internal sealed class Importer(ApiClient api, ApiClient second, TradeHistory history, ImportOptions options)
{
    private readonly ConcurrentDictionary<string, MarketResult> _results = new(StringComparer.Ordinal);
    private int _done;

    /// <summary>Rows gone through.</summary>
    public int Done => _done;

    public IReadOnlyList<MarketResult> Results => [.. history.Markets.Select(m => _results.GetOrAdd(m.Id, id => new MarketResult(id)))];

    /// <summary>How long the trades themselves took.</summary>
    public TimeSpan TradingTime { get; private set; }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await OpenAccountsAsync(cancellationToken).ConfigureAwait(false);
        await EachMarketAsync(OpenMarketAsync, cancellationToken).ConfigureAwait(false);
        var watch = Stopwatch.StartNew();
        await EachMarketAsync(TradeAsync, cancellationToken).ConfigureAwait(false);
        TradingTime = watch.Elapsed;
        if (options.Resolve)
        {
            await EachMarketAsync(ResolveAsync, cancellationToken).ConfigureAwait(false);
        }
    }

    public string MarketId(string source) => options.Prefix + source;

    private Task EachMarketAsync(Func<HistoricMarket, CancellationToken, Task> step, CancellationToken cancellationToken) => Parallel.ForEachAsync(
        // The busiest first: it alone decides how long all take.
        history.Markets.OrderByDescending(m => history.Trades[m.Id].Count()),
        new ParallelOptions { MaxDegreeOfParallelism = options.Connections, CancellationToken = cancellationToken },
        async (market, ct) => await step(market, ct).ConfigureAwait(false));

    private async Task OpenAccountsAsync(CancellationToken cancellationToken)
    {
        var pools = Credits.FromUnits(options.Liquidity.Units * history.Markets.Count);
        var grants = history.Trades.SelectMany(g => g).GroupBy(t => t.Trader)
            .Select(g => (Account: g.Key, Amount: Credits.FromUnits(g.Where(t => t.IsBuy).Sum(t => Units(t.Amount)))))
            .Append((Account: options.House, Amount: pools));
        await Parallel.ForEachAsync(
            grants,
            new ParallelOptions { MaxDegreeOfParallelism = options.Connections, CancellationToken = cancellationToken },
            async (grant, ct) =>
            {
                await NeedAsync($"/v2/accounts", $"account:{grant.Account}", new { id = grant.Account }, ct).ConfigureAwait(false);
                if (grant.Amount > Credits.Zero)
                {
                    await NeedAsync(
                        $"/v2/accounts/{Uri.EscapeDataString(grant.Account)}/credits", $"grant:{grant.Account}",
                        new { amount = grant.Amount.ToString(), reason = $"import {options.Run}" }, ct).ConfigureAwait(false);
                }
            }).ConfigureAwait(false);
    }

    private Task OpenMarketAsync(HistoricMarket market, CancellationToken cancellationToken) => NeedAsync(
        "/v2/markets", $"market:{market.Id}",
        new
        {
            id = MarketId(market.Id), template = "TPL-YESNO-01", question = market.Question, account = options.House,
            liquidity = options.Liquidity.ToString(), probability = "0.5", ruleset = "replay",
        },
        cancellationToken);

    private async Task TradeAsync(HistoricMarket market, CancellationToken cancellationToken)
    {
        var result = _results.GetOrAdd(market.Id, id => new MarketResult(id));
        var path = $"/v2/markets/{Uri.EscapeDataString(MarketId(market.Id))}/trades";
        var held = new Dictionary<(string Trader, string Outcome), long>();
        foreach (var trade in history.Trades[market.Id])
        {
            var outcome = trade.Outcome == market.OutcomeA ? "YES" : trade.Outcome == market.OutcomeB ? "NO" : trade.Outcome;
            var holding = held.GetValueOrDefault((trade.Trader, outcome));
            var (code, shares) = await SendAsync(trade, outcome, holding, path, result, cancellationToken).ConfigureAwait(false);
            if (code is null)
            {
                result.Accepted++;
                held[(trade.Trader, outcome)] = trade.IsBuy ? holding + shares : holding - shares;
            }
            else
            {
                result.Refused[code] = result.Refused.GetValueOrDefault(code) + 1;
                result.NotSent += !trade.IsBuy && holding == 0 ? 1 : 0;
            }

            Interlocked.Increment(ref _done);
        }
    }

    /// <returns>The refusal's code, or the shares that changed hands.</returns>
    private async Task<(string? Code, long Shares)> SendAsync(
        HistoricTrade trade, string outcome, long held, string path, MarketResult result, CancellationToken cancellationToken)
    {
        object body;
        if (trade.IsBuy)
        {
            body = new { side = "buy", outcome, amount = trade.Amount, account = trade.Trader };
        }
        else
        {
            // Not sending it keeps a resumed import from selling what was only bought later.
            if (held == 0)
            {
                return ("trading.insufficient_shares", 0);
            }

            var asked = Units(trade.Shares);
            result.Capped += asked > held ? 1 : 0;
            body = new { side = "sell", outcome, shares = Decimal8.Format(Math.Min(asked, held)), account = trade.Trader };
        }

        var answer = await api.PostAsync(path, Key($"trade:{trade.Market}:{trade.Seq}"), body, cancellationToken).ConfigureAwait(false);
        return answer.IsOk ? (null, Units(answer.Text("shares")))
            : answer.Status is 409 or 422 ? (answer.Code, 0)
            : throw new EnvironmentException($"Line {trade.Line}: the host answers {answer.Status} {answer.Code}: {answer.Text("detail")}");
    }

    private async Task ResolveAsync(HistoricMarket market, CancellationToken cancellationToken)
    {
        if (market.Resolved is null)
        {
            return;
        }

        var value = market.Resolved == market.OutcomeA ? "YES" : market.Resolved == market.OutcomeB ? "NO" : "INVALID";
        var path = $"/v2/markets/{Uri.EscapeDataString(MarketId(market.Id))}";
        await NeedAsync($"{path}/close", $"close:{market.Id}", new { reason = "end of the history" }, cancellationToken).ConfigureAwait(false);
        await NeedAsync($"{path}/resolution/start", $"start:{market.Id}", new { }, cancellationToken).ConfigureAwait(false);
        await NeedAsync(
            $"{path}/resolution/manual", $"manual:{market.Id}", new { value, evidenceUri = $"urn:sha256:{history.Sha256}" }, cancellationToken).ConfigureAwait(false);
        await NeedAsync($"{path}/resolution/manual/approve", $"approve:{market.Id}", new { }, cancellationToken, second).ConfigureAwait(false);
        var result = _results[market.Id];
        result.Resolved = value;
        for (var until = DateTime.UtcNow.AddMinutes(2); DateTime.UtcNow < until && !result.Settled;)
        {
            var answer = await api.GetAsync($"{path}/resolution", cancellationToken).ConfigureAwait(false);
            result.Settled = answer.Text("phase") == "Settled";
            if (!result.Settled)
            {
                await Task.Delay(100, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>A step that the rest cannot go without.</summary>
    private async Task NeedAsync(string path, string step, object body, CancellationToken cancellationToken, ApiClient? by = null)
    {
        var answer = await (by ?? api).PostAsync(path, Key(step), body, cancellationToken).ConfigureAwait(false);
        if (!answer.IsOk)
        {
            throw new EnvironmentException($"{step}: the host answers {answer.Status} {answer.Code}: {answer.Text("detail")}");
        }
    }

    private string Key(string step) => string.Create(CultureInfo.InvariantCulture, $"import:{options.Run}:{step}");

    private static long Units(string text) => Decimal8.TryParse(text, out var units, out var rule) ? units : throw new EnvironmentException($"'{text}': {rule}");
}

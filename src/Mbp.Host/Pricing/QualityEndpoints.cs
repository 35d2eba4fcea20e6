using Mbp.Domain.Units;
using Mbp.Host.Markets;
using Mbp.Host.Platform;
using Mbp.Ledger.Postgres.Reading;
using Microsoft.AspNetCore.Http.HttpResults;
using NodaTime;

namespace Mbp.Host.Pricing;

/// <summary>How well a market can be traded now.</summary>
/// <param name="SpreadPpm">Cost of buying for 100 CE$ and selling at once, parts per million; absent where the pool is too small for it.</param>
/// <param name="Depth2pct">Shares that move outcome 0's price by 2 %, the thinner side; absent in an empty pool.</param>
/// <param name="Depth2pctCe">The same in CE$.</param>
/// <param name="SlippageMeanPpm">The mean slippage of the last trades, rounded down; absent without any, and with more than two outcomes.</param>
/// <param name="SlippageMaxPpm">The largest.</param>
public sealed record QualityNow(long? SpreadPpm, string? Depth2pct, string? Depth2pctCe, long? SlippageMeanPpm, long? SlippageMaxPpm)
{
    internal static QualityNow Of(MarketView market, MarketResponse page)
    {
        Int128 sum = 0;
        var (largest, count) = (0L, 0);
        foreach (var line in market.Tape.Trades)
        {
            if (line.Trade.SlippagePpm is { } slippage)
            {
                (sum, largest, count) = (sum + slippage, Math.Max(largest, slippage), count + 1);
            }
        }

        return new QualityNow(page.SpreadPpm, page.Depth2pct, page.Depth2pctCe, count == 0 ? null : (long)(sum / count), count == 0 ? null : largest);
    }
}

/// <summary>A minute with quotes.</summary>
/// <param name="At">Its beginning.</param>
/// <param name="Trades">Trades in it.</param>
/// <param name="SlippageMeanPpm">Their mean slippage, rounded down; absent without trades.</param>
/// <param name="SlippageMaxPpm">The largest.</param>
/// <param name="SpreadPpm">At the last quote; absent where the pool was too small for it.</param>
/// <param name="Depth2pct">At the last quote.</param>
/// <param name="Depth2pctCe">The same in CE$.</param>
public sealed record QualityItem(string At, long Trades, long? SlippageMeanPpm, long SlippageMaxPpm, long? SpreadPpm, string Depth2pct, string Depth2pctCe);

/// <param name="MarketId">The market.</param>
/// <param name="Now">As it is.</param>
/// <param name="Items">Minute by minute, newest first.</param>
/// <param name="NextCursor">For the page after this one; absent on the last.</param>
/// <param name="Position">How far the minutes are.</param>
public sealed record QualityResponse(string MarketId, QualityNow Now, IReadOnlyList<QualityItem> Items, string? NextCursor, long Position);

internal static class QualityEndpoints
{
    private const string Sql = """
        SELECT minute, trades, slippage_sum_ppm, slippage_max_ppm, spread_ppm, depth_2pct, depth_2pct_ce
        FROM mbp_market_quality WHERE market_id = $1 AND minute >= $2 AND minute < $3 ORDER BY minute DESC LIMIT $4
        """;

    public static void Map(RouteGroupBuilder v2) =>
        v2.MapGet("/markets/{id}/quality", GetAsync).WithName("getQuality").WithSummary("Spread, depth and slippage: now, and minute by minute, newest first");

    private static async Task<Results<Ok<QualityResponse>, ProblemHttpResult>> GetAsync(
        string id, HttpContext http, Reads reads, TableReads tables, string? from, string? to, string? cursor, string? limit, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var (size, before) = (fields.Limit(limit), fields.TimeCursor(cursor));
        var (start, end) = (fields.OptionalInstant("from", from) ?? Instant.FromUnixTimeTicks(0), fields.OptionalInstant("to", to));
        if (fields.Problem() is { } invalid)
        {
            return invalid;
        }

        var (market, problem) = await reads.PresentMarketAsync(http.Request, id, cancellationToken);
        if (problem is not null)
        {
            return problem;
        }

        var until = Instant.Min(before ?? LastDay, end ?? LastDay);
        var found = await tables.ReadAsync(http, "prices", Sql, Read, [id, start, until, size + 1L], cancellationToken);
        var (lines, more) = Paging.Cut(found.Rows, size);
        return TypedResults.Ok(new QualityResponse(
            id, QualityNow.Of(market!, MarketPage.Page(market!, market!.Position)), [.. lines.Select(line => line.Item)], more ? Paging.Text(lines[^1].At) : null, found.Position));
    }

    private static Instant LastDay { get; } = Instant.FromUtc(9999, 12, 31, 0, 0);

    private static (Instant At, QualityItem Item) Read(TableLine line)
    {
        var trades = line.Whole(1);
        return (line.Time(0), new QualityItem(
            MarketPage.Text(line.Time(0)), trades, trades == 0 ? null : line.Whole(2) / trades, line.Whole(3), line.WholeOrNull(4),
            WideDecimal.Format(line.Units(5)), WideDecimal.Format(line.Units(6))));
    }
}

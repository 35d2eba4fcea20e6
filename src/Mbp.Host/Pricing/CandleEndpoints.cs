using Mbp.Domain.Units;
using Mbp.Host.Markets;
using Mbp.Host.Platform;
using Mbp.Ledger.Postgres.Reading;
using Microsoft.AspNetCore.Http.HttpResults;
using NodaTime;

namespace Mbp.Host.Pricing;

/// <summary>A stretch of time with quotes. One without has none, and the price holds.</summary>
/// <param name="At">Its beginning.</param>
/// <param name="Open">The first price.</param>
/// <param name="High">The highest.</param>
/// <param name="Low">The lowest.</param>
/// <param name="Close">The last.</param>
/// <param name="Volume">CE$ that trades moved, fees included.</param>
/// <param name="Trades">How many trades.</param>
public sealed record CandleItem(string At, string Open, string High, string Low, string Close, string Volume, long Trades);

/// <param name="MarketId">The market.</param>
/// <param name="Outcome">Whose prices.</param>
/// <param name="Resolution">How long a candle is: as asked for, or chosen by the range so that it has some 500.</param>
/// <param name="Items">Oldest first.</param>
/// <param name="NextCursor">For the page after this one; absent on the last.</param>
/// <param name="Position">How far the candles are: later quotes are not in them yet.</param>
public sealed record CandleListResponse(
    string MarketId, string Outcome, string Resolution, IReadOnlyList<CandleItem> Items, string? NextCursor, long Position);

internal static class CandleEndpoints
{
    // Minutes are read by the key, no more of them than a page can need; of the last group, which may be cut, nothing is shown.
    private const string Sql = """
        SELECT date_bin($5, minute, '1970-01-01T00:00:00Z') AS at, (array_agg(open ORDER BY minute))[1] AS open, max(high) AS high, min(low) AS low,
          (array_agg(close ORDER BY minute DESC))[1] AS close, sum(volume) AS volume, sum(trades)::bigint AS trades
        FROM (
          SELECT minute, open[$2] AS open, high[$2] AS high, low[$2] AS low, close[$2] AS close, volume, trades
          FROM mbp_candles WHERE market_id = $1 AND minute >= $3 AND minute < $4 ORDER BY minute LIMIT $6
        ) m GROUP BY 1 ORDER BY 1 LIMIT $7
        """;

    public static void Map(RouteGroupBuilder v2) =>
        v2.MapGet("/markets/{id}/candles", GetAsync).WithName("listCandles").WithSummary("Prices by minutes, hours or days, oldest first; `resolution` is chosen by the range where it is `auto` or absent");

    private static async Task<Results<Ok<CandleListResponse>, ProblemHttpResult>> GetAsync(
        string id, HttpContext http, Reads reads, TableReads tables, IClock clock, string? outcome, string? resolution, string? from, string? to, string? cursor, string? limit,
        CancellationToken cancellationToken)
    {
        var (market, problem) = await reads.PresentMarketAsync(http.Request, id, cancellationToken);
        if (problem is not null)
        {
            return problem;
        }

        var fields = new Fields();
        var name = outcome ?? market!.Terms!.Outcomes[0];
        var index = market!.Pool.IndexOf(name);
        if (index < 0)
        {
            fields.OneOf("outcome", name, market.Terms!.Outcomes);
        }

        var size = fields.Limit(limit, SeriesStep.MostPoints);
        var now = clock.GetCurrentInstant();
        var range = SeriesRange.Read(fields, resolution, from, to, market.Terms!.CreatedAt, now);
        var after = fields.TimeCursor(cursor);
        if (fields.Problem() is { } invalid)
        {
            return invalid;
        }

        var begin = range.Step.AtOrBefore(after is { } last ? last + range.Step.Length : range.From);
        var found = await tables.ReadAsync(
            http, "prices", Sql, Read,
            [id, index + 1, begin, range.To, range.Step.Length.ToTimeSpan(), (size + 1L) * (long)range.Step.Length.TotalMinutes, size + 1L], cancellationToken);
        var (lines, more) = Paging.Cut(found.Rows, size);
        return TypedResults.Ok(new CandleListResponse(
            id, name, range.Step.Name, [.. lines.Select(line => line.Item)], more ? Paging.Text(lines[^1].At) : null, found.Position));
    }

    private static (Instant At, CandleItem Item) Read(TableLine line) => (line.Time(0), new CandleItem(
        MarketPage.Text(line.Time(0)), WideDecimal.Format(line.Units(1)), WideDecimal.Format(line.Units(2)), WideDecimal.Format(line.Units(3)),
        WideDecimal.Format(line.Units(4)), WideDecimal.Format(line.Units(5)), line.Whole(6)));
}

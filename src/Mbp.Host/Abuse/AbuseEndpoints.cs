using Mbp.Host.Markets;
using Mbp.Host.Platform;
using Mbp.Ledger.Postgres.Reading;
using Microsoft.AspNetCore.Http.HttpResults;
using NodaTime;

namespace Mbp.Host.Abuse;

/// <summary>What the anti-abuse rules found. It is about people, so it is for operators.</summary>
internal static class AbuseEndpoints
{
    private const string Columns = "SELECT id, market_id, ts, kind, severity, action_taken, details FROM mbp_abuse_events";
    private const string OfMarket = $"{Columns} WHERE market_id = $1 AND ts < $2 ORDER BY ts DESC, id LIMIT $3";
    private const string All = $"{Columns} WHERE ts < $1 ORDER BY ts DESC, id LIMIT $2";

    private static readonly Instant End = Instant.FromUtc(9999, 12, 31, 0, 0);

    public static void Map(RouteGroupBuilder v2)
    {
        v2.MapGet("/abuse", ListAsync).OperatorsOnly().WithName("listAbuse").WithSummary("Abuse flags of all markets, newest first");
        v2.MapGet("/markets/{id}/abuse", OfMarketAsync).OperatorsOnly().WithName("listMarketAbuse").WithSummary("A market's abuse flags, newest first");
    }

    private static async Task<Results<Ok<AbuseListResponse>, ProblemHttpResult>> ListAsync(
        HttpContext http, TableReads tables, string? cursor, string? limit, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var (size, before) = (fields.Limit(limit), fields.TimeCursor(cursor) ?? End);
        return fields.Problem() is { } invalid
            ? invalid
            : Page(await tables.ReadAsync(http, "abuse_events", All, Read, [before, size + 1L], cancellationToken), size);
    }

    private static async Task<Results<Ok<AbuseListResponse>, ProblemHttpResult>> OfMarketAsync(
        string id, HttpContext http, Reads reads, TableReads tables, string? cursor, string? limit, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var (size, before) = (fields.Limit(limit), fields.TimeCursor(cursor) ?? End);
        if (fields.Problem() is { } invalid)
        {
            return invalid;
        }

        var (_, problem) = await reads.PresentMarketAsync(http.Request, id, cancellationToken);
        return problem is not null ? problem : Page(await tables.ReadAsync(http, "abuse_events", OfMarket, Read, [id, before, size + 1L], cancellationToken), size);
    }

    private static Ok<AbuseListResponse> Page(TableRead<(AbuseItem Item, Instant At)> found, int size)
    {
        var (lines, more) = Paging.Cut(found.Rows, size);
        return TypedResults.Ok(new AbuseListResponse([.. lines.Select(line => line.Item)], more ? Paging.Text(lines[^1].At) : null, found.Position));
    }

    private static (AbuseItem, Instant) Read(TableLine line) => (
        new AbuseItem(line.Text(0), line.Text(1), MarketPage.Text(line.Time(2)), line.Text(3), line.Text(4), line.TextOrNull(5), line.TextOrNull(6)), line.Time(2));
}

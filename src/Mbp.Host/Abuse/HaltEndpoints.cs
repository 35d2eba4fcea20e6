using System.Text.Json;
using Mbp.Host.Markets;
using Mbp.Host.Platform;
using Mbp.Ledger;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Mbp.Host.Abuse;

/// <summary>A market's halts with what they rest on.</summary>
internal static class HaltEndpoints
{
    private const string Sql = """
        SELECT position FROM mbp_audit_trail
        WHERE stream_id = $1 AND position < $2 AND action <> 'trade_executed' AND action IN ('market_halted', 'market_halt_eased', 'market_resumed')
        ORDER BY position DESC LIMIT $3
        """;

    private const int LargestPage = 100;

    public static void Map(RouteGroupBuilder v2) =>
        v2.MapGet("/markets/{id}/halts", ListAsync).WithName("listHalts").WithSummary("A market's halts, newest first, each with its rule and evidence");

    private static async Task<Results<Ok<HaltListResponse>, ProblemHttpResult>> ListAsync(
        string id, HttpContext http, Reads reads, TableReads tables, IEventStore store, string? cursor, string? limit, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var (size, before) = (Math.Min(fields.Limit(limit), LargestPage), fields.Cursor(cursor) ?? long.MaxValue);
        if (fields.Problem() is { } invalid)
        {
            return invalid;
        }

        var (market, problem) = await reads.PresentMarketAsync(http.Request, id, cancellationToken);
        if (problem is not null)
        {
            return problem;
        }

        var found = await tables.ReadAsync(http, "audit_trail", Sql, line => line.Whole(0), [market!.Terms!.MarketId.Stream.Value, before, size + 1L], cancellationToken);
        var (positions, more) = Paging.Cut(found.Rows, size);
        var items = new List<HaltItem>(positions.Count);
        foreach (var position in positions)
        {
            await foreach (var stored in store.ReadRangeAsync(position - 1, position, cancellationToken))
            {
                using var data = JsonDocument.Parse(stored.Data);
                items.Add(new HaltItem(position, MarketPage.Text(stored.At), stored.Type, stored.Header("actor"), data.RootElement.Clone()));
            }
        }

        return TypedResults.Ok(new HaltListResponse(items, more ? Paging.Text(positions[^1]) : null, found.Position));
    }
}

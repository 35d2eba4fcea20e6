using Mbp.Domain.Accounts;
using Mbp.Host.Platform;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Mbp.Host.Trading;

/// <summary>Every trade of a market or of an account, newest first.</summary>
internal static class TradeListEndpoints
{
    public static void Map(RouteGroupBuilder v2)
    {
        v2.MapGet("/markets/{id}/trades", OfMarketAsync).WithName("listMarketTrades").WithSummary("A market's trades, newest first; `account` for operators and for its own key");
        v2.MapGet("/accounts/{id}/trades", OfAccountAsync).WithName("listAccountTrades").WithSummary("An account's trades in all markets, newest first");
    }

    private static async Task<Results<Ok<TradeListResponse>, ProblemHttpResult>> OfMarketAsync(
        string id, HttpContext http, Reads reads, TableReads tables, string? account, string? cursor, string? limit, CancellationToken cancellationToken)
    {
        if (account is not null && Principal.Of(http).WhyNotSee(account) is { } forbidden)
        {
            return forbidden;
        }

        var fields = new Fields();
        var (size, before) = (fields.Limit(limit), fields.Cursor(cursor) ?? long.MaxValue);
        if (account is not null)
        {
            fields.Account("account", account);
        }

        if (fields.Problem() is { } invalid)
        {
            return invalid;
        }

        var (_, problem) = await reads.PresentMarketAsync(http.Request, id, cancellationToken);
        return problem is not null ? problem
            : account is null ? await ListAsync(http, tables, "market_id = $1 AND position < $2", [id, before], size, cancellationToken)
            : await ListAsync(http, tables, "market_id = $1 AND position < $2 AND account_id = $4", [id, before, account], size, cancellationToken);
    }

    private static async Task<Results<Ok<TradeListResponse>, ProblemHttpResult>> OfAccountAsync(
        string id, HttpContext http, Reads reads, TableReads tables, string? cursor, string? limit, CancellationToken cancellationToken)
    {
        if (Principal.Of(http).WhyNotSee(id) is { } forbidden)
        {
            return forbidden;
        }

        var fields = new Fields();
        var (size, before) = (fields.Limit(limit), fields.Cursor(cursor) ?? long.MaxValue);
        if (fields.Problem() is { } invalid)
        {
            return invalid;
        }

        var (_, _, problem) = await reads.PresentAccountAsync(http.Request, new AccountId(id), cancellationToken);
        return problem is not null ? problem : await ListAsync(http, tables, "account_id = $1 AND position < $2", [id, before], size, cancellationToken);
    }

    private static async Task<Ok<TradeListResponse>> ListAsync(
        HttpContext http, TableReads tables, string where, IReadOnlyList<object> values, int size, CancellationToken cancellationToken)
    {
        var found = await tables.ReadAsync(
            http, "trades", $"SELECT {TradeItem.Columns} FROM mbp_trades WHERE {where} ORDER BY position DESC LIMIT $3", TradeItem.Of,
            [values[0], values[1], size + 1L, .. values.Skip(2)], cancellationToken);
        var (items, more) = Paging.Cut(found.Rows, size);
        return TypedResults.Ok(new TradeListResponse(items, more ? Paging.Text(items[^1].Position) : null, found.Position));
    }
}

using Mbp.Domain.Accounts;
using Mbp.Domain.Units;
using Mbp.Host.Markets;
using Mbp.Host.Platform;
using Mbp.Ledger.Postgres.Reading;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Mbp.Host.Accounts;

/// <summary>A movement of an account's credits.</summary>
/// <param name="Position">Its place in the ledger.</param>
/// <param name="At">Ledger time.</param>
/// <param name="Kind"><c>grant</c>, <c>trade</c>, <c>liquidity</c>, <c>payout</c> (of a market), <c>moderation</c>, <c>bond</c>, <c>withdrawal</c> or <c>withdrawal_return</c>.</param>
/// <param name="Amount">CE$; negative where credits left the account.</param>
/// <param name="Balance">The balance after it.</param>
/// <param name="MarketId">The market that they went to or came from.</param>
/// <param name="Reference">The trade, the reason of a grant, or the withdrawal.</param>
public sealed record StatementLine(long Position, string At, string Kind, string Amount, string Balance, string? MarketId, string Reference);

/// <summary>The lines of an account add up to its balance, and those of a page to the difference of its two balances.</summary>
/// <param name="AccountId">The account.</param>
/// <param name="Order"><c>desc</c> = newest first, <c>asc</c> = oldest first.</param>
/// <param name="OpeningBalance">Before the page's oldest line.</param>
/// <param name="ClosingBalance">After its newest.</param>
/// <param name="Items">The lines.</param>
/// <param name="NextCursor">For the page after this one; absent on the last.</param>
/// <param name="Position">How far the statement is: later movements are not in it yet.</param>
public sealed record StatementResponse(
    string AccountId, string Order, string OpeningBalance, string ClosingBalance, IReadOnlyList<StatementLine> Items, string? NextCursor, long Position);

internal static class StatementEndpoints
{
    private const string Columns = "SELECT position, ts, kind, amount, balance, market_id, reference FROM mbp_postings WHERE account_id = $1";

    private const string NewestFirst = $"{Columns} AND position < $2 ORDER BY position DESC LIMIT $3";

    private const string OldestFirst = $"{Columns} AND position > $2 ORDER BY position LIMIT $3";

    public static void Map(RouteGroupBuilder v2) =>
        v2.MapGet("/accounts/{id}/statement", GetAsync).WithName("getStatement").WithSummary("Every movement of an account's credits; `order` is `desc` (newest first) or `asc`");

    private static async Task<Results<Ok<StatementResponse>, ProblemHttpResult>> GetAsync(
        string id, HttpContext http, Reads reads, TableReads tables, string? order, string? cursor, string? limit, CancellationToken cancellationToken)
    {
        if (Principal.Of(http).WhyNotSee(id) is { } forbidden)
        {
            return forbidden;
        }

        var fields = new Fields();
        var newestFirst = fields.OneOf("order", order ?? "desc", "desc", "asc") != "asc";
        var (size, from) = (fields.Limit(limit), fields.Cursor(cursor) ?? (newestFirst ? long.MaxValue : 0));
        if (fields.Problem() is { } invalid)
        {
            return invalid;
        }

        var (_, _, problem) = await reads.PresentAccountAsync(http.Request, new AccountId(id), cancellationToken);
        if (problem is not null)
        {
            return problem;
        }

        var found = await tables.ReadAsync(http, "accounts", newestFirst ? NewestFirst : OldestFirst, Line.Read, [id, from, size + 1L], cancellationToken);
        var (lines, more) = Paging.Cut(found.Rows, size);
        // Without a line there is nothing between the two balances: both are that of the last movement before the page.
        var before = lines.Count > 0 || from == 0 ? 0
            : (await tables.ReadAsync(http, "accounts", NewestFirst, Line.Read, [id, newestFirst ? from : from == long.MaxValue ? from : from + 1, 1L], cancellationToken))
                .Rows.Select(line => line.Balance).FirstOrDefault();
        var (oldest, newest) = lines.Count == 0 ? (null, null) : newestFirst ? (lines[^1], lines[0]) : (lines[0], lines[^1]);
        return TypedResults.Ok(new StatementResponse(
            id, newestFirst ? "desc" : "asc", WideDecimal.Format(oldest?.Balance - oldest?.Amount ?? before), WideDecimal.Format(newest?.Balance ?? before),
            [.. lines.Select(line => line.Item)], more ? Paging.Text(lines[^1].Item.Position) : null, found.Position));
    }

    private sealed record Line(Int128 Amount, Int128 Balance, StatementLine Item)
    {
        public static Line Read(TableLine line)
        {
            var (amount, balance) = (line.Units(3), line.Units(4));
            return new Line(amount, balance, new StatementLine(
                line.Whole(0), MarketPage.Text(line.Time(1)), line.Text(2), WideDecimal.Format(amount), WideDecimal.Format(balance), line.TextOrNull(5), line.Text(6)));
        }
    }
}

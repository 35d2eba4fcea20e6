using Mbp.Domain.Accounts;
using Mbp.Domain.Payments;
using Mbp.Domain.Units;
using Mbp.Host.Markets;
using Mbp.Host.Platform;
using Mbp.Ledger.Postgres.Reading;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Mbp.Host.Payments;

internal static class WithdrawalEndpoints
{
    private const string Columns = """
        SELECT position, withdrawal_id, account_id, amount, payee, state, attempts, rail_reference, reason, requested_at, next_at, paid_at, reversed_at, ended_at FROM mbp_withdrawals
        """;

    private const string One = $"{Columns} WHERE withdrawal_id = $1";
    private const string OfAccount = $"{Columns} WHERE account_id = $1 AND position < $2 ORDER BY position DESC LIMIT $3";
    private const string InState = $"{Columns} WHERE state = $1 AND position < $2 ORDER BY position DESC LIMIT $3";

    private static readonly string[] States = ["requested", "submitted", "waiting", "settled", "failed", "reversed"];

    public static void Map(RouteGroupBuilder v2)
    {
        v2.MapPost("/accounts/{id}/withdrawals", RequestAsync).WithName("requestWithdrawal").WithSummary("Take credits out of an account, to be paid to a payee");
        v2.MapGet("/accounts/{id}/withdrawals", OfAccountAsync).WithName("listAccountWithdrawals").WithSummary("An account's withdrawals, newest first");
        v2.MapGet("/withdrawals", ListAsync).OperatorsOnly().WithName("listWithdrawals").WithSummary("All withdrawals in a `state`, newest first");
        v2.MapGet("/withdrawals/{id}", GetAsync).WithName("getWithdrawal").WithSummary("A withdrawal: how far it is");
    }

    private static async Task<Results<Ok<WithdrawalRequestedResponse>, ProblemHttpResult>> RequestAsync(
        string id, WithdrawalRequest request, HttpContext http, Commands commands, CancellationToken cancellationToken)
    {
        if (Principal.Of(http).WhyNotWithdraw(id) is { } forbidden)
        {
            return forbidden;
        }

        var fields = new Fields();
        var (account, amount) = (fields.Account("id", id), fields.Credits("amount", request.Amount));
        var payee = new PayeeId(fields.Id("payee", request.Payee));
        if (fields.Problem() is { } problem)
        {
            return problem;
        }

        var withdrawal = new WithdrawalId(Guid.CreateVersion7().ToString("N"));
        var outcome = await commands.SendAsync(http, Payouts.Request(withdrawal, account, amount, payee), request, cancellationToken);
        if (outcome.Rejection is { } rejection)
        {
            Telemetry.Refused(rejection.Code);
            return Problems.From(rejection);
        }

        // Of an answer that is given again, too: its id is the first one's.
        var asked = outcome.Find<WithdrawalRequested>() ?? throw new InvalidOperationException("A withdrawal was accepted and none is there.");
        return TypedResults.Ok(new WithdrawalRequestedResponse(
            asked.Withdrawal.Value, asked.Account.Value, asked.Amount.ToString(), asked.Payee.Value, "requested", outcome.Position, commands.ReceiptOf(outcome)));
    }

    private static async Task<Results<Ok<WithdrawalListResponse>, ProblemHttpResult>> OfAccountAsync(
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
        return problem is not null ? problem : Page(await tables.ReadAsync(http, "withdrawals", OfAccount, Read, [id, before, size + 1L], cancellationToken), size);
    }

    private static async Task<Results<Ok<WithdrawalListResponse>, ProblemHttpResult>> ListAsync(
        HttpContext http, TableReads tables, string? state, string? cursor, string? limit, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        fields.OneOf("state", state, States);
        var (size, before) = (fields.Limit(limit), fields.Cursor(cursor) ?? long.MaxValue);
        return fields.Problem() is { } invalid
            ? invalid
            : Page(await tables.ReadAsync(http, "withdrawals", InState, Read, [state!, before, size + 1L], cancellationToken), size);
    }

    private static async Task<Results<Ok<WithdrawalResponse>, ProblemHttpResult>> GetAsync(string id, HttpContext http, TableReads tables, CancellationToken cancellationToken)
    {
        if (!WithdrawalId.IsValid(id))
        {
            return Problems.From(PaymentErrors.NotFound);
        }

        var found = await tables.ReadAsync(http, "withdrawals", One, Read, [id], cancellationToken);
        // Another's looks as if it were not there: ids are nobody's to try out.
        return found.Rows is [var (item, _)] && Principal.Of(http).WhyNotSee(item.Account) is null
            ? TypedResults.Ok(new WithdrawalResponse(item, found.Position))
            : Problems.From(PaymentErrors.NotFound);
    }

    private static Ok<WithdrawalListResponse> Page(TableRead<(WithdrawalItem Item, long Position)> found, int size)
    {
        var (lines, more) = Paging.Cut(found.Rows, size);
        return TypedResults.Ok(new WithdrawalListResponse([.. lines.Select(line => line.Item)], more ? Paging.Text(lines[^1].Position) : null, found.Position));
    }

    private static (WithdrawalItem Item, long Position) Read(TableLine line) => (
        new WithdrawalItem(
            line.Text(1), line.Text(2), WideDecimal.Format(line.Units(3)), line.Text(4), line.Text(5), line.Whole(6), line.TextOrNull(7), line.TextOrNull(8), MarketPage.Text(line.Time(9)),
            Text(line, 10), Text(line, 11), Text(line, 12), Text(line, 13)),
        line.Whole(0));

    private static string? Text(TableLine line, int column) => line.TimeOrNull(column) is { } at ? MarketPage.Text(at) : null;
}

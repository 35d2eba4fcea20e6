using Mbp.Domain.Audit;
using Mbp.Host.Markets;
using Mbp.Host.Platform;
using Mbp.Ledger.Postgres.Reading;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Mbp.Host.Audit;

/// <summary>A line of the audit trail.</summary>
/// <param name="Position">The event's place in the ledger.</param>
/// <param name="At">When.</param>
/// <param name="Action">What: the event's wire name.</param>
/// <param name="Actor">Who, pseudonymous; absent for events that others appended.</param>
/// <param name="Reason">Why, where the event says so.</param>
/// <param name="Stream">The stream that it happened to.</param>
/// <param name="MarketId">The market that it is about.</param>
/// <param name="AccountId">The account that it is about.</param>
/// <param name="PolicyHash">The rule set in force, where the event says so.</param>
/// <param name="TraceId">The trace that it belongs to.</param>
/// <param name="CommandId">The command that caused it; all of one command's events share it.</param>
public sealed record AuditItem(
    long Position,
    string At,
    string Action,
    string? Actor,
    string? Reason,
    string Stream,
    string? MarketId,
    string? AccountId,
    string? PolicyHash,
    string TraceId,
    string CommandId);

/// <param name="Items">Newest first.</param>
/// <param name="NextCursor">For the page after this one; absent on the last.</param>
/// <param name="Position">How far the trail is: later events are not in it yet.</param>
public sealed record AuditListResponse(IReadOnlyList<AuditItem> Items, string? NextCursor, long Position);

/// <summary>Who did what, when and why. An account's side of a trade or payout is no line of its own: the market's says it.</summary>
internal static class AuditTrailEndpoints
{
    private const string Columns = "SELECT position, ts, action, actor, reason, stream_id, market_id, account_id, policy_hash, trace_id, command_id FROM mbp_audit_trail";

    // What the anti-abuse rules found about people is for operators.
    private const string OfMarket = $"{Columns} WHERE market_id = $1 AND position < $2 AND ($4 OR stream_id NOT LIKE 'abuse-%') ORDER BY position DESC LIMIT $3";

    private static readonly string[] Filters = ["actor", "account", "stream", "action"];
    private static readonly string[] FilterColumns = ["actor", "account_id", "stream_id", "action"];

    public static void Map(RouteGroupBuilder v2)
    {
        v2.MapGet("/markets/{id}/audit", OfMarketAsync).WithName("listMarketAudit").WithSummary("A market's audit trail, newest first");
        v2.MapGet("/audit", ListAsync).OperatorsOnly().WithName("listAudit").WithSummary("The audit trail of everything, newest first");
    }

    private static async Task<Results<Ok<AuditListResponse>, ProblemHttpResult>> OfMarketAsync(
        string id, HttpContext http, Reads reads, TableReads tables, string? cursor, string? limit, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var (size, before) = (fields.Limit(limit), fields.Cursor(cursor) ?? long.MaxValue);
        if (fields.Problem() is { } invalid)
        {
            return invalid;
        }

        var (_, problem) = await reads.PresentMarketAsync(http.Request, id, cancellationToken);
        return problem is not null
            ? problem
            : Page(await tables.ReadAsync(http, "audit_trail", OfMarket, Read, [id, before, size + 1L, Principal.Of(http).IsOperator], cancellationToken), size);
    }

    private static async Task<Results<Ok<AuditListResponse>, ProblemHttpResult>> ListAsync(
        HttpContext http, Reads reads, TableReads tables, PastStreams past, string? actor, string? account, string? stream, string? action, string? from, string? to,
        string? cursor, string? limit, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var (size, before) = (fields.Limit(limit), fields.Cursor(cursor) ?? long.MaxValue);
        var (start, end) = (fields.OptionalInstant("from", from), fields.OptionalInstant("to", to));
        string?[] given = [actor, account, stream, action];
        for (var i = 0; i < given.Length; i++)
        {
            if (given[i] is { } value)
            {
                fields.Text(Filters[i], value, longest: 500);
            }
        }

        var (view, problem) = await reads.NowAsync(http.Request, cancellationToken);
        if ((fields.Problem() ?? problem) is { } invalid)
        {
            return invalid;
        }

        // Ledger time grows with positions, so a range of time is one of positions, and the trail needs no order by time of its own.
        var after = start is { } begin ? await past.PositionAsync(begin - NodaTime.Duration.FromTicks(1), view.Position, cancellationToken) : 0;
        before = end is { } until && until <= view.At ? Math.Min(before, await past.PositionAsync(until - NodaTime.Duration.FromTicks(1), view.Position, cancellationToken) + 1) : before;
        var (where, values) = ("position > $1 AND position < $2", new List<object> { after, before, size + 1L });
        for (var i = 0; i < given.Length; i++)
        {
            if (given[i] is { } value)
            {
                values.Add(value);
                where = $"{where} AND {FilterColumns[i]} = ${values.Count}";
            }
        }

        where = action is not null and not AuditTrail.Trade || stream?.StartsWith("market-", StringComparison.Ordinal) == false
            // Said, so that the index of all lines but trades may be used.
            ? $"{where} AND action <> '{AuditTrail.Trade}'"
            : where;
        if (stream is ['m', 'a', 'r', 'k', 'e', 't', '-', .. var market])
        {
            // A market's own stream is nearly all of its trail, which is in order.
            values.Add(market);
            where = $"{where} AND market_id = ${values.Count}";
        }

        return Page(await tables.ReadAsync(http, "audit_trail", $"{Columns} WHERE {where} ORDER BY position DESC LIMIT $3", Read, values, cancellationToken), size);
    }

    private static Ok<AuditListResponse> Page(TableRead<AuditItem> found, int size)
    {
        var (items, more) = Paging.Cut(found.Rows, size);
        return TypedResults.Ok(new AuditListResponse(items, more ? Paging.Text(items[^1].Position) : null, found.Position));
    }

    private static AuditItem Read(TableLine line) => new(
        line.Whole(0), MarketPage.Text(line.Time(1)), line.Text(2), line.TextOrNull(3), line.TextOrNull(4), line.Text(5), line.TextOrNull(6), line.TextOrNull(7),
        line.TextOrNull(8), line.Text(9), line.Text(10));
}

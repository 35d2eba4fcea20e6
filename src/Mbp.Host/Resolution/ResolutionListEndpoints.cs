using Mbp.Host.Markets;
using Mbp.Host.Platform;
using Mbp.Ledger.Postgres.Reading;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Mbp.Host.Resolution;

/// <summary>A market's resolution, from its start.</summary>
/// <param name="MarketId">The market.</param>
/// <param name="Question">What was asked.</param>
/// <param name="Category">From the template.</param>
/// <param name="Status">The market's: <c>paused</c> until the value is final, then <c>resolved</c> or <c>canceled</c>.</param>
/// <param name="Phase">Finer: Collecting, Determined, Finalized, Settling, Settled, Voided.</param>
/// <param name="StartedAt">When it started.</param>
/// <param name="Deadline">When it is overdue.</param>
/// <param name="RuleVersion">The rule set's version.</param>
/// <param name="SourceKind">Who says what came true.</param>
/// <param name="SourceRef">Where.</param>
/// <param name="Value">The determined value.</param>
/// <param name="DecidedAt">When it was determined.</param>
/// <param name="DecidedBy">Pseudonymous ids.</param>
/// <param name="EvidenceUri">What backs it.</param>
/// <param name="TraceId">The trace of the decision.</param>
public sealed record ResolutionItem(
    string MarketId,
    string Question,
    string Category,
    string Status,
    string Phase,
    string StartedAt,
    string Deadline,
    string RuleVersion,
    string SourceKind,
    string? SourceRef,
    string? Value,
    string? DecidedAt,
    IReadOnlyList<string>? DecidedBy,
    string? EvidenceUri,
    string? TraceId);

/// <param name="Items">In the order of the markets' ids.</param>
/// <param name="NextCursor">For the page after this one; absent on the last.</param>
/// <param name="Position">How far the list is.</param>
public sealed record ResolutionListResponse(IReadOnlyList<ResolutionItem> Items, string? NextCursor, long Position);

internal static class ResolutionListEndpoints
{
    private static readonly string[] Statuses = ["paused", "resolved", "canceled"];

    private const string Sql = """
        SELECT r.market_id, m.name, m.category, m.status, m.phase, r.started_at, m.resolution_deadline, r.rule_version, r.source_kind, r.source_ref,
          r.decided_value, r.decided_at, r.decided_by, r.evidence_uri, r.audit_trace_id
        FROM mbp_resolutions r CROSS JOIN LATERAL (SELECT name, category, status, phase, resolution_deadline FROM mbp_markets WHERE market_id = r.market_id OFFSET 0) m
        WHERE r.market_id > $1 AND ($2 = '' OR m.status = $2) ORDER BY r.market_id LIMIT $3
        """;

    public static void Map(RouteGroupBuilder v2) =>
        v2.MapGet("/resolutions", ListAsync).WithName("listResolutions").WithSummary("Resolutions that have started, by market; `status` is `paused`, `resolved` or `canceled`");

    private static async Task<Results<Ok<ResolutionListResponse>, ProblemHttpResult>> ListAsync(
        HttpContext http, Reads reads, TableReads tables, string? status, string? cursor, string? limit, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var size = fields.Limit(limit);
        if (status is not null)
        {
            fields.OneOf("status", status, Statuses);
        }

        if (cursor is not null)
        {
            fields.Id("cursor", cursor);
        }

        var (_, problem) = await reads.NowAsync(http.Request, cancellationToken);
        if ((fields.Problem() ?? problem) is { } invalid)
        {
            return invalid;
        }

        var found = await tables.ReadAsync(http, ["resolutions", "markets"], Sql, Read, [cursor ?? "", status ?? "", size + 1L], cancellationToken);
        var (items, more) = Paging.Cut(found.Rows, size);
        return TypedResults.Ok(new ResolutionListResponse(items, more ? items[^1].MarketId : null, found.Position));
    }

    private static ResolutionItem Read(TableLine line) => new(
        line.Text(0), line.Text(1), line.Text(2), line.Text(3), line.Text(4), MarketPage.Text(line.Time(5)), MarketPage.Text(line.Time(6)), line.Text(7), line.Text(8),
        line.TextOrNull(9), line.TextOrNull(10), line.TimeOrNull(11) is { } at ? MarketPage.Text(at) : null, line.TextOrNull(12)?.Split(','), line.TextOrNull(13), line.TextOrNull(14));
}

using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution;
using Mbp.Domain.Resolution.Oracle;
using Mbp.Domain.Units;
using Mbp.Host.Anchoring;
using Mbp.Host.Markets;
using Mbp.Host.Platform;
using Mbp.Ledger;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Mbp.Host.Resolution;

/// <summary>A source's report. What is signed are these lines, each ended by a line feed: <c>mbp-report/v1</c>, <c>market: ID</c>, <c>round: N</c>,
/// <c>value: VALUE</c>, <c>observed-at: INSTANT</c>, <c>evidence: EVIDENCE</c>.</summary>
/// <param name="Source">Its id in the rule set.</param>
/// <param name="Round">The round that it is for, from 1.</param>
/// <param name="Value">An outcome's name, a scalar's number, INVALID or TOO_EARLY.</param>
/// <param name="ObservedAt">When the source saw it, UTC.</param>
/// <param name="Evidence">What backs it: a hash or a link.</param>
/// <param name="Signature">Ed25519 over the lines, base64.</param>
public sealed record ReportRequest(string? Source, int? Round, string? Value, string? ObservedAt, string? Evidence, string? Signature);

/// <param name="Id">The market.</param>
/// <param name="Result"><c>accepted</c>, <c>repeated</c>, <c>rejected</c> or <c>equivocated</c>.</param>
/// <param name="Reason">Why a signed report does not count.</param>
/// <param name="Phase">Where the market is now: <c>Determined</c> where the report made a quorum that nothing can change.</param>
/// <param name="Position">The report's place in the ledger; where nothing was written, where that was decided.</param>
/// <param name="Receipt">For what was written.</param>
public sealed record ReportResponse(string Id, string Result, string? Reason, string Phase, long Position, ReceiptItem? Receipt = null);

/// <param name="Number">From 1.</param>
/// <param name="Until">When it ends.</param>
/// <param name="Reports">The first report of each source.</param>
/// <param name="Equivocators">Sources that said two things: neither counts.</param>
public sealed record RoundItem(int Number, string Until, IReadOnlyList<ReportItem> Reports, IReadOnlyList<string> Equivocators)
{
    internal static RoundItem Of(OracleRound round) => new(
        round.Number, MarketPage.Text(round.Until),
        [.. round.Reports.Select(r => new ReportItem(r.Source, r.Value, MarketPage.Text(r.ObservedAt), r.Evidence, r.Signature, MarketPage.Text(r.At)))], [.. round.Equivocators]);
}

public sealed record ReportItem(string Source, string Value, string ObservedAt, string Evidence, string Signature, string At);

/// <summary>A rule set's sources as a feed.</summary>
/// <param name="Ruleset">Whose.</param>
/// <param name="Mode"><c>consensus</c>, or <c>fallbacktwap</c>: then the average of trades is the mark price, and it finalizes nothing.</param>
/// <param name="Since">When the fallback was entered.</param>
/// <param name="Sources">With what their word counts now.</param>
/// <param name="Position">The ledger position that the answer shows.</param>
public sealed record OracleResponse(string Ruleset, string Mode, string? Since, IReadOnlyList<SourceItem> Sources, long Position);

/// <param name="Id">Its id.</param>
/// <param name="Key">Its Ed25519 key, base64.</param>
/// <param name="Group">Who operates it.</param>
/// <param name="Weight">Its registered weight.</param>
/// <param name="Reputation">The part of that weight that its word counts for, 0 to 1.</param>
public sealed record SourceItem(string Id, string Key, string Group, int Weight, string Reputation);

internal static class OracleEndpoints
{
    public static void Map(RouteGroupBuilder v2)
    {
        v2.MapPost("/markets/{id}/resolution/reports", ReportAsync).WithName("submitReport").WithSummary("Bring a registered source's signed report");
        v2.MapGet("/oracles/{ruleset}", GetAsync).WithName("getOracle").WithSummary("A rule set's sources, what their word counts, and whether their feed has failed");
    }

    private static async Task<Results<Ok<ReportResponse>, ProblemHttpResult>> ReportAsync(
        string id, ReportRequest request, HttpContext http, Commands commands, ResolutionSteps steps, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var source = fields.Id("source", request.Source);
        var value = fields.Text("value", request.Value, longest: 100);
        var observedAt = fields.OptionalInstant("observedAt", request.ObservedAt);
        var evidence = fields.Text("evidence", request.Evidence, longest: 2_000);
        var signature = fields.Text("signature", request.Signature, longest: 100);
        if (request.Round is not >= 1)
        {
            fields.Fail("round", "Is a whole number from 1.");
        }

        if (request.ObservedAt is null)
        {
            fields.Fail("observedAt", "Is required: a UTC instant such as 2026-12-31T23:59:59Z.");
        }

        if (fields.Problem() is { } problem)
        {
            return problem;
        }

        using var span = Telemetry.Source.StartActivity("rule.eval");
        var (outcome, phase, refused) = await steps.TakeAsync(
            id, at => new SubmitReport(new MarketId(id), request.Round!.Value, source, value, observedAt!.Value, evidence, signature, at), request, opening: null, http, cancellationToken);
        if (refused is not null)
        {
            return refused;
        }

        var (result, reason) = outcome!.Find<ReportRejected>() is { } rejected ? ("rejected", rejected.Reason)
            : outcome.Find<SourceEquivocated>() is not null ? ("equivocated", null)
            : outcome.Find<ReportAccepted>() is not null ? ("accepted", (string?)null)
            : ("repeated", null);
        return TypedResults.Ok(new ReportResponse(id, result, reason, phase, outcome.Position, commands.ReceiptOf(outcome)));
    }

    private static async Task<Results<Ok<OracleResponse>, ProblemHttpResult>> GetAsync(string ruleset, HttpContext http, Reads reads, CancellationToken cancellationToken)
    {
        var (view, problem) = await reads.NowAsync(http.Request, cancellationToken);
        if (problem is not null)
        {
            return problem;
        }

        if (view.Rulesets.GetValueOrDefault(ruleset)?.Newest?.Rules is not { Oracle: { } rules })
        {
            return Problems.From(new Rejection(RejectionKind.NotFound, "oracle.not_found", "There is no rule set of this name that names sources.", "ruleset"));
        }

        var oracle = view.Oracles.GetValueOrDefault(ruleset) ?? OracleFeed.Initial;
        return TypedResults.Ok(new OracleResponse(
            ruleset, Words.Of(oracle.Failover.Mode), oracle.Failover.Since is { } since ? MarketPage.Text(since) : null, [.. rules.Sources.Select(Show)], view.Position));

        SourceItem Show(Voter source) => new(source.Id, source.Key, source.Group, source.Weight, Decimal8.Format((long)oracle.ReputationOf(source.Id) * (Decimal8.One / OracleFeed.Full)));
    }
}

using Mbp.Domain.Markets;
using Mbp.Domain.Resolution;
using Mbp.Host.Anchoring;
using Mbp.Host.Markets;
using Mbp.Host.Platform;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Mbp.Host.Resolution;

/// <param name="Value">What the value is instead.</param>
/// <param name="EvidenceUri">What backs that: an absolute URI.</param>
/// <param name="Reason">Why, at most 500 characters.</param>
/// <param name="Account">Whose bond; only an operator's key names it.</param>
public sealed record DisputeRequest(string? Value, string? EvidenceUri, string? Reason, string? Account);

/// <param name="Id">The market.</param>
/// <param name="Number">The dispute's number, from 1.</param>
/// <param name="Bond">What was taken from the account, CE$.</param>
/// <param name="Phase">Where the market is now.</param>
/// <param name="Until">Until when the judges have.</param>
/// <param name="Position">Its place in the ledger.</param>
/// <param name="Receipt">For what was written.</param>
public sealed record DisputeResponse(string Id, int Number, string Bond, string Phase, string Until, long Position, ReceiptItem? Receipt = null);

/// <summary>A judge's word. Where the rule set names judges it is signed; the lines, each ended by a line feed: <c>mbp-ruling/v1</c>, <c>market: ID</c>,
/// <c>dispute: N</c>, <c>value: VALUE</c>, <c>evidence: URI</c>. Where it names none, an operator's key is enough.</summary>
/// <param name="Value">What the value is.</param>
/// <param name="EvidenceUri">What backs that: an absolute URI.</param>
/// <param name="Judge">The judge's id; absent for an operator.</param>
/// <param name="Signature">Ed25519 over the lines, base64; absent for an operator.</param>
public sealed record RulingRequest(string? Value, string? EvidenceUri, string? Judge, string? Signature);

/// <param name="Number">From 1.</param>
/// <param name="By">Who opened it.</param>
/// <param name="Bond">What each side has at stake, CE$.</param>
/// <param name="Value">What the disputer says the value is.</param>
/// <param name="EvidenceUri">What backs that.</param>
/// <param name="Reason">Why.</param>
/// <param name="Stage"><c>panel</c> or <c>arbitration</c>.</param>
/// <param name="Until">Until when the judges have.</param>
/// <param name="Rulings">What they said so far.</param>
public sealed record DisputeItem(int Number, string By, string Bond, string Value, string EvidenceUri, string Reason, string Stage, string Until, IReadOnlyList<RulingItem> Rulings)
{
    internal static DisputeItem Of(MarketResolution.Disputed state) => Of(state.Dispute, "panel", state.Dispute.Until, [.. state.Rulings]);

    internal static DisputeItem Of(MarketResolution.Arbitration state) => Of(state.Dispute, "arbitration", state.Until, [.. state.PanelRulings, .. state.Rulings]);

    private static DisputeItem Of(DisputeOpened e, string stage, NodaTime.Instant until, IReadOnlyList<RulingRecorded> rulings) => new(
        e.Number, e.By.Value, e.Bond.ToString(), e.Value, e.EvidenceUri, e.Reason, stage, MarketPage.Text(until),
        [.. rulings.Select(r => new RulingItem(r.Judge, r.Value, r.EvidenceUri, r.Signature, MarketPage.Text(r.At)))]);
}

public sealed record RulingItem(string Judge, string Value, string EvidenceUri, string? Signature, string At);

internal static class DisputeEndpoints
{
    public static void Map(RouteGroupBuilder v2)
    {
        v2.MapPost("/markets/{id}/resolution/disputes", OpenAsync).WithName("openDispute").WithSummary("Put a bond on it that the determined value is wrong");
        v2.MapPost("/markets/{id}/resolution/disputes/{number}/rulings", RuleAsync).WithName("ruleDispute").WithSummary("A judge's word on a dispute, of the panel or in arbitration");
    }

    private static async Task<Results<Ok<DisputeResponse>, ProblemHttpResult>> OpenAsync(
        string id, DisputeRequest request, HttpContext http, Commands commands, ResolutionSteps steps, CancellationToken cancellationToken)
    {
        var (account, denied) = Principal.Of(http).AccountFor(request.Account);
        if (denied is not null)
        {
            return denied;
        }

        var fields = new Fields();
        var value = fields.Text("value", request.Value, longest: 100);
        var evidence = fields.Text("evidenceUri", request.EvidenceUri, longest: 2_000);
        var reason = fields.Text("reason", request.Reason, longest: 500);
        if (fields.Problem() is { } problem)
        {
            return problem;
        }

        var (outcome, phase, refused) = await steps.TakeAsync(id, at => new OpenDispute(new MarketId(id), account, value, evidence, reason, at), request, account, http, cancellationToken);
        if (refused is not null)
        {
            return refused;
        }

        var opened = outcome!.Find<DisputeOpened>() ?? throw new InvalidOperationException("A dispute was accepted and is not there.");
        var until = outcome.Find<ArbitrationOpened>()?.Until ?? opened.Until;
        return TypedResults.Ok(new DisputeResponse(id, opened.Number, opened.Bond.ToString(), phase, MarketPage.Text(until), outcome.Position, commands.ReceiptOf(outcome)));
    }

    private static async Task<Results<Ok<ResolutionStateResponse>, ProblemHttpResult>> RuleAsync(
        string id, string number, RulingRequest request, HttpContext http, ResolutionSteps steps, CancellationToken cancellationToken)
    {
        var principal = Principal.Of(http);
        var fields = new Fields();
        var value = fields.Text("value", request.Value, longest: 100);
        var evidence = fields.Text("evidenceUri", request.EvidenceUri, longest: 2_000);
        if (!int.TryParse(number, System.Globalization.NumberStyles.None, null, out var dispute))
        {
            fields.Fail("number", "Is a whole number.");
        }

        if (request.Judge is null != request.Signature is null)
        {
            fields.Fail("signature", "Is given together with judge.");
        }

        var judge = request.Judge is null ? principal.Id : fields.Id("judge", request.Judge);
        var signature = request.Signature is null ? null : fields.Text("signature", request.Signature, longest: 100);
        if (fields.Problem() is { } problem)
        {
            return problem;
        }

        return signature is null && !principal.IsOperator
            ? Problems.Make(403, "auth.operators_only", "A ruling without a judge's signature is an operator's.")
            : await steps.SendAsync(id, at => new RecordRuling(new MarketId(id), dispute, judge, value, evidence, signature, at), request, http, cancellationToken);
    }
}

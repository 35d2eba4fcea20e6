using Mbp.Domain.Markets;
using Mbp.Domain.Settlement;
using Mbp.Host.Platform;
using Mbp.Host.Resolution;
using Mbp.Ledger.Reading;
using Mbp.Ledger.Writing;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Mbp.Host.Settlement;

/// <summary>A wrong settlement is corrected by two operators; the clock posts what they agreed on.</summary>
internal static class CorrectionEndpoints
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public static void Map(RouteGroupBuilder v2)
    {
        v2.MapPost("/markets/{id}/settlement/correction", ProposeAsync).OperatorsOnly().WithName("proposeCorrection")
            .WithSummary("Propose the value by which a settled market should have been paid");
        v2.MapPost("/markets/{id}/settlement/correction/approve", ApproveAsync).OperatorsOnly().WithName("approveCorrection")
            .WithSummary("Approve another operator's correction; the differences are then posted");
    }

    private static async Task<Results<Ok<CorrectionStateResponse>, ProblemHttpResult>> ProposeAsync(
        string id, CorrectionRequest request, HttpContext http, Commands commands, LiveLedger live, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var market = fields.Market("id", id);
        var value = fields.Text("value", request.Value, longest: 100);
        var evidence = fields.Text("evidenceUri", request.EvidenceUri, longest: 2_000);
        var reason = fields.Text("reason", request.Reason, longest: 500);
        if (fields.Problem() is { } problem)
        {
            return problem;
        }

        var outcome = await commands.SendAsync(http, SettlementOperation.Propose(market, value, evidence, reason, Principal.Of(http).Id), request, cancellationToken);
        return await AnswerAsync(market, outcome, commands, live, cancellationToken);
    }

    private static async Task<Results<Ok<CorrectionStateResponse>, ProblemHttpResult>> ApproveAsync(
        string id, EmptyRequest? request, HttpContext http, Commands commands, LiveLedger live, EventFeed feed, SettlementSteps settlement, CancellationToken cancellationToken)
    {
        if (!MarketId.IsValid(id))
        {
            return Problems.From(MarketErrors.NotFound);
        }

        // What the other operator has just proposed is to be seen here.
        var market = new MarketId(id);
        var view = (await live.AtLeastAsync(feed.Head, Patience, cancellationToken)).Find(market);
        if (view is null)
        {
            return Problems.From(MarketErrors.NotFound);
        }

        if (view.Settlement is not MarketSettlement.Settled { Corrections: { } corrections } settled || CorrectionDecider.InForce(view.Resolution, settled) is not { } before
            || VectorOf(corrections.Step) is not { } after)
        {
            return Problems.From(CorrectionErrors.NothingProposed);
        }

        var plan = await settlement.CorrectionOfAsync(view, before, after, cancellationToken);
        var operation = SettlementOperation.Approve(market, plan, settlement.ShortfallOf(plan), Principal.Of(http).Id);
        var outcome = await commands.SendAsync(http, operation, request, cancellationToken);
        return await AnswerAsync(market, outcome, commands, live, cancellationToken);
    }

    /// <summary>The last correction; null where there is none.</summary>
    public static CorrectionItem? Show(MarketSettlement settlement) => (settlement as MarketSettlement.Settled)?.Corrections?.Step switch
    {
        CorrectionStep.Proposed { Proposal: var p } => new CorrectionItem(p.Number, "proposed", p.Value, [.. p.Vector.Select(q => q.ToString())], p.EvidenceUri, p.Reason, [p.By]),
        CorrectionStep.Posting step => Item(step.Plan, "posting") with
        {
            Posted = step.Posted, Back = step.Back.ToString(), More = step.More.ToString(), Shortfall = step.Shortfall.ToString(), Repaid = step.Repaid.ToString(),
        },
        CorrectionStep.Done { Plan: var plan, Result: var r } => Item(plan, "done") with
        {
            Posted = plan.Accounts, Back = r.Back.ToString(), More = r.More.ToString(), Shortfall = r.Shortfall.ToString(), Repaid = r.Repaid.ToString(),
        },
        _ => null,
    };

    private static CorrectionItem Item(SettlementCorrected plan, string state) => new(
        plan.Number, state, plan.Value, [.. plan.Vector.Select(q => q.ToString())], plan.EvidenceUri, plan.Reason, [.. plan.By], plan.Accounts, Root: plan.Root);

    // An approval that is asked again under its key is answered as it was: by then it is no proposal any more.
    private static Domain.Units.EquatableArray<Domain.Units.Price>? VectorOf(CorrectionStep? step) => step switch
    {
        CorrectionStep.Proposed { Proposal: var proposal } => proposal.Vector,
        CorrectionStep.Posting { Plan: var plan } => plan.Vector,
        CorrectionStep.Done { Plan: var plan } => plan.Vector,
        _ => null,
    };

    private static async Task<Results<Ok<CorrectionStateResponse>, ProblemHttpResult>> AnswerAsync(
        MarketId market, CommandOutcome outcome, Commands commands, LiveLedger live, CancellationToken cancellationToken)
    {
        if (outcome.Rejection is { } rejection)
        {
            return Problems.From(rejection);
        }

        var view = await live.AtLeastAsync(outcome.Position, Patience, cancellationToken);
        return TypedResults.Ok(new CorrectionStateResponse(market.Value, Show(view.Find(market)!.Settlement)!, outcome.Position, commands.ReceiptOf(outcome)));
    }
}

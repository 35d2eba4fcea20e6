using System.Diagnostics;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution;
using Mbp.Domain.Settlement;
using Mbp.Host.Markets;
using Mbp.Domain.Units;
using Mbp.Host.Platform;
using Mbp.Host.Settlement;
using Mbp.Ledger;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Mbp.Host.Resolution;

internal static class ResolutionEndpoints
{
    private static readonly Rejection ManualIsOff = new(
        RejectionKind.Forbidden, "resolution.manual_disabled", "Resolving by hand is switched off (flag mbp.resolve.manual).");

    public static void Map(RouteGroupBuilder v2)
    {
        v2.MapGet("/markets/{id}/resolution", GetAsync).WithName("getResolution").WithSummary("Where a market's resolution and settlement stand");
        v2.MapPost("/markets/{id}/resolution/start", StartAsync).OperatorsOnly().WithName("startResolution").WithSummary("Start the resolution, or look at its source again");
        v2.MapPost("/markets/{id}/resolution/manual", ProposeAsync).OperatorsOnly().WithName("proposeManually").WithSummary("Propose a value by hand, with evidence");
        v2.MapPost("/markets/{id}/resolution/manual/approve", ApproveAsync).OperatorsOnly().WithName("approveManually").WithSummary("Approve another operator's proposal");
        v2.MapPost("/markets/{id}/resolution/rollback", ProposeRollbackAsync).OperatorsOnly().WithName("proposeRollback").WithSummary("Propose to take back what was determined, before payouts begin");
        v2.MapPost("/markets/{id}/resolution/rollback/approve", ApproveRollbackAsync).OperatorsOnly().WithName("approveRollback").WithSummary("Approve another operator's rollback");
        v2.MapPost("/truth/{table}/{key}", RecordAsync).OperatorsOnly().WithName("recordTruth").WithSummary("Record a fact in a truth table, once");
    }

    private static async Task<Results<Ok<ResolutionStateResponse>, ProblemHttpResult>> StartAsync(
        string id, EmptyRequest? request, HttpContext http, ResolutionSteps steps, CancellationToken cancellationToken)
    {
        using var span = Telemetry.Source.StartActivity("rule.eval", ActivityKind.Internal);
        var by = Principal.Of(http).Id;
        return await steps.SendAsync(id, at => new StartResolution(new MarketId(id), by, at), request, http, cancellationToken);
    }

    private static async Task<Results<Ok<ResolutionStateResponse>, ProblemHttpResult>> ProposeAsync(
        string id, ManualRequest request, HttpContext http, ResolutionSteps steps, MbpOptions options, CancellationToken cancellationToken)
    {
        if (!options.IsOn("mbp.resolve.manual"))
        {
            return Problems.From(ManualIsOff);
        }

        var fields = new Fields();
        var value = fields.Text("value", request.Value, longest: 100);
        var evidence = fields.Text("evidenceUri", request.EvidenceUri, longest: 2_000);
        if (fields.Problem() is { } problem)
        {
            return problem;
        }

        var by = Principal.Of(http).Id;
        return await steps.SendAsync(id, at => new ProposeManually(new MarketId(id), value, evidence, by, at), request, http, cancellationToken);
    }

    private static async Task<Results<Ok<ResolutionStateResponse>, ProblemHttpResult>> ApproveAsync(
        string id, EmptyRequest? request, HttpContext http, ResolutionSteps steps, MbpOptions options, CancellationToken cancellationToken)
    {
        if (!options.IsOn("mbp.resolve.manual"))
        {
            return Problems.From(ManualIsOff);
        }

        var by = Principal.Of(http).Id;
        return await steps.SendAsync(id, at => new ApproveManually(new MarketId(id), by, at), request, http, cancellationToken);
    }

    private static async Task<Results<Ok<TruthResponse>, ProblemHttpResult>> RecordAsync(
        string table, string key, TruthRequest request, HttpContext http, Commands commands, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        fields.Id("table", table);
        fields.Id("key", key);
        var value = fields.Text("value", request.Value, longest: 100);
        var evidence = fields.Text("evidenceUri", request.EvidenceUri, longest: 2_000);
        if (fields.Problem() is { } problem)
        {
            return problem;
        }

        var by = Principal.Of(http).Id;
        var operation = Ledger.Writing.Operation.On(
            TruthDecider.Decider, TruthTable.Fold.Of(TruthTable.StreamOf(table)), at => new RecordTruth(key, value, evidence, by, at));
        var outcome = await commands.SendAsync(http, operation, request, cancellationToken);
        return outcome.Rejection is { } rejection ? Problems.From(rejection) : TypedResults.Ok(new TruthResponse(table, key, value, outcome.Position, commands.ReceiptOf(outcome)));
    }

    private static async Task<Results<Ok<ResolutionResponse>, ProblemHttpResult>> GetAsync(
        string id, HttpContext http, Reads reads, CancellationToken cancellationToken)
    {
        var (market, _, problem) = await reads.MarketAsync(http.Request, id, cancellationToken);
        return problem is not null ? problem : TypedResults.Ok(Show(market!));
    }

    private static async Task<Results<Ok<ResolutionStateResponse>, ProblemHttpResult>> ProposeRollbackAsync(
        string id, RollbackRequest request, HttpContext http, ResolutionSteps steps, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var reason = fields.Text("reason", request.Reason, longest: 500);
        var evidence = fields.Text("evidenceUri", request.EvidenceUri, longest: 2_000);
        if (fields.Problem() is { } problem)
        {
            return problem;
        }

        var by = Principal.Of(http).Id;
        return await steps.SendAsync(id, at => new ProposeRollback(new MarketId(id), reason, evidence, by, at), request, http, cancellationToken);
    }

    private static async Task<Results<Ok<ResolutionStateResponse>, ProblemHttpResult>> ApproveRollbackAsync(
        string id, EmptyRequest? request, HttpContext http, ResolutionSteps steps, CancellationToken cancellationToken)
    {
        var by = Principal.Of(http).Id;
        return await steps.SendAsync(id, at => new ApproveRollback(new MarketId(id), by, at), request, http, cancellationToken);
    }

    internal static ResolutionResponse Show(MarketView view)
    {
        var terms = view.Terms!;
        var response = new ResolutionResponse(
            terms.MarketId.Value, MarketPage.Phase(view), null, Words.Of(terms.TruthSource), terms.TruthRef,
            null, null, null, null, null, null, Show(view.Settlement), view.Position);
        // A void ends what was before it.
        var soFar = view.Resolution is MarketResolution.Voided ? null : view.Resolution.CourseSoFar;
        response = response with
        {
            Next = [.. MarketTimeline.Next(view)],
            Postponements = soFar?.Postponements is { } times and > 0 ? times : null,
            Rollback = soFar?.Rollback is { } r ? new RollbackItem(r.Reason, r.EvidenceUri, r.By, MarketPage.Text(r.At)) : null,
        };
        return view.Resolution switch
        {
            MarketResolution.Collecting c => response with
            {
                StartedAt = MarketPage.Text(c.Course.StartedAt),
                Round = c.Round is { } round ? RoundItem.Of(round) : null,
                Proposal = c.Proposal is { } p ? new ProposalItem(p.Value, p.EvidenceUri, p.By, MarketPage.Text(p.At)) : null,
            },
            MarketResolution.Postponed p => response with { StartedAt = MarketPage.Text(p.Course.StartedAt) },
            MarketResolution.Determined d => Decided(response, d.Decision, d.Course),
            MarketResolution.Disputed d => Decided(response, d.Decision, d.Course) with { FinalAt = null, Dispute = DisputeItem.Of(d) },
            MarketResolution.Arbitration a => Decided(response, a.Decision, a.Course) with { FinalAt = MarketPage.Text(a.Until), Dispute = DisputeItem.Of(a) },
            MarketResolution.Finished f => Decided(response, f.Decision, f.Course) with { FinalAt = MarketPage.Text(f.At) },
            MarketResolution.Voided { Decision: { } decision, Course: { } course } v => Decided(response, decision, course) with { FinalAt = MarketPage.Text(v.At) },
            MarketResolution.Voided v => response with
            {
                StartedAt = v.Course is { } course ? MarketPage.Text(course.StartedAt) : null, Value = ReservedValues.Invalid,
                Vector = [.. v.Vector.Select(q => q.ToString())], FinalAt = MarketPage.Text(v.At),
            },
            _ => response,
        };
    }

    private static ResolutionResponse Decided(ResolutionResponse response, ResolutionDetermined decision, Course course) => response with
    {
        StartedAt = MarketPage.Text(course.StartedAt),
        SourceKind = Words.Of(decision.SourceKind),
        Value = decision.Value,
        Vector = [.. decision.Vector.Select(q => q.ToString())],
        EvidenceUri = decision.EvidenceUri,
        DecidedBy = [.. decision.DecidedBy],
        FinalAt = MarketPage.Text(decision.DisputableUntil),
        Round = course.Round is { } round ? RoundItem.Of(round) : null,
    };

    private static SettlementItem? Show(MarketSettlement settlement) => settlement switch
    {
        MarketSettlement.Paying { Plan: var p } paying => new SettlementItem(
            p.Locked.ToString(), p.Fees.ToString(), paying.Paid.ToString(), p.Total.ToString(), p.Payouts, paying.Done, p.Dust.ToString(), p.FeeDust.ToString(), p.Root),
        MarketSettlement.Settled { Result: var r } settled => new SettlementItem(
            r.Locked.ToString(), r.Fees.ToString(), settled.Paid.ToString(), null, null, null, settled.Dust.ToString(), settled.FeeDust.ToString(), null,
            CorrectionEndpoints.Show(settled)),
        _ => null,
    };
}

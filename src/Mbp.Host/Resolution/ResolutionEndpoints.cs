using System.Diagnostics;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution;
using Mbp.Domain.Settlement;
using Mbp.Domain.Trading;
using Mbp.Host.Markets;
using Mbp.Domain.Units;
using Mbp.Host.Platform;
using Mbp.Host.Settlement;
using Mbp.Ledger;
using Mbp.Ledger.Writing;
using Microsoft.AspNetCore.Http.HttpResults;
using NodaTime;

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
        v2.MapPost("/truth/{table}/{key}", RecordAsync).OperatorsOnly().WithName("recordTruth").WithSummary("Record a fact in a truth table, once");
    }

    /// <summary>A resolution reads the market, its pool (nobody with a position decides) and the truth table that the market names.</summary>
    public static Operation Operation(MarketId market, string? truthRef, Func<Instant, ResolutionCommand> command)
    {
        var table = truthRef?.Split('/')[0] ?? "none";
        var states = (
            Market: Market.Fold.Of(market.Stream), Pool: Pool.Fold.Of(market.Stream), Resolution: MarketResolution.Fold.Of(market.Resolution),
            Truth: TruthTable.Fold.Of(TruthTable.StreamOf(table)));
        return Ledger.Writing.Operation.On(
            [states.Market, states.Pool, states.Resolution, states.Truth],
            (read, at) => ResolutionDecider
                .Decide(command(at), read.Get(states.Market), read.Get(states.Resolution), read.Get(states.Pool), read.Get(states.Truth))
                .On(market.Resolution));
    }

    private static async Task<Results<Ok<ResolutionStateResponse>, ProblemHttpResult>> StartAsync(
        string id, EmptyRequest? request, HttpContext http, Commands commands, LiveLedger live, CancellationToken cancellationToken)
    {
        using var span = Telemetry.Source.StartActivity("rule.eval", ActivityKind.Internal);
        var by = Principal.Of(http).Id;
        return await SendAsync(id, at => new StartResolution(new MarketId(id), by, at), request, http, commands, live, cancellationToken);
    }

    private static async Task<Results<Ok<ResolutionStateResponse>, ProblemHttpResult>> ProposeAsync(
        string id, ManualRequest request, HttpContext http, Commands commands, LiveLedger live, MbpOptions options, CancellationToken cancellationToken)
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
        return await SendAsync(id, at => new ProposeManually(new MarketId(id), value, evidence, by, at), request, http, commands, live, cancellationToken);
    }

    private static async Task<Results<Ok<ResolutionStateResponse>, ProblemHttpResult>> ApproveAsync(
        string id, EmptyRequest? request, HttpContext http, Commands commands, LiveLedger live, MbpOptions options, CancellationToken cancellationToken)
    {
        if (!options.IsOn("mbp.resolve.manual"))
        {
            return Problems.From(ManualIsOff);
        }

        var by = Principal.Of(http).Id;
        return await SendAsync(id, at => new ApproveManually(new MarketId(id), by, at), request, http, commands, live, cancellationToken);
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

    private static async Task<Results<Ok<ResolutionStateResponse>, ProblemHttpResult>> SendAsync(
        string id, Func<Instant, ResolutionCommand> command, object? body, HttpContext http, Commands commands, LiveLedger live, CancellationToken cancellationToken)
    {
        if (!MarketId.IsValid(id))
        {
            return Problems.From(MarketErrors.NotFound);
        }

        // The terms never change, so the view's are good even when it lags; a market too new for the view is not closed yet either.
        var truthRef = live.Present.Find(new MarketId(id))?.Terms?.TruthRef;
        var outcome = await commands.SendAsync(http, Operation(new MarketId(id), truthRef, command), body, cancellationToken);
        if (outcome.Rejection is { } rejection)
        {
            return Problems.From(rejection);
        }

        var view = await live.AtLeastAsync(outcome.Position, TimeSpan.FromSeconds(5), cancellationToken);
        return TypedResults.Ok(new ResolutionStateResponse(id, MarketPage.Phase(view.Find(new MarketId(id))!), outcome.Position, commands.ReceiptOf(outcome)));
    }

    internal static ResolutionResponse Show(MarketView view)
    {
        var terms = view.Terms!;
        var response = new ResolutionResponse(
            terms.MarketId.Value, MarketPage.Phase(view), null, Words.Of(terms.TruthSource), terms.TruthRef,
            null, null, null, null, null, null, Show(view.Settlement), view.Position);
        return view.Resolution switch
        {
            MarketResolution.Collecting c => response with
            {
                StartedAt = MarketPage.Text(c.StartedAt),
                Proposal = c.Proposal is { } p ? new ProposalItem(p.Value, p.EvidenceUri, p.By, MarketPage.Text(p.At)) : null,
            },
            MarketResolution.Determined d => Decided(response, d.Decision, d.StartedAt),
            MarketResolution.Finished f => Decided(response, f.Decision, f.StartedAt) with { FinalAt = MarketPage.Text(f.At) },
            MarketResolution.Voided v => Decided(response, v.Decision, v.StartedAt) with { FinalAt = MarketPage.Text(v.At) },
            _ => response,
        };
    }

    private static ResolutionResponse Decided(ResolutionResponse response, ResolutionDetermined decision, Instant startedAt) => response with
    {
        StartedAt = MarketPage.Text(startedAt),
        SourceKind = Words.Of(decision.SourceKind),
        Value = decision.Value,
        Vector = [.. decision.Vector.Select(q => q.ToString())],
        EvidenceUri = decision.EvidenceUri,
        DecidedBy = [.. decision.DecidedBy],
        FinalAt = MarketPage.Text(decision.DisputableUntil),
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

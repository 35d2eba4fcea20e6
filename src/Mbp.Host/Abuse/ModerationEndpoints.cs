using Mbp.Domain.Abuse;
using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Units;
using Mbp.Host.Platform;
using Mbp.Host.Resolution;
using Mbp.Ledger.Writing;
using Microsoft.AspNetCore.Http.HttpResults;
using NodaTime;

namespace Mbp.Host.Abuse;

/// <summary>Moderation (C27): measures, their undo and redo, and the second operator where credits move.</summary>
internal static class ModerationEndpoints
{
    public static void Map(RouteGroupBuilder v2)
    {
        v2.MapGet("/markets/{id}/moderation", ListAsync).OperatorsOnly().WithName("listModeration").WithSummary("A market's moderation cases");
        v2.MapPost("/markets/{id}/moderation", ModerateAsync).OperatorsOnly().WithName("moderate").WithSummary("Pause or limit a market, restrict an account, or propose a clawback");
        v2.MapPost("/markets/{id}/moderation/{number:int}/undo", UndoAsync).OperatorsOnly().WithName("undoModeration").WithSummary("Take a measure back");
        v2.MapPost("/markets/{id}/moderation/{number:int}/redo", RedoAsync).OperatorsOnly().WithName("redoModeration").WithSummary("Put a measure that was taken back in force again");
        v2.MapPost("/markets/{id}/moderation/{number:int}/approve", ApproveAsync).OperatorsOnly().WithName("approveModeration").WithSummary("Approve what another operator proposed");
    }

    private static async Task<Results<Ok<ModerationListResponse>, ProblemHttpResult>> ListAsync(string id, HttpContext http, Reads reads, CancellationToken cancellationToken)
    {
        var (market, problem) = await reads.PresentMarketAsync(http.Request, id, cancellationToken);
        return problem is not null ? problem : TypedResults.Ok(new ModerationListResponse([.. market!.Moderation.Cases.Select(Item)], market.Position));
    }

    private static async Task<Results<Ok<ModerationStateResponse>, ProblemHttpResult>> ModerateAsync(
        string id, ModerationRequest request, HttpContext http, Commands commands, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var market = fields.Market("id", id);
        var action = fields.OneOf("action", request.Action, "pause", "limit", "restrict", "clawback");
        var (reason, evidence) = (fields.Text("reason", request.Reason, longest: 500), fields.Text("evidenceUri", request.EvidenceUri, longest: 2_000));
        var account = request.Account is null ? (AccountId?)null : fields.Account("account", request.Account);
        var amount = fields.OptionalCredits("amount", request.Amount);
        if (fields.Problem() is { } problem)
        {
            return problem;
        }

        var by = Principal.Of(http).Id;
        var measure = new Measure(Enum.Parse<ModerationKind>(action, ignoreCase: true), account, amount, evidence);
        return await SendAsync(http, commands, market, account, at => new Moderate(market, measure, reason, by, at), request, cancellationToken);
    }

    private static Task<Results<Ok<ModerationStateResponse>, ProblemHttpResult>> UndoAsync(
        string id, int number, ReasonedRequest request, HttpContext http, Commands commands, LiveLedger live, CancellationToken cancellationToken) =>
        ChangeAsync(id, number, ModerationChange.Undo, request, http, commands, live, cancellationToken);

    private static Task<Results<Ok<ModerationStateResponse>, ProblemHttpResult>> RedoAsync(
        string id, int number, ReasonedRequest request, HttpContext http, Commands commands, LiveLedger live, CancellationToken cancellationToken) =>
        ChangeAsync(id, number, ModerationChange.Redo, request, http, commands, live, cancellationToken);

    private static async Task<Results<Ok<ModerationStateResponse>, ProblemHttpResult>> ChangeAsync(
        string id, int number, ModerationChange change, ReasonedRequest request, HttpContext http, Commands commands, LiveLedger live, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var market = fields.Market("id", id);
        var reason = fields.Text("reason", request.Reason, longest: 500);
        if (fields.Problem() is { } problem)
        {
            return problem;
        }

        var by = Principal.Of(http).Id;
        return await SendAsync(
            http, commands, market, AccountOf(live, market, number), at => new ChangeModeration(market, number, change, reason, by, at), request, cancellationToken);
    }

    private static async Task<Results<Ok<ModerationStateResponse>, ProblemHttpResult>> ApproveAsync(
        string id, int number, EmptyRequest? request, HttpContext http, Commands commands, LiveLedger live, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var market = fields.Market("id", id);
        if (fields.Problem() is { } problem)
        {
            return problem;
        }

        var by = Principal.Of(http).Id;
        return await SendAsync(http, commands, market, AccountOf(live, market, number), at => new ApproveModeration(market, number, by, at), request, cancellationToken);
    }

    private static async Task<Results<Ok<ModerationStateResponse>, ProblemHttpResult>> SendAsync(
        HttpContext http, Commands commands, MarketId market, AccountId? account, Func<Instant, ModerationCommand> command, object? body, CancellationToken cancellationToken)
    {
        var outcome = await commands.SendAsync(http, Operation(market, account, command), body, cancellationToken);
        if (outcome.Rejection is { } rejection)
        {
            return Problems.From(rejection);
        }

        var (number, state, pending) = outcome.Events.Select(recorded => recorded.Data).OfType<AbuseEvent>().Last() switch
        {
            ModerationProposed { Change: ModerationChange.Apply } e => (e.Number, CaseState.Proposed, (ModerationChange?)ModerationChange.Apply),
            ModerationProposed e => (e.Number, e.Change == ModerationChange.Undo ? CaseState.InForce : CaseState.Undone, e.Change),
            ModerationApplied e => (e.Number, CaseState.InForce, null),
            ModerationUndone e => (e.Number, CaseState.Undone, null),
            ModerationRedone e => (e.Number, CaseState.InForce, null),
            var other => throw new InvalidOperationException($"{other.GetType().Name} is no answer to a moderator."),
        };
        return TypedResults.Ok(new ModerationStateResponse(
            market.Value, number, Words.Of(state), pending is { } change ? Words.Of(change) : null, outcome.Position, commands.ReceiptOf(outcome)));
    }

    /// <summary>A case reads the market, its cases, and the two accounts that credits may move between.</summary>
    private static Operation Operation(MarketId market, AccountId? account, Func<Instant, ModerationCommand> command)
    {
        var (lifecycle, cases, insurance) = (Market.Fold.Of(market.Stream), Moderation.Fold.Of(market.Abuse), Account.Fold.Of(AccountId.Insurance.Stream));
        var about = Account.Fold.Of((account ?? AccountId.Insurance).Stream);
        return Ledger.Writing.Operation.On(
            [lifecycle, cases, about, insurance],
            (states, at) => ModerationDecider.Decide(command(at), states.Get(cases), states.Get(lifecycle), account, states.Get(about), states.Get(insurance)));
    }

    // What a case is about never changes, so the view's is good even when it lags; of a case too new for the view the decider says that there is none.
    private static AccountId? AccountOf(LiveLedger live, MarketId market, int number) => live.Present.Find(market)?.Moderation.Find(number)?.Measure.Account;

    private static ModerationItem Item(ModerationCase one) => new(
        one.Number, Words.Of(one.Measure.Kind), one.Measure.Account?.Value, one.Measure.Amount?.ToString(), one.Measure.EvidenceUri, Words.Of(one.State),
        one.Pending is { } pending ? Words.Of(pending.Change) : null, one.Pending?.By);
}

/// <param name="Reason">Why; kept in the ledger.</param>
public sealed record ReasonedRequest(string? Reason);

using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Host.Markets;
using Mbp.Host.Platform;
using Mbp.Ledger.Writing;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Mbp.Host.Governance;

/// <summary>The rule set that a market is decided by: put in force, and rolled back, by an event each (C20).</summary>
internal static class MarketRulesetEndpoints
{
    // A market's newest line of the audit trail about its rules; said so that the index without trades is used.
    private const string Newest =
        "SELECT position, ts, action, actor, reason FROM mbp_audit_trail WHERE stream_id = $1 AND action <> 'trade_executed' AND action IN ('ruleset_activated', 'ruleset_rolled_back') ORDER BY position DESC LIMIT 1";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public static void Map(RouteGroupBuilder v2)
    {
        v2.MapGet("/markets/{id}/ruleset", GetAsync).WithName("getMarketRuleset").WithSummary("The rule set that a market is decided by now");
        v2.MapPost("/markets/{id}/ruleset", ActivateAsync).OperatorsOnly().WithName("activateRuleset").WithSummary("Put a market under a rule set");
        v2.MapPost("/markets/{id}/ruleset/rollback", RollBackAsync).OperatorsOnly().WithName("rollBackRuleset").WithSummary("Put a market back under the rule set before");
    }

    private static async Task<Results<Ok<MarketRulesetResponse>, ProblemHttpResult>> GetAsync(
        string id, HttpContext http, Reads reads, TableReads tables, CancellationToken cancellationToken)
    {
        var (market, problem) = await reads.PresentMarketAsync(http.Request, id, cancellationToken);
        if (problem is not null)
        {
            return problem;
        }

        var since = (await tables.ReadAsync(
            http, "audit_trail", Newest,
            line => new RulesetChangeItem(line.Whole(0), MarketPage.Text(line.Time(1)), line.Text(2), line.TextOrNull(3), line.TextOrNull(4)),
            [market!.Terms!.MarketId.Stream.Value], cancellationToken)).Rows;
        var (name, version, hash) = InForce(market);
        return TypedResults.Ok(new MarketRulesetResponse(
            id, name, version, hash, since.Count == 0 ? null : since[0],
            [.. market.Market.Rules()!.Earlier.Reverse().Select(policy => new MarketRulesetItem(policy.Rules.Name, policy.Rules.Version, policy.Hash))], market.Position));
    }

    private static async Task<Results<Ok<MarketRulesetChangedResponse>, ProblemHttpResult>> ActivateAsync(
        string id, ActivateRulesetRequest request, HttpContext http, Commands commands, LiveLedger live, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var market = fields.Market("id", id);
        var name = fields.Id("name", request.Name);
        var version = request.Version is { } given ? fields.Text("version", given, longest: 30) : null;
        var reason = fields.Text("reason", request.Reason, longest: 200);
        if (fields.Problem() is { } problem)
        {
            return problem;
        }

        var operation = Operation.On(
            Market.Fold.Of(market.Stream), RulesetLibrary.Fold.Of(RulesetLibrary.StreamOf(name)),
            (at, lifecycle, library) => MarketDecider.Activate(new ActivateRuleset(version, reason, at), name, lifecycle, library).On(market.Stream));
        return await SendAsync(http, commands, live, market, operation, request, cancellationToken);
    }

    private static async Task<Results<Ok<MarketRulesetChangedResponse>, ProblemHttpResult>> RollBackAsync(
        string id, ReasonRequest request, HttpContext http, Commands commands, LiveLedger live, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var market = fields.Market("id", id);
        var reason = fields.Text("reason", request.Reason, longest: 200);
        return fields.Problem() is { } problem
            ? problem
            : await SendAsync(
                http, commands, live, market,
                Operation.On(MarketDecider.Decider, Market.Fold.Of(market.Stream), at => new RollBackRuleset(reason, at)), request, cancellationToken);
    }

    private static async Task<Results<Ok<MarketRulesetChangedResponse>, ProblemHttpResult>> SendAsync(
        HttpContext http, Commands commands, LiveLedger live, MarketId market, Operation operation, object body, CancellationToken cancellationToken)
    {
        var outcome = await commands.SendAsync(http, operation, body, cancellationToken);
        if (outcome.Rejection is { } rejection)
        {
            return Problems.From(rejection);
        }

        var changed = outcome.Find<RulesetActivated>() is { } on ? (on.Name, on.Version, on.PolicyHash)
            : outcome.Find<RulesetRolledBack>() is { } back ? (back.Name, back.Version, back.PolicyHash)
            : ((string Name, string Version, string Hash)?)null;
        var (name, version, hash) = changed ?? InForce((await live.AtLeastAsync(outcome.Position, Patience, cancellationToken)).Find(market)!);
        return TypedResults.Ok(new MarketRulesetChangedResponse(market.Value, name, version, hash, changed is not null, outcome.Position, commands.ReceiptOf(outcome)));
    }

    private static (string Name, string Version, string Hash) InForce(MarketView market) => market.Market.Policy() is { } policy
        ? (policy.Rules.Name, policy.Rules.Version, policy.Hash)
        : (market.Terms!.Ruleset, "", market.Terms.PolicyHash);
}

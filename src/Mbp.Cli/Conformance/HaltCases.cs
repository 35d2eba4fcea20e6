using System.Globalization;
using System.Text.Json.Nodes;
using Mbp.Cli.Pricing;
using Mbp.Domain.Abuse;
using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Policies;
using NodaTime;

namespace Mbp.Cli.Conformance;

/// <summary>Kinds halts and rate (spec D11, D13, D17), under the rule set of a market that names none.</summary>
internal static class HaltCases
{
    private static readonly AccountId Trader = new("trader");

    /// <summary>A tick every 30 s from 0 to the end; Warn and Soft take every quote, Hard none.</summary>
    public static JsonObject Halts(JsonObject given)
    {
        // Stable: of several quotes at one instant the last in order holds.
        var quotes = Given.Array(given, "quotes").Select(quote => Given.Array(quote, "a quote"))
            .Select(quote => (At: Time(Given.Units(quote, 0)), Price: new Price(Given.Units(quote, 1))))
            .OrderBy(quote => quote.At)
            .ToArray();
        var changes = new HaltWalk(BuiltInPolicies.Default.Rules).Run(quotes, Time(0), Time(Given.Units(given, "t_end")));
        return new JsonObject
        {
            ["log"] = new JsonArray([.. changes.Select(change => new JsonObject
            {
                ["t"] = Given.Json(change.Tick.ToUnixTimeMilliseconds()),
                ["level"] = Given.Json((long)change.To),
            })]),
        };
    }

    /// <summary>Trades of one account at the given times, asked of the caps as the trade decider asks them.</summary>
    public static JsonObject Rate(JsonObject given)
    {
        var rules = BuiltInPolicies.Default.Rules with
        {
            Caps = [new RiskCaps(MarketKind.Binary, MaxExposurePerUser: null, MaxOpenInterest: null, Given.Count(given, "limit"))], Abuse = null,
        };
        var flow = TradeFlow.Initial with { Rules = new MarketRules(Policy.Of(rules), []) };
        var (pool, results) = (Pool.Empty(["YES", "NO"], feePpm: 0), new JsonArray());
        foreach (var time in Given.List(given, "times_ms"))
        {
            var trade = Trade(results.Count, Time(time));
            var refusal = RiskRules.Refusal(trade, MarketKind.Binary, rules, pool, flow, slow: false);
            results.Add(refusal is null ? "accept" : PoolCases.Code(refusal).ToLowerInvariant());
            flow = refusal is null ? TradeFlow.Fold.Apply(flow, trade) : flow;
        }

        return new JsonObject { ["results"] = results };
    }

    // The caps on trade rates look at nothing but who and when.
    private static TradeExecuted Trade(int number, Instant at) => new(
        number.ToString(CultureInfo.InvariantCulture), Trader, TradeSide.Buy, "YES", default, default, default, default, default, default, [], at);

    private static Instant Time(long milliseconds) => Instant.FromUnixTimeMilliseconds(milliseconds);
}

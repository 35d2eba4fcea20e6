using System.Globalization;
using Mbp.Domain.Accounts;
using Mbp.Domain.Audit;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Policies.Golden;

/// <summary>A ledger in memory with one market under a rule set: everything in it was decided by the product's deciders.</summary>
internal sealed class GoldenLedger
{
    public static readonly MarketId Id = new("golden");

    private static readonly AccountId House = new("house");

    // More than any case moves: what a case is about are the rules, not an empty purse.
    private static readonly Credits Purse = Credits.FromUnits(100_000_000 * Decimal8.One);

    private readonly AuditStates _states = new();
    private int _trades;

    /// <param name="policy">The rule set.</param>
    /// <param name="kind">binary, scalar or categorical.</param>
    /// <param name="liquidity">What the pool opens with, CE$.</param>
    /// <param name="probabilities">The opening prices; empty = all equal.</param>
    public GoldenLedger(Policy policy, string kind, Credits liquidity, EquatableArray<Price> probabilities) => Take(Create(policy, kind, liquidity, probabilities));

    private GoldenLedger()
    {
    }

    /// <summary>What a market's opening is refused with; null = it opens.</summary>
    public static string? Opening(Policy policy, string kind, Credits liquidity, EquatableArray<Price> probabilities) =>
        new GoldenLedger().Create(policy, kind, liquidity, probabilities).Rejection?.Code;

    private Decision<StreamEvent> Create(Policy policy, string kind, Credits liquidity, EquatableArray<Price> probabilities)
    {
        var at = GoldenCase.Start;
        var template = TemplateCatalogue.BuiltIn.FirstOrDefault(mould => Words.Of(mould.Kind) == kind) ?? throw new FormatException($"'{kind}' is no kind of market");
        _states.Apply(Template.StreamOf(template.Id), new TemplatePublished(template, at));
        _states.Apply(
            RulesetLibrary.StreamOf(policy.Rules.Name), new RulesetPublished(policy.Rules.Name, policy.Rules.Version, policy.Hash, policy, Signature: "", at));
        Open(House, at);
        var parameters = template.Kind switch
        {
            MarketKind.Scalar => new Dictionary<string, string> { ["lower"] = "0", ["upper"] = "100" },
            MarketKind.Categorical => new Dictionary<string, string> { ["outcomes"] = "A,B,C" },
            _ => [],
        };
        var create = new CreateMarket(Id, "What will it be?", House, liquidity, probabilities, at + Duration.FromDays(30), parameters, policy.Rules.Name, at);
        return CreateMarketDecider.Decide(
            create, _states.Template(template.Id), _states.Rulesets(policy.Rules.Name), Market.Market, Market.Pool, _states.Account(House));
    }

    public MarketStates Market => _states.Market(Id);

    /// <summary>Decides a trade or a change of liquidity, and writes it where it is accepted.</summary>
    public Decision<StreamEvent> Trade(string account, string action, string outcome, long units, Instant at)
    {
        var id = new AccountId(account);
        if (_states.Account(id) is not Account.Open)
        {
            Open(id, at);
        }

        var trade = string.Create(CultureInfo.InvariantCulture, $"t{_trades++}");
        TradeCommand command = action switch
        {
            "buy" => new BuyShares(Id, id, trade, outcome, Credits.FromUnits(units), MinShares: null, at),
            "sell" => new SellShares(Id, id, trade, outcome, Shares.FromUnits(units), MinReturn: null, at),
            "add" => new AddLiquidity(Id, id, Credits.FromUnits(units), at),
            "remove" => new RemoveLiquidity(Id, id, LpShares.FromUnits(units), at),
            _ => throw new FormatException($"'{action}' is none of buy, sell, add and remove"),
        };
        var decision = TradeDecider.Decide(command, Market.Market, Market.Pool, _states.Account(id), Market.Flow, Market.Moderation, _states.Slo);
        return decision.Rejection is null ? Take(decision) : decision;
    }

    /// <summary>Writes what was decided.</summary>
    /// <exception cref="FormatException">It was refused.</exception>
    public Decision<StreamEvent> Take(Decision<StreamEvent> decision)
    {
        if (decision.Rejection is { } refused)
        {
            throw new FormatException($"the case cannot begin: {refused.Code}: {refused.Message}");
        }

        foreach (var (stream, @event) in decision.Events)
        {
            _states.Apply(stream, @event);
        }

        return decision;
    }

    private void Open(AccountId account, Instant at)
    {
        Take(AccountDecider.Decider.Decide(new OpenAccount(account, at), _states.Account(account)).On(account.Stream));
        Take(AccountDecider.Decider.Decide(new GrantCredits(Purse, "golden", at), _states.Account(account)).On(account.Stream));
    }
}

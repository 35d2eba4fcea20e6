using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using Mbp.Policies;
using NodaTime;

namespace Mbp.Domain.Tests.Markets;

/// <summary>A market as it is made, with little said.</summary>
internal static class Terms
{
    public static readonly Instant Noon = Instant.FromUtc(2025, 9, 10, 12, 0);
    public static readonly MarketId Rain = new("rain");
    public static readonly AccountId House = new("house");
    public static readonly AccountId Ana = new("ana");
    public static readonly Account Rich = new Account.Open(Ce(1_000_000), []);

    public static Template Of(MarketKind kind) => TemplateCatalogue.BuiltIn.Single(t => t.Kind == kind);

    public static TemplateEntry Published(MarketKind kind = MarketKind.Binary) => new TemplateEntry.Published(Of(kind));

    /// <summary>The rule set of a name, as a new ledger has it.</summary>
    public static RulesetLibrary Library(string name = RulesetLibrary.DefaultName) => new([.. BuiltInPolicies.All.Where(policy => policy.Rules.Name == name)]);

    public static CreateMarket Create(
        string question = "Will it rain?", long liquidity = 10_000, string ruleset = "default", Instant? closesAt = null, EquatableArray<Price> probabilities = default, params (string Name, string Value)[] parameters) => new(
        Rain, question, House, Ce(liquidity), probabilities == default ? [] : probabilities, closesAt, parameters.ToDictionary(p => p.Name, p => p.Value), ruleset, Noon);

    public static Decision<StreamEvent> Decide(CreateMarket command, MarketKind kind = MarketKind.Binary, Account? account = null) =>
        CreateMarketDecider.Decide(command, Published(kind), Library(command.Ruleset), Market.Initial, Pool.Fold.Initial, account ?? Rich);

    /// <summary>The life cycle and the pool of a market that was just made.</summary>
    public static (Market Market, Pool Pool) Made(CreateMarket? command = null, MarketKind kind = MarketKind.Binary) => Decide(command ?? Create(), kind).Events
        .Where(e => e.Stream == Rain.Stream)
        .Aggregate((Market.Fold.Initial, Pool.Fold.Initial), (states, e) => (Market.Fold.Apply(states.Item1, e.Event), Pool.Fold.Apply(states.Item2, e.Event)));

    public static Market.Closed Closed(CreateMarket? command = null, MarketKind kind = MarketKind.Binary)
    {
        var (market, pool) = Made(command, kind);
        return (Market.Closed)Market.Fold.Apply(market, new MarketClosed("done", pool.Prices, Noon));
    }

    public static Credits Ce(decimal amount) => Credits.FromUnits((long)(amount * Decimal8.One));
}

using System.Text.Json.Serialization;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Markets;

/// <summary>The life cycle of a market until it closes; what comes after is its resolution.</summary>
[JsonDerivedType(typeof(Unknown), "unknown")]
[JsonDerivedType(typeof(Open), "open")]
[JsonDerivedType(typeof(Halted), "halted")]
[JsonDerivedType(typeof(Closed), "closed")]
public abstract record Market
{
    private Market()
    {
    }

    public static Market Initial { get; } = new Unknown();

    public static readonly Fold<Market> Fold = new(
        "market", 3, Initial, (market, @event) => @event is MarketEvent e ? Evolve(market, e) : market, snapshotEvery: 500);

    public sealed record Unknown : Market;

    public sealed record Open(MarketTerms Terms, MarketRules Rules, HaltHistory Halts) : Market;

    /// <param name="Terms">What was agreed.</param>
    /// <param name="Rules">By which rules it is decided.</param>
    /// <param name="Halts">Earlier halts, and this one.</param>
    /// <param name="Level">How far.</param>
    /// <param name="HeldAt">Rules do not ease it below this level.</param>
    /// <param name="Rule">What halted it.</param>
    /// <param name="Reason">Why, in words.</param>
    /// <param name="Since">When this level began.</param>
    /// <param name="ReopensAt">Hard: when no rule was to ease it earlier, as it was written then; null = only a person does. What is so now says <see cref="HaltJudge.ReopensAt"/>.</param>
    public sealed record Halted(
        MarketTerms Terms, MarketRules Rules, HaltHistory Halts, HaltLevel Level, HaltLevel HeldAt, HaltRule Rule, string Reason, Instant Since, Instant? ReopensAt) : Market
    {
        /// <summary>What it is made of.</summary>
        public HaltLayers Layers { get; init; } = HaltLayers.None;
    }

    /// <param name="Terms">What was agreed.</param>
    /// <param name="Rules">By which rules it is decided.</param>
    /// <param name="Reason">Why it closed.</param>
    /// <param name="Twap24h">What a void would pay.</param>
    /// <param name="Since">When it closed.</param>
    /// <param name="FrozenSince">When its resolution ran out of time: only people move it on since; null = it did not.</param>
    public sealed record Closed(
        MarketTerms Terms, MarketRules Rules, string Reason, EquatableArray<Price> Twap24h, Instant Since, Instant? FrozenSince = null) : Market;

    public static Market Evolve(Market market, MarketEvent @event) => (market, @event) switch
    {
        (Unknown, MarketCreated e) => new Open(MarketTerms.From(e), MarketRules.First(e.PolicyHash), HaltHistory.None),
        (Open open, MarketCreatedTemplate e) => open with { Terms = open.Terms with { TemplateId = e.TemplateId, TemplateVersion = e.TemplateVersion } },

        (Open open, MarketHalted e) => Halt(open.Terms, open.Rules, open.Halts, null, e),
        (Halted halted, MarketHalted e) => Halt(halted.Terms, halted.Rules, halted.Halts, halted, e),
        (Closed closed, MarketHalted { Rule: HaltRule.Sla } e) => closed with { FrozenSince = e.At },
        (Halted halted, MarketHaltEased e) => halted with
        {
            Level = e.Level, Since = e.Tick, ReopensAt = null, Halts = halted.Halts.After(halted.Level, e.Level, e.Tick), Layers = halted.Layers.Eased(e),
        },
        (Halted halted, MarketResumed e) => new Open(halted.Terms, halted.Rules, halted.Halts.After(halted.Level, HaltLevel.None, e.Tick ?? e.At)),

        (Open open, RulesetActivated e) => open with { Rules = open.Rules.With(e.Policy) },
        (Halted halted, RulesetActivated e) => halted with { Rules = halted.Rules.With(e.Policy) },
        (Closed closed, RulesetActivated e) => closed with { Rules = closed.Rules.With(e.Policy) },
        (Open open, RulesetRolledBack) => open with { Rules = open.Rules.Back() },
        (Halted halted, RulesetRolledBack) => halted with { Rules = halted.Rules.Back() },
        (Closed closed, RulesetRolledBack) => closed with { Rules = closed.Rules.Back() },

        (Open open, MarketClosed e) => new Closed(open.Terms, open.Rules, e.Reason, e.Twap24h, e.At),
        (Halted halted, MarketClosed e) => new Closed(halted.Terms, halted.Rules, e.Reason, e.Twap24h, e.At),
        _ => throw new InvalidOperationException($"{@event.GetType().Name} cannot follow {market.GetType().Name}."),
    };

    private static Halted Halt(MarketTerms terms, MarketRules rules, HaltHistory halts, Halted? before, MarketHalted e)
    {
        var (at, asked) = (e.Tick ?? e.At, e.Asked ?? e.HeldAt ?? e.Level);
        // Whoever only holds a market below the level that it has does not make that level any longer.
        var since = e.Since ?? (e.Rule is HaltRule.Manual or HaltRule.Moderation && before is { } held && held.Level == e.Level && asked < e.Level ? held.Since : at);
        return new Halted(
            terms, rules, halts.After(before?.Level ?? HaltLevel.None, e.Level, at), e.Level, e.HeldAt ?? e.Level, e.Rule ?? HaltRule.Manual, e.Reason, since, e.ReopensAt)
        {
            Layers = (before?.Layers ?? HaltLayers.None).With(e, asked, since),
        };
    }
}

/// <summary>The rules that a market is decided by, and those that were before them.</summary>
/// <param name="Policy">In force; null for a market of which only the hash of its rules is known, which has none.</param>
/// <param name="Earlier">What a rollback goes back to, newest last.</param>
public sealed record MarketRules(Policy? Policy, EquatableArray<Policy> Earlier)
{
    // Nobody rolls back further; a bound keeps the state from growing.
    private const int Kept = 10;

    /// <summary>By the hash in a market's first event; the rules themselves come with the next one, since rule sets are data.</summary>
    public static MarketRules First(string hash) => new(FirstRulesets.ByHash(hash), []);

    public MarketRules With(Policy policy) => new(policy, Policy is null ? Earlier : [.. Earlier.Skip(Math.Max(0, Earlier.Count - Kept + 1)), Policy]);

    public MarketRules Back() => Earlier.Count == 0
        ? throw new InvalidOperationException("There were no rules before these.")
        : new(Earlier[^1], [.. Earlier.Take(Earlier.Count - 1)]);
}

/// <summary>What was agreed when the market opened; it never changes.</summary>
public sealed record MarketTerms(
    MarketId MarketId,
    string Question,
    string Category,
    string TemplateId,
    int TemplateVersion,
    MarketKind Kind,
    EquatableArray<string> Outcomes,
    ScalarValue? Lower,
    ScalarValue? Upper,
    TruthSource TruthSource,
    string? TruthRef,
    Instant ClosesAt,
    Instant ResolutionDeadline,
    int FeePpm,
    string Ruleset,
    string PolicyHash,
    Instant CreatedAt)
{
    /// <summary>The reference of a market whose value the rule set's sources report.</summary>
    public const string OracleRef = "oracle";

    /// <summary>Whether the rule set's sources report its value.</summary>
    public bool AsksOracle => TruthSource == TruthSource.Endpoint && TruthRef == OracleRef;

    /// <summary>The address that its value is asked of; null where it is found in another way.</summary>
    public string? Endpoint => TruthSource == TruthSource.Endpoint && TruthRef != OracleRef ? TruthRef : null;

    public static MarketTerms From(MarketCreated e) => new(
        e.MarketId, e.Question, e.Category, TemplateId: "", TemplateVersion: 0, e.Kind, e.Outcomes, e.Lower, e.Upper, e.TruthSource, e.TruthRef,
        e.ClosesAt, e.ResolutionDeadline, e.FeePpm, e.Ruleset, e.PolicyHash, e.At);
}

public static class MarketExtensions
{
    /// <summary>The terms of a market that exists; null for one that does not.</summary>
    public static MarketTerms? Terms(this Market market) => market switch
    {
        Market.Open open => open.Terms,
        Market.Halted halted => halted.Terms,
        Market.Closed closed => closed.Terms,
        _ => null,
    };

    /// <summary>The rules in force, and those before them; null for a market that does not exist.</summary>
    public static MarketRules? Rules(this Market market) => market switch
    {
        Market.Open open => open.Rules,
        Market.Halted halted => halted.Rules,
        Market.Closed closed => closed.Rules,
        _ => null,
    };

    /// <summary>The rules in force.</summary>
    public static Policy? Policy(this Market market) => market.Rules()?.Policy;

    /// <summary>The level of its halt.</summary>
    public static HaltLevel HaltLevel(this Market market) => market switch
    {
        Market.Halted halted => halted.Level,
        Market.Closed { FrozenSince: not null } => Halts.HaltLevel.Hard,
        _ => Halts.HaltLevel.None,
    };
}

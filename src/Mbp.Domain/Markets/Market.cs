using System.Text.Json.Serialization;
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
        "market", 1, Initial, (market, @event) => @event is MarketEvent e ? Evolve(market, e) : market, snapshotEvery: 500);

    public sealed record Unknown : Market;

    public sealed record Open(MarketTerms Terms) : Market;

    public sealed record Halted(MarketTerms Terms, HaltLevel Level, string Reason, Instant Since) : Market;

    public sealed record Closed(MarketTerms Terms, string Reason, EquatableArray<Price> Twap24h, Instant Since) : Market;

    public static Market Evolve(Market market, MarketEvent @event) => (market, @event) switch
    {
        (Unknown, MarketCreated e) => new Open(MarketTerms.From(e)),
        (Open open, MarketCreatedTemplate e) => new Open(open.Terms with { TemplateId = e.TemplateId, TemplateVersion = e.TemplateVersion }),
        (Open open, MarketHalted e) => new Halted(open.Terms, e.Level, e.Reason, e.At),
        (Halted halted, MarketHalted e) => halted with { Level = e.Level, Reason = e.Reason, Since = e.At },
        (Halted halted, MarketResumed) => new Open(halted.Terms),
        (Open open, MarketClosed e) => new Closed(open.Terms, e.Reason, e.Twap24h, e.At),
        (Halted halted, MarketClosed e) => new Closed(halted.Terms, e.Reason, e.Twap24h, e.At),
        _ => throw new InvalidOperationException($"{@event.GetType().Name} cannot follow {market.GetType().Name}."),
    };
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
}

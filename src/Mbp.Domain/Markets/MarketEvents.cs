using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Markets;

// Stored for ever. A field is added as nullable; anything else is a new wire name and an upcaster in MarketSlice.cs.
public abstract record MarketEvent;

/// <param name="MarketId">Its id.</param>
/// <param name="Question">What is asked, as shown to traders.</param>
/// <param name="Category">From the template.</param>
/// <param name="Kind">Which shape of outcomes and payouts.</param>
/// <param name="Outcomes">In order: outcome 0 is YES or LONG.</param>
/// <param name="Lower">Scalar only: the value at which LONG pays nothing.</param>
/// <param name="Upper">Scalar only: the value at which LONG pays all.</param>
/// <param name="TruthSource">Who says what came true.</param>
/// <param name="TruthRef">Where, for a table: <c>table/key</c>.</param>
/// <param name="ClosesAt">No trade at or after this instant.</param>
/// <param name="ResolutionDeadline">When the resolution is overdue.</param>
/// <param name="FeePpm">Trading fee, parts per million of the gross amount.</param>
/// <param name="Ruleset">The rule set in force, by name.</param>
/// <param name="PolicyHash">The hash of that rule set.</param>
/// <param name="Account">Who opens the pool.</param>
/// <param name="At">When.</param>
public sealed record MarketCreated(
    MarketId MarketId,
    string Question,
    string Category,
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
    AccountId Account,
    Instant At) : MarketEvent;

/// <summary>From which template, and with which parameters, the market was made (C1).</summary>
public sealed record MarketCreatedTemplate(string TemplateId, int TemplateVersion, Credits Liquidity, EquatableArray<Price> Probabilities, Instant At) : MarketEvent;

/// <summary>Trading is restricted further, or a person holds it where a rule had it.</summary>
/// <param name="Level">How far.</param>
/// <param name="Reason">Why, in the words of who halted it; a rule has its own.</param>
/// <param name="At">Ledger time.</param>
/// <param name="Rule">Which rule; absent for events from before there were rules, which a person caused.</param>
/// <param name="HeldAt">Rules do not ease the market below this level: only a person does.</param>
/// <param name="Tick">The tick that was judged.</param>
/// <param name="ReopensAt">A rule eases it no earlier.</param>
/// <param name="Evidence">What the rule rests on.</param>
/// <param name="Asked">The level that a person asked for, where the market is held further by others.</param>
/// <param name="Since">When this level began, where what held the market further was taken back.</param>
public sealed record MarketHalted(
    HaltLevel Level,
    string Reason,
    Instant At,
    HaltRule? Rule = null,
    HaltLevel? HeldAt = null,
    Instant? Tick = null,
    Instant? ReopensAt = null,
    HaltEvidence? Evidence = null,
    HaltLevel? Asked = null,
    Instant? Since = null) : MarketEvent;

/// <summary>A rule took the halt back by one level, not yet to none.</summary>
public sealed record MarketHaltEased(HaltLevel Level, Instant Tick, Instant At, HaltEvidence? Evidence = null) : MarketEvent;

/// <summary>Trading is free again: by a person, or by rule at a tick.</summary>
public sealed record MarketResumed(string Reason, Instant At, Instant? Tick = null, HaltEvidence? Evidence = null) : MarketEvent;

/// <summary>From here on the market is decided by these rules (C20).</summary>
/// <param name="Name">The rule set.</param>
/// <param name="Version">Its version.</param>
/// <param name="PolicyHash">The hash that decisions carry from here on.</param>
/// <param name="Policy">The rules themselves: a market's stream is enough to decide it again.</param>
/// <param name="Reason">Why.</param>
/// <param name="At">Ledger time.</param>
public sealed record RulesetActivated(string Name, string Version, string PolicyHash, Policy Policy, string Reason, Instant At) : MarketEvent;

/// <summary>The rules that were in force before the present ones are in force again.</summary>
public sealed record RulesetRolledBack(string Name, string Version, string PolicyHash, string Reason, Instant At) : MarketEvent;

/// <param name="Reason">Why, in the words of who closed it; "deadline" for the clock.</param>
/// <param name="Twap24h">The time-weighted price of each outcome over the last 24 hours before the close: what a void would pay.</param>
/// <param name="At">When.</param>
public sealed record MarketClosed(string Reason, EquatableArray<Price> Twap24h, Instant At) : MarketEvent;

public enum MarketKind
{
    Binary,
    Scalar,
    Categorical,
}

public enum TruthSource
{
    Table,
    Manual,
    Endpoint,
}

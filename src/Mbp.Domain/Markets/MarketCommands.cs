using Mbp.Domain.Accounts;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Markets;

public abstract record MarketCommand;

/// <summary>Opens a market from a template; the pool's first liquidity comes from <paramref name="Account"/> in the same commit.</summary>
/// <param name="MarketId">Its id.</param>
/// <param name="Question">What is asked.</param>
/// <param name="Account">Who pays the first liquidity.</param>
/// <param name="Liquidity">How much, CE$.</param>
/// <param name="Probabilities">The opening price of each outcome; empty = all equal.</param>
/// <param name="ClosesAt">No trade at or after this instant; null = the template's default.</param>
/// <param name="Parameters">The template's parameters, as given.</param>
/// <param name="Ruleset">The rule set's name.</param>
/// <param name="At">Ledger time.</param>
public sealed record CreateMarket(
    MarketId MarketId,
    string Question,
    AccountId Account,
    Credits Liquidity,
    EquatableArray<Price> Probabilities,
    Instant? ClosesAt,
    IReadOnlyDictionary<string, string> Parameters,
    string Ruleset,
    Instant At) : MarketCommand;

public sealed record HaltMarket(HaltLevel Level, string Reason, Instant At) : MarketCommand;

/// <param name="Reason">Why.</param>
/// <param name="At">Ledger time.</param>
/// <param name="By">
/// Who asks: the moderation cases that hold the market are taken back in that name. Null where a ledger tells of a resumption from before that was done.
/// </param>
public sealed record ResumeMarket(string Reason, Instant At, string? By = null) : MarketCommand;

/// <summary>Asks the halt rules at a tick.</summary>
/// <param name="Tick">A multiple of 30 s that has passed.</param>
/// <param name="At">Ledger time.</param>
public sealed record JudgeMarket(Instant Tick, Instant At) : MarketCommand;

/// <summary>Freezes a market whose resolution ran out of time.</summary>
public sealed record FreezeOverdue(Instant At) : MarketCommand;

/// <summary>Puts a market under other rules.</summary>
/// <param name="Version">The version; null = the newest.</param>
/// <param name="Reason">Why.</param>
/// <param name="At">Ledger time.</param>
public sealed record ActivateRuleset(string? Version, string Reason, Instant At) : MarketCommand;

/// <summary>Puts a market back under the rules before the present ones.</summary>
public sealed record RollBackRuleset(string Reason, Instant At) : MarketCommand;

public sealed record CloseMarket(string Reason, Instant At) : MarketCommand;

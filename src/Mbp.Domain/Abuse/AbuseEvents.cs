using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Abuse;

/// <summary>What happens in the stream <c>abuse-{market}</c>. Stored for ever: a field is added as nullable; anything else is a new wire name and an upcaster.</summary>
public abstract record AbuseEvent;

public enum AbuseKind
{
    /// <summary>Many more trades than usual.</summary>
    Burst,

    /// <summary>An account that was refused again and again.</summary>
    RateLimit,

    /// <summary>Trades that leave nothing behind but volume.</summary>
    Manipulation,
}

public enum Severity
{
    Low,
    Med,
    High,
}

public enum AbuseAction
{
    AlertOnly,

    /// <summary>The market went into slow mode.</summary>
    Limited,

    /// <summary>The market was stopped.</summary>
    Paused,
}

/// <summary>A rule of the rule set saw abuse (C6, C25). At most one of a kind in five minutes for a market, or for an account where one is meant.</summary>
/// <param name="Id">The market's id, the kind, and the tick.</param>
/// <param name="MarketId">Where.</param>
/// <param name="Kind">What.</param>
/// <param name="Severity">How bad.</param>
/// <param name="Action">What was done about it in the same commit.</param>
/// <param name="Accounts">Who, where somebody is meant; at most 20.</param>
/// <param name="Details">The rule's numbers, in words.</param>
/// <param name="Tick">The tick that was judged.</param>
/// <param name="TradesAfter">The trades are those of the market's stream after this version ...</param>
/// <param name="TradesTo">... up to this one.</param>
/// <param name="At">Ledger time.</param>
public sealed record AbuseFlagged(
    string Id,
    MarketId MarketId,
    AbuseKind Kind,
    Severity Severity,
    AbuseAction Action,
    EquatableArray<AccountId> Accounts,
    string Details,
    Instant Tick,
    long TradesAfter,
    long TradesTo,
    Instant At) : AbuseEvent;

/// <summary>
/// The trades and changes of liquidity that were refused in a minute, counted: one event for a minute and market however many there were, so that
/// nobody can grow the ledger by being refused.
/// </summary>
/// <param name="MarketId">Where.</param>
/// <param name="Minute">The minute's beginning.</param>
/// <param name="Total">How many.</param>
/// <param name="Codes">By code, at most 20 and the most frequent first.</param>
/// <param name="Accounts">By account, at most 20 and the most frequent first.</param>
/// <param name="At">Ledger time.</param>
public sealed record RefusalsRecorded(
    MarketId MarketId, Instant Minute, long Total, EquatableArray<CodeCount> Codes, EquatableArray<AccountCount> Accounts, Instant At) : AbuseEvent;

public sealed record CodeCount(string Code, long Count);

public sealed record AccountCount(AccountId Account, long Count);

public enum ModerationKind
{
    /// <summary>The market stops.</summary>
    Pause,

    /// <summary>The market goes into slow mode.</summary>
    Limit,

    /// <summary>An account may sell in the market, but neither buy nor add liquidity.</summary>
    Restrict,

    /// <summary>Credits of an account go to the insurance account: two people.</summary>
    Clawback,
}

public enum ModerationChange
{
    Apply,
    Undo,
    Redo,
}

/// <summary>Somebody wants a step that touches money; another person approves it.</summary>
/// <param name="Number">Which case: 1, 2, 3, ... in the market.</param>
/// <param name="Change">What is proposed.</param>
/// <param name="Measure">What the case is about.</param>
/// <param name="Reason">Why.</param>
/// <param name="By">Who.</param>
/// <param name="At">Ledger time.</param>
public sealed record ModerationProposed(int Number, ModerationChange Change, Measure Measure, string Reason, string By, Instant At) : AbuseEvent;

/// <summary>A moderator did something about a market or an account.</summary>
public sealed record ModerationApplied(int Number, Measure Measure, string Reason, EquatableArray<string> By, Instant At) : AbuseEvent;

/// <summary>It was taken back, by what undoes it: nothing is deleted.</summary>
public sealed record ModerationUndone(int Number, string Reason, EquatableArray<string> By, Instant At) : AbuseEvent;

/// <summary>What was taken back is in force again.</summary>
public sealed record ModerationRedone(int Number, string Reason, EquatableArray<string> By, Instant At) : AbuseEvent;

/// <param name="Kind">What is done.</param>
/// <param name="Account">To whom, for a restriction or a clawback.</param>
/// <param name="Amount">How much, for a clawback.</param>
/// <param name="EvidenceUri">Where the evidence is.</param>
public sealed record Measure(ModerationKind Kind, AccountId? Account, Credits? Amount, string EvidenceUri)
{
    /// <summary>Whether credits move: then two people must agree.</summary>
    public bool TouchesMoney() => Kind == ModerationKind.Clawback;
}

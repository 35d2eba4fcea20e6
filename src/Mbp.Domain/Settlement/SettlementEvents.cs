using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Settlement;

// Stored for ever. A field is added as nullable; anything else is a new wire name and an upcaster in SettlementSlice.cs.
public abstract record SettlementEvent;

/// <summary>What will be paid, fixed before the first payout (spec part 2, D7).</summary>
/// <param name="MarketId">Which market.</param>
/// <param name="Vector">What a share of each outcome pays; adds up to 1.</param>
/// <param name="Locked">S: the cash held by the pool.</param>
/// <param name="Fees">F: fees collected and not claimed.</param>
/// <param name="Payouts">How many accounts are paid more than nothing.</param>
/// <param name="Total">The sum of all payouts, fees included.</param>
/// <param name="Dust">S less what traders and providers get: what rounding left over.</param>
/// <param name="FeeDust">F less what the providers claim.</param>
/// <param name="Root">RFC 6962 root of the plan's lines, hex: two who compute the plan compare one hash.</param>
/// <param name="At">When.</param>
public sealed record SettlementPlanned(
    MarketId MarketId,
    EquatableArray<Price> Vector,
    Credits Locked,
    Credits Fees,
    int Payouts,
    Credits Total,
    Credits Dust,
    Credits FeeDust,
    string Root,
    Instant At) : SettlementEvent;

/// <summary>One account is paid; the account's own event is in the same commit. Once for each account and market (Q4.I5).</summary>
/// <param name="Account">Who.</param>
/// <param name="Shares">For its shares.</param>
/// <param name="Liquidity">For its part of the pool.</param>
/// <param name="Fees">Its unclaimed fees.</param>
/// <param name="Amount">The sum of the three.</param>
/// <param name="At">When.</param>
public sealed record PayoutRecorded(AccountId Account, Credits Shares, Credits Liquidity, Credits Fees, Credits Amount, Instant At) : SettlementEvent;

/// <summary>All are paid: Locked + Fees = Paid + Dust + FeeDust.</summary>
public sealed record MarketSettled(Credits Locked, Credits Fees, Credits Paid, Credits Dust, Credits FeeDust, Instant At) : SettlementEvent;

/// <summary>
/// Somebody holds a settlement to be wrong: by this value it should have been paid (I10). Another person approves it; nothing that was written is
/// deleted, what differs is posted beside it.
/// </summary>
/// <param name="MarketId">Which market; it is settled.</param>
/// <param name="Number">1, 2, 3, ... in the market; one that was not approved is replaced under the same number.</param>
/// <param name="Value">An outcome's name, a scalar's number, or INVALID.</param>
/// <param name="Vector">What a share of each outcome should have paid; adds up to 1.</param>
/// <param name="EvidenceUri">What backs the value.</param>
/// <param name="Reason">Why the first value was wrong.</param>
/// <param name="By">Who.</param>
/// <param name="At">When.</param>
public sealed record SettlementCorrectionProposed(
    MarketId MarketId, int Number, string Value, EquatableArray<Price> Vector, string EvidenceUri, string Reason, string By, Instant At) : SettlementEvent;

/// <summary>A second person agrees: from here on the differences are posted, batch by batch. Locked + fees = Total + Dust + FeeDust.</summary>
/// <param name="MarketId">Which market.</param>
/// <param name="Number">Which correction.</param>
/// <param name="Value">The value that holds now.</param>
/// <param name="Vector">What a share of each outcome pays by it.</param>
/// <param name="Accounts">How many accounts were paid too much or too little.</param>
/// <param name="Back">What those who were paid too much owe together.</param>
/// <param name="More">What those who were paid too little are due together.</param>
/// <param name="Shortfall">How much of <paramref name="Back"/> was spent already, as far as it could be seen: insurance held no less.</param>
/// <param name="Total">What all payouts add up to by the new plan, fees included.</param>
/// <param name="Dust">What rounding leaves of the locked cash by it.</param>
/// <param name="FeeDust">What rounding leaves of the fees by it.</param>
/// <param name="Root">The RFC 6962 root of the new plan's lines, hex.</param>
/// <param name="EvidenceUri">What backs the value.</param>
/// <param name="Reason">Why it was corrected.</param>
/// <param name="By">Both people: who proposed it, who approved it.</param>
/// <param name="At">When.</param>
public sealed record SettlementCorrected(
    MarketId MarketId,
    int Number,
    string Value,
    EquatableArray<Price> Vector,
    int Accounts,
    Credits Back,
    Credits More,
    Credits Shortfall,
    Credits Total,
    Credits Dust,
    Credits FeeDust,
    string Root,
    string EvidenceUri,
    string Reason,
    EquatableArray<string> By,
    Instant At) : SettlementEvent;

/// <summary>
/// One account is paid more, or gives back; the accounts' own events are in the same commit. Once for each account and correction.
/// |Due - Before| = Moved + Insured.
/// </summary>
/// <param name="Number">Which correction.</param>
/// <param name="Account">Who.</param>
/// <param name="Before">What the plan that held before paid it.</param>
/// <param name="Due">What the new plan pays it.</param>
/// <param name="Moved">What the account itself is credited (due more), or debited (due less).</param>
/// <param name="Insured">
/// Due less: what it had spent already, the shortfall, which insurance pays. Due more: what goes to insurance, which had carried it for the account.
/// </param>
/// <param name="At">When.</param>
public sealed record PayoutCorrected(int Number, AccountId Account, Credits Before, Credits Due, Credits Moved, Credits Insured, Instant At) : SettlementEvent;

/// <summary>All differences are posted: locked + fees = Paid + Dust + FeeDust.</summary>
/// <param name="Number">Which correction.</param>
/// <param name="Back">What the market got back, from accounts and from insurance.</param>
/// <param name="More">What it paid more, to accounts and to insurance.</param>
/// <param name="Shortfall">How much of <paramref name="Back"/> insurance paid.</param>
/// <param name="Repaid">How much of <paramref name="More"/> went to insurance.</param>
/// <param name="Paid">What the market has paid in all, less what it got back.</param>
/// <param name="Dust">What rounding leaves of the locked cash.</param>
/// <param name="FeeDust">What rounding leaves of the fees.</param>
/// <param name="At">When.</param>
public sealed record SettlementCorrectionDone(
    int Number, Credits Back, Credits More, Credits Shortfall, Credits Repaid, Credits Paid, Credits Dust, Credits FeeDust, Instant At) : SettlementEvent;

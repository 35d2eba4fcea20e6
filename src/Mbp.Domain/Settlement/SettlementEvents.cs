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

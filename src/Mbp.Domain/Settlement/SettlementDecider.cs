using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Settlement;

/// <summary>Fixes what is to be paid.</summary>
/// <param name="MarketId">Which market.</param>
/// <param name="Plan">The plan, where the caller has computed it already; null = the decision computes it.</param>
/// <param name="At">Ledger time.</param>
public sealed record PlanSettlement(MarketId MarketId, SettlementPlan? Plan, Instant At);

/// <summary>Makes the next payouts of the plan, at most <paramref name="Most"/>.</summary>
/// <param name="MarketId">Which market.</param>
/// <param name="Plan">The whole plan; it must be the one whose root the ledger holds.</param>
/// <param name="From">How many payouts the caller takes for made. If it is wrong, nothing is paid: the caller has to look again.</param>
/// <param name="Most">A bound on one commit.</param>
/// <param name="At">Ledger time.</param>
public sealed record PayNext(MarketId MarketId, SettlementPlan Plan, int From, int Most, Instant At);

/// <summary>From a final value to the last payout. Each step is "already so" when it is repeated, so a crash costs nothing but time.</summary>
public static class SettlementDecider
{
    public static readonly Rejection NotFinal = new(
        RejectionKind.Conflict, "settlement.not_final", "Nothing is paid before the resolution is final.");

    public static readonly Rejection NotPlanned = new(RejectionKind.Conflict, "settlement.not_planned", "There is no settlement plan yet.");

    public static Decision<SettlementEvent> Plan(PlanSettlement c, MarketResolution resolution, MarketSettlement settlement, Pool pool)
    {
        ArgumentNullException.ThrowIfNull(c);
        ArgumentNullException.ThrowIfNull(pool);
        if (FinalVector(resolution) is not { } vector)
        {
            return NotFinal;
        }

        if (settlement is not MarketSettlement.NotPlanned)
        {
            return [];
        }

        var shares = new PayoutVector(vector);
        var plan = c.Plan ?? SettlementPlan.From(pool, shares);
        return plan.IsOf(pool, shares)
            ? [new SettlementPlanned(c.MarketId, vector, pool.Locked, pool.FeePool, plan.Payable.Count, plan.Total, plan.Dust, plan.FeeDust, plan.RootText, c.At)]
            : throw new InvalidOperationException($"The plan that was computed for {c.MarketId} is not one of its pool.");
    }

    public static Decision<StreamEvent> Pay(PayNext c, MarketSettlement settlement)
    {
        ArgumentNullException.ThrowIfNull(c);
        if (settlement is MarketSettlement.Settled)
        {
            return [];
        }

        if (settlement is not MarketSettlement.Paying paying)
        {
            return NotPlanned;
        }

        if (c.Plan.RootText != paying.Plan.Root)
        {
            throw new InvalidOperationException($"The plan of {c.MarketId} has root {c.Plan.Root}, the ledger's has {paying.Plan.Root}.");
        }

        if (c.From != paying.Done)
        {
            return [];
        }

        // No account is looked at: what it is owed does not depend on what it has.
        var written = new List<StreamEvent>(2 * c.Most + 1);
        var paid = paying.Paid;
        var last = Math.Min(paying.Done + c.Most, c.Plan.Payable.Count);
        for (var i = paying.Done; i < last; i++)
        {
            var line = c.Plan.Payable[i];
            var amount = line.Total();
            paid += amount;
            written.Add(line.Account.Stream.With(new AccountCredited(amount, PostingKind.Payout, c.MarketId, "settlement", c.At)));
            written.Add(c.MarketId.Resolution.With(new PayoutRecorded(
                line.Account, line.ForShares, line.ForLiquidity ?? Credits.Zero, line.Fees ?? Credits.Zero, amount, c.At)));
        }

        if (last == c.Plan.Payable.Count)
        {
            var plan = paying.Plan;
            written.Add(c.MarketId.Resolution.With(new MarketSettled(plan.Locked, plan.Fees, paid, plan.Dust, plan.FeeDust, c.At)));
        }

        return [.. written];
    }

    /// <summary>What a share of each outcome pays, once nothing can change it any more.</summary>
    public static EquatableArray<Price>? FinalVector(MarketResolution resolution) => resolution switch
    {
        MarketResolution.Finished finished => finished.Decision.Vector,
        MarketResolution.Voided voided => voided.Vector,
        _ => null,
    };
}

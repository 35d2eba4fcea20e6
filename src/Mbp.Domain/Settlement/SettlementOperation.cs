using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger.Writing;

namespace Mbp.Domain.Settlement;

/// <summary>The steps of a settlement as the writer takes them. Repeating any of them does nothing, so whoever takes them may be killed between any two.</summary>
public static class SettlementOperation
{
    /// <param name="market">Which market.</param>
    /// <param name="plan">What the market's final pool and vector give: computed by the caller, since the writer is not to stand still for it.</param>
    public static Operation Plan(MarketId market, SettlementPlan plan) => Operation.On(
        MarketResolution.Fold.Of(market.Resolution), MarketSettlement.Fold.Of(market.Resolution), Pool.Fold.Of(market.Stream),
        (at, resolution, settlement, pool) => SettlementDecider.Plan(new PlanSettlement(market, plan, at), resolution, settlement, pool).On(market.Resolution));

    /// <summary>
    /// Makes the next payouts. What an account has is not asked: a payout is owed whatever it is, and to fold the histories of all who are paid would cost more
    /// than to pay them. So the caller has to know that no balance outgrows the ledger's range by it.
    /// </summary>
    /// <param name="market">Which market.</param>
    /// <param name="plan">The plan that is being paid.</param>
    /// <param name="from">How many payouts are made.</param>
    /// <param name="most">A bound on this commit.</param>
    public static Operation Pay(MarketId market, SettlementPlan plan, int from, int most)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var settlement = MarketSettlement.Fold.Of(market.Resolution);
        var accounts = new List<Ledger.StreamId>(most);
        for (var i = from; i < Math.Min(from + most, plan.Payable.Count); i++)
        {
            accounts.Add(plan.Payable[i].Account.Stream);
        }

        return Operation.On([settlement], accounts, (read, at) => SettlementDecider.Pay(new PayNext(market, plan, from, most, at), read.Get(settlement)));
    }

    public static Operation Propose(MarketId market, string value, string evidenceUri, string reason, string by)
    {
        var (terms, pool, resolution, settlement) = (
            Market.Fold.Of(market.Stream), Pool.Fold.Of(market.Stream), MarketResolution.Fold.Of(market.Resolution), MarketSettlement.Fold.Of(market.Resolution));
        return Operation.On([terms, pool, resolution, settlement], (read, at) => CorrectionDecider.Propose(
            new ProposeCorrection(market, value, evidenceUri, reason, by, at), read.Get(terms), read.Get(resolution), read.Get(settlement), read.Get(pool)).On(market.Resolution));
    }

    /// <param name="market">Which market.</param>
    /// <param name="plan">What the proposal means: computed by the caller, as for <see cref="Plan"/>.</param>
    /// <param name="shortfall">How much of it the debtors do not have, as far as the caller can see.</param>
    /// <param name="by">Who approves.</param>
    public static Operation Approve(MarketId market, CorrectionPlan plan, Credits shortfall, string by)
    {
        var (pool, resolution, settlement, insurance) = (
            Pool.Fold.Of(market.Stream), MarketResolution.Fold.Of(market.Resolution), MarketSettlement.Fold.Of(market.Resolution), Account.Fold.Of(AccountId.Insurance.Stream));
        return Operation.On([pool, resolution, settlement, insurance], (read, at) => CorrectionDecider.Approve(
            new ApproveCorrection(market, plan, shortfall, by, at), read.Get(resolution), read.Get(settlement), read.Get(pool), read.Get(insurance)).On(market.Resolution));
    }

    /// <summary>Posts the next differences. Other than a payout, what an account gives back does depend on what it has.</summary>
    /// <inheritdoc cref="Pay"/>
    public static Operation Correct(MarketId market, CorrectionPlan plan, int from, int most)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var (settlement, insurance) = (MarketSettlement.Fold.Of(market.Resolution), Account.Fold.Of(AccountId.Insurance.Stream));
        var accounts = plan.Lines.Skip(from).Take(most).Select(line => (Ledger.StateRef)Account.Fold.Of(line.Account.Stream));
        return Operation.On([settlement, insurance, .. accounts], (read, at) => CorrectionDecider.Post(
            new PostCorrections(market, plan, from, most, at), read.Get(settlement), account => read.Get(Account.Fold.Of(account.Stream)), read.Get(insurance)));
    }
}

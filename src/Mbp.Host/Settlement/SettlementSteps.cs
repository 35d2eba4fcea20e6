using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution;
using Mbp.Domain.Settlement;
using Mbp.Domain.Trading;
using Mbp.Host.Platform;
using Mbp.Ledger;
using Mbp.Ledger.Writing;

namespace Mbp.Host.Settlement;

/// <summary>The commands that pay a finished market out. Repeating any of them does nothing, so the clock may be killed between any two.</summary>
internal static class SettlementSteps
{
    /// <summary>Payouts in one commit: large enough to be quick, small enough not to hold up trades on other markets.</summary>
    private const int PayoutsPerCommit = 200;

    public static async Task<CommandOutcome> PlanAsync(LedgerWriter writer, MarketId market, CommandContext context, CancellationToken cancellationToken)
    {
        var states = (
            Resolution: MarketResolution.Fold.Of(market.Resolution), Settlement: MarketSettlement.Fold.Of(market.Resolution), Pool: Pool.Fold.Of(market.Stream));
        var operation = Operation.On(
            states.Resolution, states.Settlement, states.Pool,
            (at, resolution, settlement, pool) => SettlementDecider.Plan(new PlanSettlement(market, at), resolution, settlement, pool).On(market.Resolution));
        return await writer.SubmitAsync(operation, context, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Makes the next payouts; the view gives the pool, which no longer changes, and how far the payouts are.</summary>
    public static async Task<CommandOutcome> PayAsync(
        LedgerWriter writer, MarketView view, SettlementPlan plan, int done, CommandContext context, CancellationToken cancellationToken)
    {
        var market = view.Terms!.MarketId;
        var settlement = MarketSettlement.Fold.Of(market.Resolution);
        var accounts = plan.Payable.Skip(done).Take(PayoutsPerCommit).Select(line => (StateRef)Account.Fold.Of(line.Account.Stream));
        var operation = Operation.On(
            [settlement, .. accounts],
            (read, at) => SettlementDecider.Pay(new PayNext(market, plan, PayoutsPerCommit, at), read.Get(settlement)));
        return await writer.SubmitAsync(operation, context, cancellationToken).ConfigureAwait(false);
    }
}

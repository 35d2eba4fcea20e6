using Mbp.Domain.Abuse;
using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Slo;
using Mbp.Domain.Markets;
using Mbp.Ledger;
using Mbp.Ledger.Writing;
using NodaTime;

namespace Mbp.Domain.Trading;

/// <summary>The operation behind a trade or a change of liquidity: everything that <see cref="TradeDecider"/> reads.</summary>
public static class TradeOperation
{
    private static readonly StateRef<SloPolicy> Slo = SloPolicy.Fold.Of(SloPolicy.Stream);

    /// <param name="market">Where.</param>
    /// <param name="account">Who.</param>
    /// <param name="command">The command at the ledger's time.</param>
    public static Operation Of(MarketId market, AccountId account, Func<Instant, TradeCommand> command)
    {
        var stream = market.Stream;
        var (lifecycle, pool, holder, flow, cases) = (
            Market.Fold.Of(stream), Pool.Fold.Of(stream), Account.Fold.Of(account.Stream), TradeFlow.Fold.Of(stream), Moderation.Fold.Of(market.Abuse));
        return Operation.On(
            [lifecycle, pool, holder, flow, cases, Slo],
            (states, at) => TradeDecider.Decide(
                command(at), states.Get(lifecycle), states.Get(pool), states.Get(holder), states.Get(flow), states.Get(cases), states.Get(Slo)));
    }
}

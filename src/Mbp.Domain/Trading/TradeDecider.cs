using System.Collections.Immutable;
using Mbp.Domain.Accounts;
using Mbp.Domain.Governance;
using Mbp.Domain.Markets;
using Mbp.Domain.Units;
using Mbp.Ledger;

namespace Mbp.Domain.Trading;

/// <summary>
/// Trades and liquidity: one decision over the market, its pool and the account, so that shares and cash move in one commit
/// (design: conservation holds at every position). The account's event comes first: a trade's position is its last event's.
/// </summary>
public static class TradeDecider
{
    public static Decision<StreamEvent> Decide(TradeCommand command, Market market, Pool pool, Account account)
    {
        ArgumentNullException.ThrowIfNull(command);
        if (MarketDecider.WhyNoTrade(market, command.At) is { } closed)
        {
            return closed;
        }

        if (account is not Account.Open open)
        {
            return AccountErrors.NotFound;
        }

        var change = Change(command, pool, Bounds(market));
        return change.Rejection is { } refused ? refused
            : TouchesSeed(command, market, pool) ? TradingErrors.SeedLocked(pool.Seed)
            : Post(command, change.Events, open);
    }

    /// <summary>The pool's side of a command, whatever the account holds: also what a quote shows.</summary>
    public static Decision<PoolEvent> Change(TradeCommand command, Pool pool, PriceBounds? bounds) => command switch
    {
        BuyShares c => PoolRules.Buy(pool, c.TradeId, c.Account, c.Outcome, c.Amount, c.MinShares, c.At, bounds),
        SellShares c => PoolRules.Sell(pool, c.TradeId, c.Account, c.Outcome, c.Shares, c.MinReturn, c.At, bounds),
        AddLiquidity c => LiquidityRules.Add(pool, c.Account, c.Amount, c.At),
        RemoveLiquidity c => LiquidityRules.Remove(pool, c.Account, c.LpShares, c.At),
        _ => throw new InvalidOperationException($"{command.GetType().Name} has no decision."),
    };

    /// <summary>The price bounds of the market's rule set, if it has any.</summary>
    public static PriceBounds? Bounds(Market market) =>
        market.Terms() is { } terms && Rulesets.Find(terms.Ruleset) is { MinPrice: { } min, MaxPrice: { } max } ? new PriceBounds(min, max) : null;

    private static bool TouchesSeed(TradeCommand command, Market market, Pool pool) =>
        command is RemoveLiquidity remove
        && remove.Account == pool.Opener
        && pool.HolderOf(remove.Account).LpShares - remove.LpShares < pool.Seed
        && Rulesets.Find(market.Terms()!.Ruleset) is { SeedLocked: true };

    /// <summary>What the pool's events mean in cash for the account.</summary>
    internal static Decision<StreamEvent> Post(TradeCommand command, ImmutableArray<PoolEvent> events, Account.Open account)
    {
        var written = new List<StreamEvent>(events.Length + 2);
        foreach (var @event in events)
        {
            var (kind, reference, paid, received) = Cash(@event);
            if (paid > account.Balance)
            {
                return AccountErrors.InsufficientFunds(account.Balance, paid);
            }

            if (!Decimal8.Fits((account.Balance - paid).Units, received.Units))
            {
                return AccountErrors.TooLarge;
            }

            if (paid > Credits.Zero)
            {
                written.Add(command.Account.Stream.With(new AccountDebited(paid, kind, command.MarketId, reference, command.At)));
            }

            if (received > Credits.Zero)
            {
                written.Add(command.Account.Stream.With(new AccountCredited(received, kind, command.MarketId, reference, command.At)));
            }

            written.Add(command.MarketId.Stream.With(@event));
        }

        return [.. written];
    }

    private static (PostingKind Kind, string Reference, Credits Paid, Credits Received) Cash(PoolEvent @event) => @event switch
    {
        TradeExecuted { Side: TradeSide.Buy } e => (PostingKind.Trade, e.TradeId, e.Amount, Credits.Zero),
        TradeExecuted e => (PostingKind.Trade, e.TradeId, Credits.Zero, e.Amount),
        LiquidityAdded e => (PostingKind.Liquidity, "add", e.Amount, e.Claimed),
        LiquidityRemoved e => (PostingKind.Liquidity, "remove", Credits.Zero, e.Merged + e.Claimed),
        _ => throw new InvalidOperationException($"{@event.GetType().Name} moves no cash."),
    };
}

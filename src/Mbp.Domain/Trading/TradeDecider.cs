using System.Collections.Immutable;
using Mbp.Domain.Abuse;
using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Governance.Slo;
using Mbp.Domain.Markets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Units;
using Mbp.Ledger;

namespace Mbp.Domain.Trading;

/// <summary>
/// Trades and liquidity: one decision over the market, its pool and the account, so that shares and cash move in one commit
/// (design: conservation holds at every position). The account's event comes first: a trade's position is its last event's.
/// </summary>
public static class TradeDecider
{
    public static Decision<StreamEvent> Decide(TradeCommand command, Market market, Pool pool, Account account, TradeFlow flow, Moderation moderation, SloPolicy slo)
    {
        ArgumentNullException.ThrowIfNull(command);
        var policy = market.Policy();
        return Decide(command, market, policy?.Rules, pool, account, flow, moderation, slo).Under(policy?.Hash);
    }

    private static Decision<StreamEvent> Decide(
        TradeCommand command, Market market, Ruleset? rules, Pool pool, Account account, TradeFlow flow, Moderation moderation, SloPolicy slo)
    {
        if (MarketDecider.WhyNoTrade(market, command.At) is { } closed)
        {
            return closed;
        }

        if (account is not Account.Open open)
        {
            return AccountErrors.NotFound;
        }

        var change = Change(command, pool, Bounds(rules));
        if (change.Rejection is { } refused)
        {
            return refused;
        }

        // Whoever cannot pay is told so, and not which cap it would have passed.
        var posted = Post(command, change.Events, open);
        return posted.Rejection is null && rules is not null && Refusal(command, change.Events, market, rules, pool, flow, moderation, slo) is { } ruled ? ruled : posted;
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

    /// <summary>The price bounds of a rule set, if it has any.</summary>
    public static PriceBounds? Bounds(Ruleset? rules) => rules?.Trading is { MinPrice: { } min, MaxPrice: { } max } ? new PriceBounds(min, max) : null;

    /// <summary>What the rule set in force has against a change that the pool allows.</summary>
    private static Rejection? Refusal(
        TradeCommand command, ImmutableArray<PoolEvent> change, Market market, Ruleset rules, Pool pool, TradeFlow flow, Moderation moderation, SloPolicy slo)
    {
        var slow = market.HaltLevel() == HaltLevel.Soft || slo.Slows(rules);
        return command switch
        {
            BuyShares or AddLiquidity when moderation.Restricts(command.Account) => RiskErrors.Restricted(command.Account),
            RemoveLiquidity when slow => MarketErrors.SlowMode,
            RemoveLiquidity remove when rules.Trading.SeedLocked && TouchesSeed(remove, pool) => TradingErrors.SeedLocked(pool.Seed),
            BuyShares or SellShares => RiskRules.Refusal((TradeExecuted)change[0], market.Terms()!.Kind, rules, pool, flow, slow),
            AddLiquidity or RemoveLiquidity => RiskRules.Refusal(change[0], market.Terms()!.Kind, rules, pool, flow, slow),
            _ => null,
        };
    }

    private static bool TouchesSeed(RemoveLiquidity remove, Pool pool) =>
        remove.Account == pool.Opener && pool.HolderOf(remove.Account).LpShares - remove.LpShares < pool.Seed;

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

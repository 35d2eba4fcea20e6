using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Abuse;

/// <summary>The caps and pauses that a trade must keep (D17, C25, C26), asked after the pool's own rules: the first that does not hold is the answer.</summary>
public static class RiskRules
{
    /// <param name="trade">What the trade would be.</param>
    /// <param name="kind">The market's kind.</param>
    /// <param name="rules">The rule set in force.</param>
    /// <param name="pool">The pool before the trade.</param>
    /// <param name="flow">The market's last minutes before it.</param>
    /// <param name="slow">Whether the market is in slow mode.</param>
    public static Rejection? Refusal(TradeExecuted trade, MarketKind kind, Ruleset rules, Pool pool, TradeFlow flow, bool slow)
    {
        ArgumentNullException.ThrowIfNull(trade);
        ArgumentNullException.ThrowIfNull(rules);
        ArgumentNullException.ThrowIfNull(pool);
        ArgumentNullException.ThrowIfNull(flow);
        var caps = rules.CapsOf(kind);
        if (caps is null && rules.Abuse?.Cooldown is null)
        {
            return null;
        }

        var recent = flow.Of(trade.Account);
        return Exposure(trade, caps, pool) ?? OpenInterest(trade, caps, pool) ?? Rate(caps, recent, trade.At, slow) ?? Cooldown(trade, rules.Abuse?.Cooldown, recent);
    }

    /// <summary>
    /// What the caps have against a change of liquidity, where they look at it. What comes back as shares is at stake like shares that were bought; what
    /// stays in the pool is not. Liquidity may always go, at the rate of trades: it brings the open interest nowhere.
    /// </summary>
    /// <param name="change">What the change would be.</param>
    /// <param name="kind">The market's kind.</param>
    /// <param name="rules">The rule set in force.</param>
    /// <param name="pool">The pool before it.</param>
    /// <param name="flow">The market's last minutes before it.</param>
    /// <param name="slow">Whether the market is in slow mode.</param>
    public static Rejection? Refusal(PoolEvent change, MarketKind kind, Ruleset rules, Pool pool, TradeFlow flow, bool slow)
    {
        ArgumentNullException.ThrowIfNull(change);
        ArgumentNullException.ThrowIfNull(rules);
        ArgumentNullException.ThrowIfNull(pool);
        ArgumentNullException.ThrowIfNull(flow);
        return rules.CapsOf(kind) is not { CountsLiquidity: true } caps ? null
            : (change is LiquidityAdded added ? Exposure(added, caps, pool) ?? OpenInterest(added, caps, pool, "amount") : null)
                ?? Rate(caps, flow.Of(change.Account), change.At, slow);
    }

    /// <summary>A market that would open above its cap on open interest could never be bought in.</summary>
    /// <param name="opening">The opening.</param>
    /// <param name="kind">The market's kind.</param>
    /// <param name="rules">Its rule set.</param>
    /// <param name="pool">The empty pool.</param>
    public static Rejection? OfOpening(LiquidityAdded opening, MarketKind kind, Ruleset rules, Pool pool)
    {
        ArgumentNullException.ThrowIfNull(rules);
        return rules.CapsOf(kind) is { CountsLiquidity: true } caps ? OpenInterest(opening, caps, pool, "liquidity") : null;
    }

    /// <summary>S - min R after the trade, in units (spec D17).</summary>
    public static long OpenInterestAfter(TradeExecuted trade, Pool pool)
    {
        ArgumentNullException.ThrowIfNull(trade);
        ArgumentNullException.ThrowIfNull(pool);
        var (cash, traded) = trade.Side == TradeSide.Buy ? (trade.Net.Units, -trade.Shares.Units) : (-trade.Net.Units, trade.Shares.Units);
        var (index, least) = (pool.IndexOf(trade.Outcome), long.MaxValue);
        for (var o = 0; o < pool.Reserves.Count; o++)
        {
            least = Math.Min(least, pool.Reserves[o].Units + cash + (o == index ? traded : 0));
        }

        return pool.Locked.Units + cash - least;
    }

    /// <summary>How many trades an account may make in a minute.</summary>
    public static int? TradesPerMinute(RiskCaps? caps, bool slow) => caps?.MaxTradesPerMinute is { } limit ? slow ? Math.Max(1, limit / 2) : limit : null;

    private static Rejection? Exposure(TradeExecuted trade, RiskCaps? caps, Pool pool)
    {
        // A sale takes cash out: whoever is above a cap that was lowered may always come down.
        if (trade.Side == TradeSide.Sell || caps?.MaxExposurePerUser is not { } cap)
        {
            return null;
        }

        var before = ExposureUnits(caps, pool, trade.Account);
        return (Int128)before + trade.Amount.Units <= cap.Units
            ? null
            : RiskErrors.Exposure(caps.Kind, cap, before, trade.Amount);
    }

    private static Rejection? Exposure(LiquidityAdded added, RiskCaps caps, Pool pool)
    {
        if (caps.MaxExposurePerUser is not { } cap || PoolFold.Worth(added.Back, added.Prices) is not (> 0 and var worth))
        {
            return null;
        }

        var before = ExposureUnits(caps, pool, added.Account);
        return (Int128)before + worth <= cap.Units ? null : RiskErrors.Exposure(caps.Kind, cap, before, new Credits(worth));
    }

    private static long ExposureUnits(RiskCaps caps, Pool pool, AccountId account)
    {
        var holder = pool.HolderOf(account);
        return caps.CountsLiquidity == true ? holder.ExposureUnits + holder.LiquidityUnits : holder.ExposureUnits;
    }

    // Where all outcomes are equally likely an addition leaves the open interest as it is, and is welcome above the cap as well.
    private static Rejection? OpenInterest(LiquidityAdded added, RiskCaps caps, Pool pool, string field)
    {
        if (caps.MaxOpenInterest is not { } cap)
        {
            return null;
        }

        var least = long.MaxValue;
        for (var o = 0; o < pool.Reserves.Count; o++)
        {
            least = Math.Min(least, pool.Reserves[o].Units + added.Kept[o].Units);
        }

        var after = pool.Locked.Units + added.Amount.Units - least;
        return after > cap.Units && after > pool.OpenInterest.Units ? RiskErrors.OpenInterest(caps.Kind, cap, after, field) : null;
    }

    private static Rejection? OpenInterest(TradeExecuted trade, RiskCaps? caps, Pool pool) =>
        trade.Side == TradeSide.Buy && caps?.MaxOpenInterest is { } cap && OpenInterestAfter(trade, pool) is var after && after > cap.Units
            ? RiskErrors.OpenInterest(caps.Kind, cap, after)
            : null;

    private static Rejection? Rate(RiskCaps? caps, AccountFlow recent, Instant at, bool slow) =>
        TradesPerMinute(caps, slow) is { } limit && recent.Rate.CountAt(at) + (caps!.CountsLiquidity == true ? recent.Liquidity.CountAt(at) : 0) >= limit
            ? RiskErrors.Rate(caps, limit, slow)
            : null;

    private static Rejection? Cooldown(TradeExecuted trade, CooldownRule? rule, AccountFlow recent) =>
        rule is not null && recent.Spike is { } spike && spike.Outcome == trade.Outcome && spike.Side == trade.Side
        && spike.At + Duration.FromSeconds(rule.Seconds) is var until && trade.At < until
            ? RiskErrors.CoolingDown(until)
            : null;
}

/// <summary>The refusals of the caps. Codes are public API; each names the rule and its numbers.</summary>
public static class RiskErrors
{
    public static Rejection Exposure(MarketKind kind, Credits cap, long beforeUnits, Credits amount) => Refused(
        kind, "max_exposure_per_user",
        $"The account has {Signed(beforeUnits)} CE$ at stake here; {amount} more would pass the cap of {cap}.", "amount");

    public static Rejection OpenInterest(MarketKind kind, Shares cap, long afterUnits, string field = "amount") => Refused(
        kind, "max_open_interest", $"The market's open interest would be {Signed(afterUnits)} shares; the cap is {cap}.", field);

    public static Rejection Rate(RiskCaps caps, int limit, bool slow)
    {
        ArgumentNullException.ThrowIfNull(caps);
        return Refused(
            caps.Kind, "max_trade_rate",
            $"The account has made {limit} trades{(caps.CountsLiquidity == true ? " and changes of liquidity" : "")} here within 60 s, which is the limit{(slow ? " in slow mode" : "")}.",
            field: null);
    }

    public static Rejection CoolingDown(Instant until) => new(
        RejectionKind.Refused, "trading.cooling_down",
        $"The account has just moved this price a lot. It may go on the same way at {NodaTime.Text.InstantPattern.ExtendedIso.Format(until)}; the other way is open.")
    {
        Rule = "abuse.cooldown",
    };

    public static Rejection Restricted(AccountId account) => new(
        RejectionKind.Forbidden, "trading.account_restricted", $"A moderator has restricted {account} in this market: it may sell, not buy.", "account") { Rule = "moderation" };

    private static Rejection Refused(MarketKind kind, string rule, string message, string? field) =>
        new(RejectionKind.Refused, $"trading.{rule}", message, field) { Rule = $"caps.{Words.Of(kind)}.{rule}" };

    private static string Signed(long units) => units < 0 ? $"-{Decimal8.Format(-units)}" : Decimal8.Format(units);
}

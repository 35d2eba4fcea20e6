using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using static Mbp.Domain.Tests.Trading.Pools;

namespace Mbp.Domain.Tests.Trading;

public sealed class PoolRulesTests
{
    [Fact]
    public void A_buy_pays_the_fee_and_moves_the_price()
    {
        var pool = Binary();
        var trade = Assert.IsType<TradeExecuted>(Assert.Single(pool.Buy("YES", "100")));
        Assert.Equal((Cash("0.5"), Cash("99.5")), (trade.Fee, trade.Net));
        Assert.Equal("198.01972869", trade.Shares.ToString());
        Assert.Equal("0.5", trade.PriceBefore.ToString());
        Assert.Equal(trade.Prices[0], trade.PriceAfter);
        Assert.True(trade.PriceAfter > trade.PriceBefore);
    }

    [Fact]
    public void What_was_bought_can_be_sold_for_no_more()
    {
        var pool = Applied(Binary(feePpm: 0), Binary(feePpm: 0).Buy("NO", "100"));
        var held = pool.HolderOf(Ana).Shares[1];
        var trade = Assert.IsType<TradeExecuted>(Assert.Single(PoolRules.Sell(pool, "t2", Ana, "NO", held, null, Noon)));
        Assert.InRange(trade.Amount.Units, Cash("99.99999998").Units, Cash("100").Units);
        Assert.Equal(default, Pool.Evolve(pool, trade).HolderOf(Ana).Shares[1]);
        Refused("trading.insufficient_shares", PoolRules.Sell(pool, "t2", Ana, "NO", new Shares(held.Units + 1), null, Noon));
    }

    [Fact]
    public void The_holding_is_checked_before_anything_else_of_a_sale() => Refused("trading.insufficient_shares", Binary().Sell("YES", "0.00000001", "999"));

    [Fact]
    public void Amounts_that_move_nothing_are_too_small()
    {
        Refused("trading.amount_too_small", Binary().Buy("YES", "0"));
        Refused("trading.amount_too_small", Binary().Buy("YES", "0.00000001"));
        Assert.Null(Binary(feePpm: 0).Buy("YES", "0.00000001").Rejection);
        Refused("trading.amount_too_small", Binary().Sell("YES", "0"));
        Refused("trading.amount_too_small", LiquidityRules.Add(Binary(), Ana, Credits.Zero, Noon));
    }

    [Fact]
    public void A_limit_is_met_exactly_or_the_trade_is_refused()
    {
        var shares = Assert.IsType<TradeExecuted>(Assert.Single(Binary().Buy("YES", "100"))).Shares;
        Assert.Null(Binary().Buy("YES", "100", shares.ToString()).Rejection);
        var refused = Binary().Buy("YES", "100", new Shares(shares.Units + 1).ToString());
        Refused("trading.slippage", refused);
        Assert.Contains(shares.ToString(), refused.Rejection!.Message, StringComparison.Ordinal);

        var pool = Applied(Binary(), Binary().Buy("YES", "100"));
        var back = Assert.IsType<TradeExecuted>(Assert.Single(pool.Sell("YES", "50"))).Amount;
        Assert.Null(pool.Sell("YES", "50", back.ToString()).Rejection);
        Refused("trading.slippage", pool.Sell("YES", "50", new Credits(back.Units + 1).ToString()));
    }

    [Fact]
    public void A_reserve_keeps_its_minimum_to_the_unit()
    {
        // R = 200 a side: ceil(4e20 / 40000000004) is 1e10 = Rmin, and one unit more of cash leaves one unit less.
        Assert.Null(Binary("200", 0).Buy("YES", "200.00000004").Rejection);
        Refused("trading.reserve_below_min", Binary("200", 0).Buy("YES", "200.00000005"));
        Assert.Null(LiquidityRules.Remove(Binary("200", 0), House, new LpShares(Cash("100").Units), Noon).Rejection);
        Refused("trading.reserve_below_min", LiquidityRules.Remove(Binary("200", 0), House, new LpShares(Cash("100.00000001").Units), Noon));
        var empty = Pool.Empty(["YES", "NO"], 0);
        Assert.Null(LiquidityRules.Open(empty, House, Cash("100"), [1, 1], Noon).Rejection);
        Refused("trading.reserve_below_min", LiquidityRules.Open(empty, House, Cash("99.99999999"), [1, 1], Noon));
    }

    [Fact]
    public void A_reserve_below_its_minimum_is_refused_before_slippage() =>
        Refused("trading.reserve_below_min", Binary("200", 0).Buy("YES", "300", "9999999"));

    [Fact]
    public void The_price_may_reach_its_bounds_and_no_further()
    {
        var after = Assert.IsType<TradeExecuted>(Assert.Single(Binary().Buy("YES", "100"))).PriceAfter;
        Assert.Null(Binary().Buy("YES", "100", bounds: new PriceBounds(Price.Zero, after)).Rejection);
        Refused("trading.price_out_of_bounds", Binary().Buy("YES", "100", bounds: new PriceBounds(Price.Zero, new Price(after.Units - 1))));
        Refused("trading.slippage", Binary().Buy("YES", "100", "9999", new PriceBounds(Price.Zero, new Price(after.Units - 1))));

        var pool = Applied(Binary(), Binary().Buy("YES", "100"));
        var lower = Assert.IsType<TradeExecuted>(Assert.Single(pool.Sell("YES", "50"))).PriceAfter;
        Assert.Null(pool.Sell("YES", "50", bounds: new PriceBounds(lower, after)).Rejection);
        Refused("trading.price_out_of_bounds", pool.Sell("YES", "50", bounds: new PriceBounds(new Price(lower.Units + 1), after)));
    }

    [Fact]
    public void Totals_beyond_the_range_are_refused_and_never_thrown()
    {
        var pool = Binary("5000000000", 0);
        Refused("trading.too_large", pool.Buy("YES", "5000000000"));
        Assert.Null(pool.Buy("YES", "4999999999.99999999").Rejection);
        Refused("trading.too_large", LiquidityRules.Add(pool, Ana, Cash("5000000000"), Noon));
        Assert.Null(LiquidityRules.Add(pool, Ana, Cash("4999999999.99999999"), Noon).Rejection);
    }

    [Fact]
    public void An_outcome_that_the_market_lacks_is_the_requests_fault()
    {
        var decision = Binary().Buy("MAYBE", "100");
        Refused("trading.unknown_outcome", decision);
        Assert.Equal((RejectionKind.Invalid, "outcome"), (decision.Rejection!.Kind, decision.Rejection.Field));
    }

    [Fact]
    public void A_pool_opens_once_and_before_it_trades()
    {
        var empty = Pool.Empty(["YES", "NO"], 5000);
        Refused("trading.pool_not_open", empty.Buy("YES", "1"));
        Refused("trading.pool_not_open", empty.Sell("YES", "1"));
        Refused("trading.pool_not_open", LiquidityRules.Add(empty, Ana, Cash("1"), Noon));
        Refused("trading.pool_not_open", LiquidityRules.Remove(empty, Ana, LpShares.Zero, Noon));
        Refused("trading.pool_already_open", LiquidityRules.Open(Binary(), House, Cash("1000"), [1, 1], Noon));
        var trade = Assert.Single(Binary().Buy("YES", "1"));
        Assert.Throws<InvalidOperationException>(() => Pool.Evolve(empty, trade));
    }

    [Fact]
    public void Opening_probabilities_become_prices()
    {
        var empty = Pool.Empty(["A", "B", "C"], 0);
        var pool = Applied(empty, LiquidityRules.OpenAt(empty, House, Cash("1000"), [new(20_000_000), new(50_000_000), new(30_000_000)], Noon));
        Assert.Equal(["0.2", "0.5", "0.3"], pool.Prices.Select(price => price.ToString()[..3]));
        Refused("trading.opening_invalid", LiquidityRules.OpenAt(empty, House, Cash("1000"), [new(20_000_000), new(50_000_000), new(30_000_001)], Noon));
        Refused("trading.opening_invalid", LiquidityRules.OpenAt(empty, House, Cash("1000"), [new(50_000_000), new(50_000_000), new(0)], Noon));
        Refused("trading.opening_invalid", LiquidityRules.Open(empty, House, Cash("1000"), [1, 1], Noon));
        Refused("trading.opening_invalid", LiquidityRules.Open(empty, House, Cash("1000"), [1, 1, 0], Noon));
    }

    [Fact]
    public void Liquidity_is_removed_by_those_who_have_it()
    {
        Refused("trading.insufficient_lp", LiquidityRules.Remove(Binary(), Ana, new LpShares(1), Noon));
        Refused("trading.insufficient_lp", LiquidityRules.Remove(Binary(), Ana, LpShares.Zero, Noon));
        Refused("trading.insufficient_lp", LiquidityRules.Remove(Binary(), House, new LpShares(Cash("10000.00000001").Units), Noon));
    }

    [Fact]
    public void Removing_none_pays_out_the_fees()
    {
        var pool = Applied(Binary(), Binary().Buy("YES", "100"));
        var removed = Assert.IsType<LiquidityRemoved>(Assert.Single(LiquidityRules.Remove(pool, House, LpShares.Zero, Noon)));
        Assert.InRange(removed.Claimed.Units, Cash("0.49999999").Units, Cash("0.5").Units);
        Assert.Equal(Credits.Zero, Pool.Evolve(pool, removed).ClaimableBy(House));
    }

    [Fact]
    public void Exposure_and_open_interest_count_after_the_trade()
    {
        var pool = Applied(Binary(), Binary().Buy("YES", "100"));
        Assert.Equal(Cash("100").Units, pool.HolderOf(Ana).ExposureUnits);
        Assert.Equal(pool.HolderOf(Ana).Shares[0], pool.OpenInterest);
        var trade = Assert.IsType<TradeExecuted>(Assert.Single(pool.Sell("YES", "10")));
        Assert.Equal(Cash("100").Units - trade.Amount.Units, Pool.Evolve(pool, trade).HolderOf(Ana).ExposureUnits);
    }

    [Fact]
    public void The_watchdog_trips_at_1_5e_9_and_on_any_fall()
    {
        Shares[] before = [new(100_000_000_000), new(100_000_000_000)];
        Assert.False(Invariant.IsBreached(before, [new(100_000_000_100), new(100_000_000_000)]));
        Assert.True(Invariant.IsBreached(before, [new(100_000_000_150), new(100_000_000_000)]));
        Assert.True(Invariant.IsBreached(before, [new(99_999_999_999), new(100_000_000_000)]));
        Assert.Equal(1500, Invariant.ErrorE12(before, [new(100_000_000_150), new(100_000_000_000)]));
        Shares[] three = [.. before, new(100_000_000_000)];
        Assert.False(Invariant.IsBreached(three, [new(100_000_000_100), .. before]));
        Assert.True(Invariant.IsBreached(three, [new(100_000_000_101), .. before]));
        Assert.True(Invariant.IsBreached(three, [new(99_999_999_999), .. before]));
    }
}

using Mbp.Domain.Abuse;
using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Slo;
using Mbp.Domain.Markets;
using Mbp.Domain.Pricing;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using Mbp.Testing;
using NodaTime;

using static Mbp.Domain.Tests.Markets.Terms;

namespace Mbp.Domain.Tests.Trading;

/// <summary>Cash and shares move in one decision; and when averages are written down.</summary>
public sealed class TradeDeciderTests
{
    private static readonly (Market Market, Pool Pool) Given = Made();

    private static BuyShares Buy(decimal amount = 10, string outcome = "YES", Shares? least = null) => new(Rain, Ana, "t1", outcome, Ce(amount), least, Noon);

    private static Decision<StreamEvent> Decide(TradeCommand command, decimal balance = 100, Market? market = null, Pool? pool = null) =>
        TradeDecider.Decide(command, market ?? Given.Market, pool ?? Given.Pool, new Account.Open(Ce(balance), []), TradeFlow.Initial, Moderation.None, SloPolicy.Fold.Initial);

    [Fact]
    public void A_purchase_debits_the_account_in_the_same_decision()
    {
        var events = Decide(Buy()).Events;
        Assert.Equal(Ana.Stream.With(new AccountDebited(Ce(10), PostingKind.Trade, Rain, "t1", Noon)), events[0]);
        Assert.Equal(Rain.Stream, events[1].Stream);
        Assert.Equal((Ce(10), Ana), (((TradeExecuted)events[1].Event).Amount, ((TradeExecuted)events[1].Event).Account));
    }

    [Fact]
    public void The_last_credit_can_be_spent_and_no_more()
    {
        Assert.Null(Decide(Buy(100)).Rejection);
        GivenEvents.When(Decide(Buy(100.00000001m))).ThenRejected("accounts.insufficient_funds", "amount");
    }

    [Fact]
    public void A_sale_credits_what_the_pool_gave()
    {
        var bought = (TradeExecuted)Decide(Buy()).Events[1].Event;
        var pool = Pool.Evolve(Given.Pool, bought);
        var events = Decide(new SellShares(Rain, Ana, "t2", "YES", bought.Shares, null, Noon), pool: pool).Events;
        Assert.Equal(((TradeExecuted)events[1].Event).Amount, ((AccountCredited)events[0].Event).Amount);
        Assert.True(((AccountCredited)events[0].Event).Amount < Ce(10));
        GivenEvents.When(Decide(new SellShares(Rain, Ana, "t2", "YES", bought.Shares + Shares.FromUnits(1), null, Noon), pool: pool)).ThenRejected("trading.insufficient_shares", "shares");
    }

    [Fact]
    public void An_account_that_is_full_cannot_be_paid()
    {
        var pool = Pool.Evolve(Given.Pool, (TradeExecuted)Decide(Buy()).Events[1].Event);
        var sale = new SellShares(Rain, Ana, "t2", "YES", Shares.FromUnits(Decimal8.One), null, Noon);
        GivenEvents.When(TradeDecider.Decide(sale, Given.Market, pool, new Account.Open(Credits.FromUnits(Decimal8.Max), []), TradeFlow.Initial, Moderation.None, SloPolicy.Fold.Initial)).ThenRejected(AccountErrors.TooLarge);
    }

    [Fact]
    public void Slippage_and_price_bounds_hold_on_both_sides()
    {
        var shares = ((TradeExecuted)Decide(Buy()).Events[1].Event).Shares;
        Assert.Null(Decide(Buy(least: shares)).Rejection);
        GivenEvents.When(Decide(Buy(least: shares + Shares.FromUnits(1)))).ThenRejected("trading.slippage", "minShares");
        // 0.99 is the highest price of the default rules; the replay rules have none.
        GivenEvents.When(Decide(Buy(95_000), balance: 1_000_000)).ThenRejected("trading.price_out_of_bounds");
        var replay = Made(Create(ruleset: "replay"));
        Assert.Null(Decide(Buy(95_000), 1_000_000, replay.Market, replay.Pool).Rejection);
    }

    [Fact]
    public void The_opening_liquidity_stays_to_the_unit_and_is_not_asked_of_others()
    {
        var more = Pool.Evolve(Given.Pool, (PoolEvent)Decide(new AddLiquidity(Rain, House, Ce(500), Noon), 1_000).Events[^1].Event);
        Assert.Null(Decide(new RemoveLiquidity(Rain, House, LpShares.FromUnits(500 * Decimal8.One), Noon), pool: more).Rejection);
        GivenEvents.When(Decide(new RemoveLiquidity(Rain, House, LpShares.FromUnits(500 * Decimal8.One + 1), Noon), pool: more)).ThenRejected(TradingErrors.SeedLocked(more.Seed));
        Assert.Equal("trading.seed_locked", TradingErrors.SeedLocked(more.Seed).Rule);
        GivenEvents.When(Decide(new RemoveLiquidity(Rain, House, LpShares.FromUnits(20_000 * Decimal8.One), Noon), pool: more)).ThenRejected("trading.insufficient_lp", "lpShares");

        var others = Pool.Evolve(Given.Pool, (PoolEvent)Decide(new AddLiquidity(Rain, Ana, Ce(500), Noon), 1_000).Events[^1].Event);
        Assert.Null(Decide(new RemoveLiquidity(Rain, Ana, LpShares.FromUnits(500 * Decimal8.One), Noon), pool: others).Rejection);
        var replay = Made(Create(ruleset: "replay"));
        Assert.Null(Decide(new RemoveLiquidity(Rain, House, LpShares.FromUnits(500 * Decimal8.One), Noon), 100, replay.Market, replay.Pool).Rejection);
    }

    [Fact]
    public void Nobody_trades_where_there_is_no_market_no_account_or_no_such_outcome()
    {
        GivenEvents.When(Decide(Buy(), market: Market.Initial)).ThenRejected(MarketErrors.NotFound);
        GivenEvents.When(Decide(Buy(), market: Closed())).ThenRejected(MarketErrors.Closed);
        GivenEvents.When(TradeDecider.Decide(Buy(), Given.Market, Given.Pool, Account.Initial, TradeFlow.Initial, Moderation.None, SloPolicy.Fold.Initial)).ThenRejected(AccountErrors.NotFound);
        GivenEvents.When(Decide(Buy(outcome: "MAYBE"))).ThenRejected("trading.unknown_outcome", "outcome");
    }

    [Fact]
    public void Averages_are_written_once_a_minute_while_there_is_news()
    {
        var track = PriceFolds.Track.Initial.Observe(Given.Pool.Prices, Noon.PlusTicks(-10_000_000));
        var minute = Noon + Duration.FromSeconds(30);
        var first = (TwapRecomputed)TwapDecider.Decide(new RecomputeTwap(Rain, minute), Given.Market, track, TwapLog.Initial).Events.Single();
        Assert.Equal((Noon, Given.Pool.Prices, Given.Pool.Prices), (first.Tick, first.Prices, first.Twap15m));
        // The same minute again, and a market that is over, have nothing to say.
        Assert.Empty(TwapDecider.Decide(new RecomputeTwap(Rain, Noon + Duration.FromSeconds(59)), Given.Market, track, new TwapLog(first)).Events);
        Assert.Empty(TwapDecider.Decide(new RecomputeTwap(Rain, minute), Closed(), track, TwapLog.Initial).Events);
        // A price that never moved is its own average already; one that moves is news.
        Assert.Empty(TwapDecider.Decide(new RecomputeTwap(Rain, Noon + Duration.FromSeconds(60)), Given.Market, track, new TwapLog(first)).Events);
        track = track.Observe([Price.FromUnits(70_000_000), Price.FromUnits(30_000_000)], Noon + Duration.FromSeconds(15));
        var moved = (TwapRecomputed)TwapDecider.Decide(new RecomputeTwap(Rain, Noon + Duration.FromSeconds(60)), Given.Market, track, new TwapLog(first)).Events.Single();
        Assert.Equal(Price.FromUnits((15 * 50_000_000L + 45 * 70_000_000L) / 60), moved.Twap1m[0]);
        // After fifteen quiet minutes everything is said.
        var quiet = (TwapRecomputed)TwapDecider.Decide(new RecomputeTwap(Rain, Noon + Duration.FromMinutes(16)), Given.Market, track, new TwapLog(moved)).Events.Single();
        Assert.Empty(TwapDecider.Decide(new RecomputeTwap(Rain, Noon + Duration.FromMinutes(17)), Given.Market, track, new TwapLog(quiet)).Events);
    }
}

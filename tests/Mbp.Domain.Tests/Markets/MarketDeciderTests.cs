using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Pricing;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Testing;
using NodaTime;

using static Mbp.Domain.Tests.Markets.Terms;

namespace Mbp.Domain.Tests.Markets;

public sealed class MarketDeciderTests
{
    private static readonly MarketHalted HaltedSoft = new(HaltLevel.Soft, "depth", Noon);

    private static readonly MarketCreated Created = Decide(Create()).Events.Select(e => e.Event).OfType<MarketCreated>().Single();

    private static readonly PriceHistory Even = PriceFolds.LastDay.Initial.Observe([Price.FromUnits(60_000_000), Price.FromUnits(40_000_000)], Noon);

    private static GivenState<MarketCommand, MarketEvent, Market> Given(params MarketEvent[] events) => GivenEvents.Given(MarketDecider.Decider, [Created, .. events]);

    [Fact]
    public void A_market_is_halted() => Given().When(new HaltMarket(HaltLevel.Warn, "depth", Noon)).Then(new MarketHalted(HaltLevel.Warn, "depth", Noon, HaltRule.Manual, HaltLevel.Warn));

    [Fact]
    public void A_halt_only_grows()
    {
        Given(HaltedSoft).When(new HaltMarket(HaltLevel.Soft, "depth", Noon)).Then();
        Given(HaltedSoft).When(new HaltMarket(HaltLevel.Warn, "depth", Noon)).Then();
        Given(HaltedSoft).When(new HaltMarket(HaltLevel.Hard, "depth", Noon)).Then(new MarketHalted(HaltLevel.Hard, "depth", Noon, HaltRule.Manual, HaltLevel.Hard));
    }

    [Fact]
    public void Only_a_halted_market_resumes()
    {
        Given(HaltedSoft).When(new ResumeMarket("fine", Noon)).Then(new MarketResumed("fine", Noon));
        Given().When(new ResumeMarket("fine", Noon)).ThenRejected(MarketErrors.NotHalted);
        Given(HaltedSoft, new MarketResumed("fine", Noon)).When(new ResumeMarket("fine", Noon)).ThenRejected(MarketErrors.NotHalted);
    }

    [Fact]
    public void A_closed_market_neither_halts_nor_closes_again()
    {
        var closed = new MarketClosed("done", [Price.FromUnits(Decimal8.One), default], Noon);
        Given(closed).When(new HaltMarket(HaltLevel.Hard, "late", Noon)).ThenRejected(MarketErrors.AlreadyClosed);
        GivenEvents.When(MarketDecider.Close(new CloseMarket("again", Noon), Closed(), Even)).ThenRejected(MarketErrors.AlreadyClosed);
        GivenEvents.When(MarketDecider.Close(new CloseMarket("again", Noon), Market.Initial, Even)).ThenRejected(MarketErrors.NotFound);
    }

    [Fact]
    public void Closing_fixes_the_average_price_of_the_last_day()
    {
        // Six hours at 0.6, then eighteen hours and the hour before the close at 0.2: the window has 5 and 19 of them.
        var history = Even.Observe([Price.FromUnits(20_000_000), Price.FromUnits(80_000_000)], Noon + Duration.FromHours(6));
        var at = Noon + Duration.FromHours(25);
        GivenEvents.When(MarketDecider.Close(new CloseMarket("done", at), Made().Market, history))
            .Then(new MarketClosed("done", [Price.FromUnits((5 * 60_000_000L + 19 * 20_000_000L) / 24), Price.FromUnits(Decimal8.One - (5 * 60_000_000L + 19 * 20_000_000L) / 24)], at));
    }

    [Fact]
    public void Nobody_trades_from_the_closing_time_on_nor_in_a_hard_halt()
    {
        var (market, _) = Made();
        var closesAt = market.Terms()!.ClosesAt;
        Assert.Null(MarketDecider.WhyNoTrade(market, closesAt.PlusTicks(-10)));
        Assert.Equal(MarketErrors.Closed, MarketDecider.WhyNoTrade(market, closesAt));
        Assert.Null(MarketDecider.WhyNoTrade(Market.Fold.Apply(market, HaltedSoft), Noon));
        Assert.Equal("markets.halted", MarketDecider.WhyNoTrade(Market.Fold.Apply(market, HaltedSoft with { Level = HaltLevel.Hard }), Noon)?.Code);
        Assert.Equal(MarketErrors.Closed, MarketDecider.WhyNoTrade(Closed(), Noon));
    }

    [Fact]
    public void A_market_is_made_with_its_pool_in_one_decision()
    {
        var events = Decide(Create(probabilities: [Price.FromUnits(25_000_000), Price.FromUnits(75_000_000)])).Events;
        Assert.Equal([typeof(MarketCreated), typeof(MarketCreatedTemplate), typeof(RulesetActivated), typeof(AccountDebited), typeof(LiquidityAdded)], events.Select(e => e.Event.GetType()));
        var opened = (LiquidityAdded)events[4].Event;
        Assert.Equal([Price.FromUnits(25_000_000), Price.FromUnits(75_000_000)], opened.Prices);
        Assert.Equal(new AccountDebited(Ce(10_000), PostingKind.Liquidity, Rain, "add", Noon), events[3].Event);
    }

    [Theory]
    [InlineData("question", "??")]
    [InlineData("question", " spaced")]
    public void A_bad_question_is_refused(string field, string question) => GivenEvents.When(Decide(Create(question))).ThenRejected("markets.invalid", field);

    [Fact]
    public void Each_term_has_its_bounds()
    {
        GivenEvents.When(Decide(Create(new string('q', 301)))).ThenRejected("markets.invalid", "question");
        Assert.Null(Decide(Create(new string('q', 300))).Rejection);
        GivenEvents.When(Decide(Create(liquidity: 99))).ThenRejected("markets.invalid", "liquidity");
        Assert.Null(Decide(Create(liquidity: 100)).Rejection);
        GivenEvents.When(Decide(Create(closesAt: Noon))).ThenRejected("markets.invalid", "closesAt");
        Assert.Null(Decide(Create(closesAt: Noon.PlusTicks(10))).Rejection);
        Assert.Null(Decide(Create(closesAt: Noon + Duration.FromDays(3650))).Rejection);
        GivenEvents.When(Decide(Create(closesAt: (Noon + Duration.FromDays(3650)).PlusTicks(10)))).ThenRejected("markets.invalid", "closesAt");
        GivenEvents.When(Decide(Create(ruleset: "none"))).ThenRejected("markets.unknown_ruleset", "ruleset");
        GivenEvents.When(Decide(Create(parameters: ("feePpm", "100001")))).ThenRejected("markets.invalid", "params.feePpm");
        Assert.Null(Decide(Create(parameters: ("feePpm", "100000"))).Rejection);
        GivenEvents.When(Decide(Create(parameters: ("colour", "red")))).ThenRejected("markets.invalid", "params.colour");
        GivenEvents.When(Decide(Create(probabilities: [Price.FromUnits(999_999), Price.FromUnits(99_000_001)]))).ThenRejected("markets.invalid", "probability");
        Assert.Null(Decide(Create(probabilities: [Price.FromUnits(1_000_000), Price.FromUnits(99_000_000)]), account: Rich).Rejection);
    }

    [Fact]
    public void A_market_needs_a_template_an_account_and_its_money()
    {
        GivenEvents.When(CreateMarketDecider.Decide(Create(), TemplateEntry.Initial, Library(), Market.Initial, Pool.Fold.Initial, Rich)).ThenRejected(TemplateErrors.NotFound);
        GivenEvents.When(CreateMarketDecider.Decide(Create(), Published(), Library(), Made().Market, Made().Pool, Rich)).ThenRejected(MarketErrors.AlreadyExists);
        GivenEvents.When(Decide(Create(), account: Account.Initial)).ThenRejected(AccountErrors.NotFound);
        GivenEvents.When(Decide(Create(), account: new Account.Open(Ce(9_999.99999999m), []))).ThenRejected("accounts.insufficient_funds", "amount");
        Assert.Null(Decide(Create(), account: new Account.Open(Ce(10_000), [])).Rejection);
    }

    [Fact]
    public void A_scalar_market_needs_bounds_in_their_order()
    {
        GivenEvents.When(Decide(Create(), MarketKind.Scalar)).ThenRejected("markets.invalid", "params.lower");
        GivenEvents.When(Decide(Create(parameters: [("lower", "1"), ("upper", "1")]), MarketKind.Scalar)).ThenRejected("markets.invalid", "params.upper");
        Assert.Null(Decide(Create(parameters: [("lower", "1"), ("upper", "1.00000001")]), MarketKind.Scalar).Rejection);
    }

    [Fact]
    public void A_built_in_template_is_published_where_there_is_none()
    {
        var template = Of(MarketKind.Binary);
        var ours = new TemplatePublished(template with { FeePpm = 1, Version = 4 }, Noon);
        GivenEvents.Given(TemplateDecider.Decider).When(new SeedTemplate(template, Noon)).Then(new TemplatePublished(template with { Version = 1 }, Noon));
        GivenEvents.Given(TemplateDecider.Decider, ours).When(new SeedTemplate(template, Noon)).Then();
    }

    [Fact]
    public void A_template_is_published_in_versions_and_the_same_again_is_none()
    {
        var template = Of(MarketKind.Binary) with { Id = "T" };
        var (first, second) = (new TemplatePublished(template with { Version = 1 }, Noon), template with { FeePpm = 1 });
        GivenEvents.Given(TemplateDecider.Decider).When(new PublishTemplate(template, Noon)).Then(first);
        GivenEvents.Given(TemplateDecider.Decider, first).When(new PublishTemplate(template with { Version = 9 }, Noon)).Then();
        GivenEvents.Given(TemplateDecider.Decider, first).When(new PublishTemplate(second, Noon)).Then(new TemplatePublished(second with { Version = 2 }, Noon));
        GivenEvents.Given(TemplateDecider.Decider).When(new PublishTemplate(template with { FeePpm = -1 }, Noon)).ThenRejected("templates.invalid", "feePpm");
    }
}

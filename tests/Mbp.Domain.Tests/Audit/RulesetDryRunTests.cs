using Mbp.Domain.Accounts;
using Mbp.Domain.Audit;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using Mbp.Policies;
using NodaTime;

namespace Mbp.Domain.Tests.Audit;

/// <summary>A dry run over a ledger in memory: what a rule set would have decided differently.</summary>
public sealed class RulesetDryRunTests
{
    private static readonly Instant Noon = Instant.FromUtc(2025, 9, 10, 12, 0);
    private static readonly MarketId Rain = new("rain");
    private static readonly AccountId Ana = new("ana");
    private static readonly Policy Replay = BuiltInPolicies.Replay;
    private static readonly Policy Default = BuiltInPolicies.Default;

    private readonly List<IReadOnlyList<Recorded>> _ledger = [];
    private readonly AuditStates _states = new();
    private long _position;

    [Fact]
    public void Trades_above_a_cap_would_have_been_refused()
    {
        Open(Replay);
        var second = (Buy(1_000, 60), Buy(1, 61)).Item2;
        var report = Run(Default, from: 0, until: 62);
        Assert.Equal(2, report.Decisions);
        Assert.Equal([second], report.Refused["trading.max_exposure_per_user"].First);
    }

    [Fact]
    public void The_same_rules_decide_the_same()
    {
        Open(Default);
        _ = (Buy(400, 60), Buy(400, 61), Buy(200, 62));
        var report = Run(Default, from: 0, until: 4_000);
        Assert.Equal((3L, 0), (report.Decisions, report.Refused.Count));
    }

    [Fact]
    public void A_trade_is_decided_over_the_account_as_it_was_before_it()
    {
        Open(Replay);
        Buy(1_000_000, 60);
        Assert.Empty(Run(Replay, from: 0, until: 61).Refused);
    }

    [Fact]
    public void What_was_before_is_folded_and_not_compared()
    {
        Open(Replay);
        _ = (Buy(1_000, 60), Buy(1, 120));
        var report = Run(Default, from: 100, until: 121);
        Assert.Equal((1L, 1L), (report.Decisions, report.Refused["trading.max_exposure_per_user"].Count));
    }

    [Fact]
    public void The_rate_is_counted_where_the_rules_of_then_did_not_ask_for_it()
    {
        Open(Replay);
        for (var i = 0; i < 31; i++)
        {
            Buy(1, 60);
        }

        Assert.Equal(1, Run(Default, from: 0, until: 61).Refused["trading.max_trade_rate"].Count);
    }

    [Fact]
    public void A_price_that_ran_away_would_have_been_frozen_and_trades_after_it_refused()
    {
        Open(Replay);
        Buy(5_000, 330);
        var late = Buy(1, 400);
        var report = Run(Default, from: 0, until: 4_000);
        // The market is 12:00's: the jump at 330 s is warned of at that tick, and the third sample outside of the band is at 390 s.
        Assert.Equal(
            [new(Rain.Value, HaltLevel.Warn, HaltRule.Distance, Noon + Duration.FromSeconds(330)), new(Rain.Value, HaltLevel.Hard, HaltRule.Band, Noon + Duration.FromSeconds(390))],
            report.Halts.First);
        Assert.Equal([late], report.Refused["markets.halted"].First);
        Assert.Equal(0, report.Recorded.Count);
    }

    [Fact]
    public void The_earliest_halts_are_listed_in_the_order_of_time()
    {
        var list = new HaltList();
        foreach (var second in Enumerable.Range(0, 30).Reverse())
        {
            list.Add(new DryRunHalt($"m{second}", HaltLevel.Hard, HaltRule.Band, Noon + Duration.FromSeconds(second)));
        }

        Assert.Equal(Enumerable.Range(0, RulesetDryRun.Listed).Select(second => Noon + Duration.FromSeconds(second)), list.First.Select(halt => halt.Tick));
        Assert.Equal(30, list.Count);
    }

    [Fact]
    public void One_market_may_be_asked_for()
    {
        Open(Replay);
        Buy(1_001, 60);
        Assert.Equal(0, Run(Default, from: 0, until: 61, only: new MarketId("other")).Decisions);
        Assert.Equal(1, Run(Default, from: 0, until: 61, only: Rain).Decisions);
    }

    private DryRunReport Run(Policy policy, int from, int until, MarketId? only = null)
    {
        var run = new RulesetDryRun(policy, Noon + Duration.FromSeconds(from), only);
        foreach (var command in _ledger)
        {
            run.Observe(command);
        }

        return run.Finish(Noon + Duration.FromSeconds(until));
    }

    private void Open(Policy policy)
    {
        var template = TemplateCatalogue.BuiltIn[0];
        var house = new AccountId("house");
        Write(Noon, [Template.StreamOf(template.Id).With(new TemplatePublished(template, Noon))]);
        Write(Noon, [RulesetLibrary.StreamOf(policy.Rules.Name).With(new RulesetPublished(policy.Rules.Name, policy.Rules.Version, policy.Hash, policy, "", Noon))]);
        foreach (var account in new[] { house, Ana })
        {
            Write(Noon, AccountDecider.Decider.Decide(new OpenAccount(account, Noon), _states.Account(account)).On(account.Stream));
            Write(Noon, AccountDecider.Decider.Decide(new GrantCredits(Credits.FromUnits(1_000_000 * Decimal8.One), "t", Noon), _states.Account(account)).On(account.Stream));
        }

        var market = _states.Market(Rain);
        Write(Noon, CreateMarketDecider.Decide(
            new CreateMarket(Rain, "Will it rain?", house, Credits.FromUnits(100_000 * Decimal8.One), [], null, new Dictionary<string, string>(), policy.Rules.Name, Noon),
            _states.Template(template.Id), _states.Rulesets(policy.Rules.Name), market.Market, market.Pool, _states.Account(house)));
    }

    private long Buy(long amount, int second)
    {
        var (at, market) = (Noon + Duration.FromSeconds(second), _states.Market(Rain));
        Write(at, TradeDecider.Decide(
            new BuyShares(Rain, Ana, $"t{_position}", "YES", Credits.FromUnits(amount * Decimal8.One), null, at), market.Market, market.Pool, _states.Account(Ana), market.Flow,
            market.Moderation, _states.Slo));
        return _position;
    }

    private void Write(Instant at, Decision<StreamEvent> decision)
    {
        Assert.Null(decision.Rejection);
        var command = new List<Recorded>();
        foreach (var (stream, @event) in decision.Events)
        {
            _states.Apply(stream, @event);
            command.Add(new Recorded(
                new StoredEvent(++_position, stream, 0, Guid.Empty, "", ReadOnlyMemory<byte>.Empty, at, "trace", $"command-{_ledger.Count}", ReadOnlyMemory<byte>.Empty), @event));
        }

        _ledger.Add(command);
    }
}

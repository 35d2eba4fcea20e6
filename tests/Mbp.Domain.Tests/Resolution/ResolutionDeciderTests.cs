using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution;
using Mbp.Domain.Settlement;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using Mbp.Policies;
using Mbp.Testing;
using NodaTime;
using static Mbp.Domain.Tests.Markets.Terms;

namespace Mbp.Domain.Tests.Resolution;

/// <summary>From a closed market to its final value, and to its payouts.</summary>
public sealed class ResolutionDeciderTests
{
    private static readonly ManualProposed Proposed = new("YES", "urn:proof", "op-1", Noon);
    private static readonly EquatableArray<Price> Yes = [Price.FromUnits(Decimal8.One), default];

    private static readonly ResolutionDetermined Determined = new(
        "YES", Yes, TruthSource.Manual, "urn:proof", ["op-1", "op-2"], Noon + Duration.FromMinutes(BuiltInPolicies.Default.Rules.Resolution.DisputeWindowMinutes), Noon);

    private static readonly ResolutionStarted Started = new(
        Rain, TruthSource.Manual, null, BuiltInPolicies.Default.Rules.Version, BuiltInPolicies.Default.Hash, Noon);

    private static WhenDecided<ResolutionEvent> When(ResolutionCommand command, Market market, TruthTable? truth = null, Pool? pool = null, params ResolutionEvent[] given) =>
        GivenEvents.When(Own(ResolutionDecider.Decide(
            command, new ResolutionBooks(market, given.Aggregate(MarketResolution.Initial, MarketResolution.Evolve), pool ?? Made().Pool) { Truth = truth ?? TruthTable.Initial })));

    private static Decision<ResolutionEvent> Own(Decision<StreamEvent> decision) => decision.Rejection is { } refused ? refused : [.. decision.Events.Select(e => e.Event).OfType<ResolutionEvent>()];

    private static StartResolution Start => new(Rain, "op-1", Noon);

    [Fact]
    public void It_starts_when_the_market_is_closed_and_only_once()
    {
        When(Start, Made().Market).ThenRejected(ResolutionErrors.MarketNotClosed);
        When(Start, Market.Initial).ThenRejected(MarketErrors.NotFound);
        When(Start, Closed()).Then(Started);
        When(Start, Closed(), given: Started).Then();
    }

    [Fact]
    public void Two_people_decide_by_hand()
    {
        When(new ProposeManually(Rain, "YES", "urn:proof", "op-1", Noon), Closed()).ThenRejected(ResolutionErrors.NotStarted);
        When(new ProposeManually(Rain, "YES", "urn:proof", "op-1", Noon), Closed(), given: Started).Then(Proposed);
        When(new ProposeManually(Rain, "YES", "urn:proof", "op-1", Noon), Closed(), given: [Started, Proposed]).Then();
        When(new ProposeManually(Rain, "NO", "urn:proof", "op-1", Noon), Closed(), given: [Started, Proposed]).Then(Proposed with { Value = "NO" });
        When(new ProposeManually(Rain, "NO", "urn:proof", "op-2", Noon), Closed(), given: [Started, Proposed]).ThenRejected(ResolutionErrors.AlreadyProposed);
        When(new ProposeManually(Rain, "MAYBE", "urn:proof", "op-1", Noon), Closed(), given: Started).ThenRejected("resolution.bad_value", "value");
        When(new ProposeManually(Rain, "YES", "a paper", "op-1", Noon), Closed(), given: Started).ThenRejected(ResolutionErrors.EvidenceNeeded);
        When(new ApproveManually(Rain, "op-2", Noon), Closed(), given: Started).ThenRejected(ResolutionErrors.NothingProposed);
        When(new ApproveManually(Rain, "op-1", Noon), Closed(), given: [Started, Proposed]).ThenRejected(ResolutionErrors.SameApprover);
        When(new ApproveManually(Rain, "op-2", Noon), Closed(), given: [Started, Proposed]).Then(Determined);
        When(new ApproveManually(Rain, "op-2", Noon), Closed(), given: [Started, Proposed, Determined]).ThenRejected(ResolutionErrors.AlreadyDetermined);
    }

    [Fact]
    public void Who_holds_a_position_decides_nothing()
    {
        When(new ProposeManually(Rain, "YES", "urn:proof", House.Value, Noon), Closed(), given: Started).ThenRejected(ResolutionErrors.HoldsPosition);
        When(new ApproveManually(Rain, House.Value, Noon), Closed(), given: [Started, Proposed]).ThenRejected(ResolutionErrors.HoldsPosition);
    }

    [Fact]
    public void A_value_is_final_when_its_window_ended_and_not_before()
    {
        When(new AdvanceResolution(Rain, Determined.DisputableUntil.PlusTicks(-10)), Closed(), given: [Started, Determined]).Then();
        When(new AdvanceResolution(Rain, Determined.DisputableUntil), Closed(), given: [Started, Determined]).Then(new ResolutionFinished("YES", Yes, Determined.DisputableUntil));
        When(new AdvanceResolution(Rain, Noon), Closed(), given: Started).Then();
        // Q4.I3: one resolution, for good.
        var final = new ResolutionFinished("YES", Yes, Noon);
        foreach (var command in new ResolutionCommand[] { Start, new ApproveManually(Rain, "op-2", Noon) })
        {
            When(command, Closed(), given: [Started, Determined, final]).ThenRejected(ResolutionErrors.AlreadyFinal);
        }

        When(new AdvanceResolution(Rain, Determined.DisputableUntil), Closed(), given: [Started, Determined, final]).Then();
    }

    [Fact]
    public void A_replayed_market_has_no_window_and_an_invalid_one_pays_the_last_days_price()
    {
        var market = Closed(Create(ruleset: "replay"));
        var decision = Own(ResolutionDecider.Decide(
            new ApproveManually(Rain, "op-2", Noon),
            new ResolutionBooks(market, new ResolutionEvent[] { Started, Proposed with { Value = "INVALID" } }.Aggregate(MarketResolution.Initial, MarketResolution.Evolve), Made().Pool)));
        Assert.Equal([typeof(ResolutionDetermined), typeof(MarketVoided)], decision.Events.Select(e => e.GetType()));
        Assert.Equal(market.Twap24h, ((MarketVoided)decision.Events[1]).Vector);
    }

    [Fact]
    public void A_table_decides_when_it_knows_and_asking_before_writes_nothing_more()
    {
        var market = Closed(Create(parameters: [("truthSource", "table"), ("truthTable", "weather")]));
        var table = TruthTable.Initial;
        var started = Started with { SourceKind = TruthSource.Table, SourceRef = "weather/rain" };
        When(Start, market, table).Then(started, new RuleEvaluated("weather/rain", null, null, Noon));
        When(Start, market, table, given: started).Then();
        var known = TruthTable.Evolve(table, new TruthRecorded("rain", "YES", "urn:gauge", "op-2", Noon));
        When(Start, market, known, given: started).Then(
            new RuleEvaluated("weather/rain", "YES", "urn:gauge", Noon),
            Determined with { SourceKind = TruthSource.Table, EvidenceUri = "urn:gauge", DecidedBy = ["op-2", "op-1"] });
        var odd = TruthTable.Evolve(table, new TruthRecorded("rain", "MAYBE", "urn:gauge", "op-2", Noon));
        // A value that the market cannot have is kept as evidence once, and refused from then on; the manual way is open.
        When(Start, market, odd).Then(started, new RuleEvaluated("weather/rain", "MAYBE", "urn:gauge", Noon));
        When(Start, market, odd, given: started).ThenRejected("resolution.bad_value", "value");
        When(new ProposeManually(Rain, "YES", "urn:proof", "op-1", Noon), market, odd, given: started).Then(Proposed);
    }

    [Fact]
    public void A_table_is_no_way_around_the_second_person()
    {
        var market = Closed(Create(parameters: [("truthSource", "table"), ("truthTable", "weather")]));
        var own = TruthTable.Evolve(TruthTable.Initial, new TruthRecorded("rain", "YES", "urn:gauge", "op-1", Noon));
        When(Start, market, own).ThenRejected(ResolutionErrors.SameRecorder);
        When(Start, market, own, given: Started).ThenRejected(ResolutionErrors.SameRecorder);
        When(Start with { By = House.Value }, market, own).ThenRejected(ResolutionErrors.HoldsPosition);
    }

    [Fact]
    public void A_fact_is_recorded_once()
    {
        var known = new TruthRecorded("rain", "YES", "urn:gauge", "op-1", Noon);
        GivenEvents.Given(TruthDecider.Decider).When(new RecordTruth("rain", "YES", "urn:gauge", "op-1", Noon)).Then(known);
        GivenEvents.Given(TruthDecider.Decider, known).When(new RecordTruth("rain", "YES", "urn:other", "op-2", Noon)).Then();
        GivenEvents.Given(TruthDecider.Decider, known).When(new RecordTruth("rain", "NO", "urn:gauge", "op-1", Noon)).ThenRejected(TruthDecider.AlreadyRecorded);
        GivenEvents.Given(TruthDecider.Decider).When(new RecordTruth("rain", "NO", "a gauge", "op-1", Noon)).ThenRejected(ResolutionErrors.EvidenceNeeded);
        GivenEvents.Given(TruthDecider.Decider).When(new RecordTruth("", "NO", "urn:gauge", "op-1", Noon)).ThenRejected("truth.bad_key", "key");
    }

    [Fact]
    public void Nothing_is_paid_before_the_value_is_final_and_nobody_twice()
    {
        var pool = Made(Create(probabilities: [Price.FromUnits(25_000_000), Price.FromUnits(75_000_000)])).Pool;
        var determined = new MarketResolution.Determined(Course.From(Noon), Determined);
        var final = new MarketResolution.Finished(Course.From(Noon), Determined, Noon);
        GivenEvents.When(SettlementDecider.Plan(new PlanSettlement(Rain, null, Noon), determined, MarketSettlement.Initial, pool)).ThenRejected(SettlementDecider.NotFinal);
        var plan = SettlementPlan.From(pool, new PayoutVector(Yes));
        GivenEvents.When(SettlementDecider.Pay(new PayNext(Rain, plan, 0, 10, Noon), MarketSettlement.Initial)).ThenRejected(SettlementDecider.NotPlanned);

        var planned = (SettlementPlanned)SettlementDecider.Plan(new PlanSettlement(Rain, null, Noon), final, MarketSettlement.Initial, pool).Events[0];
        var paying = MarketSettlement.Evolve(MarketSettlement.Initial, planned);
        GivenEvents.When(SettlementDecider.Plan(new PlanSettlement(Rain, null, Noon), final, paying, pool)).Then();
        var paid = SettlementDecider.Pay(new PayNext(Rain, plan, 0, 10, Noon), paying).Events.Select(e => e.Event).ToList();
        var amount = ((AccountCredited)paid[0]).Amount;
        Assert.Equal(new MarketSettled(pool.Locked, pool.FeePool, amount, planned.Dust, planned.FeeDust, Noon), paid[^1]);
        Assert.Equal(pool.Locked + pool.FeePool, amount + planned.Dust + planned.FeeDust);
        var settled = paid.OfType<SettlementEvent>().Aggregate(paying, MarketSettlement.Evolve);
        GivenEvents.When(SettlementDecider.Pay(new PayNext(Rain, plan, 0, 10, Noon), settled)).Then();
    }
}

using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution;
using Mbp.Domain.Settlement;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using Mbp.Testing;
using static Mbp.Domain.Tests.Markets.Terms;

namespace Mbp.Domain.Tests.Settlement;

/// <summary>A wrong settlement is corrected by two people, and what each account was paid too much or too little is posted beside it.</summary>
public sealed class CorrectionDeciderTests
{
    private static readonly AccountId Bia = new("bia");
    private static readonly EquatableArray<Price> Yes = PayoutVector.Winner(0, 2).Shares;
    private static readonly EquatableArray<Price> No = PayoutVector.Winner(1, 2).Shares;

    private readonly Pool _pool;
    private readonly Market.Closed _market = Closed();
    private readonly MarketResolution _resolution = new MarketResolution.Finished(
        Course.From(Noon), new ResolutionDetermined("YES", Yes, TruthSource.Manual, "urn:proof", ["op-1", "op-2"], Noon, Noon), Noon);

    private readonly Dictionary<AccountId, Account> _accounts = new() { [House] = Rich, [Ana] = Rich, [Bia] = Rich };
    private MarketSettlement _settlement = MarketSettlement.Initial;
    private Account _insurance = new Account.Open(Ce(1_000), []);

    public CorrectionDeciderTests()
    {
        _pool = Made(Create(liquidity: 10_000)).Pool;
        foreach (var (account, outcome) in new[] { (Ana, "YES"), (Bia, "NO") })
        {
            _pool = Pool.Evolve(_pool, PoolRules.Buy(_pool, "t", account, outcome, Ce(100), null, Noon, null).Single());
        }

        Take(SettlementDecider.Plan(new PlanSettlement(Rain, null, Noon), _resolution, _settlement, _pool).On(Rain.Resolution));
        Take(SettlementDecider.Pay(new PayNext(Rain, SettlementPlan.From(_pool, new PayoutVector(Yes)), 0, 10, Noon), _settlement));
    }

    [Fact]
    public void Only_what_is_settled_is_corrected()
    {
        foreach (var before in new MarketSettlement[] { MarketSettlement.Initial, new MarketSettlement.Paying(new SettlementPlanned(Rain, Yes, default, default, 1, default, default, default, "", Noon), 0, default) })
        {
            GivenEvents.When(CorrectionDecider.Propose(Asked(), _market, _resolution, before, _pool)).ThenRejected(CorrectionErrors.NotSettled);
        }

        GivenEvents.When(CorrectionDecider.Propose(Asked(), Market.Initial, _resolution, _settlement, _pool)).ThenRejected(MarketErrors.NotFound);
    }

    [Fact]
    public void A_proposal_names_another_value_with_evidence()
    {
        When(Asked()).Then(new SettlementCorrectionProposed(Rain, 1, "NO", No, "urn:gauge", "broken", "op-1", Noon));
        When(Asked("YES")).ThenRejected(CorrectionErrors.NothingToCorrect);
        When(Asked("MAYBE")).ThenRejected("resolution.bad_value", "value");
        When(Asked() with { EvidenceUri = "a paper" }).ThenRejected(CorrectionErrors.EvidenceNeeded);
        When(Asked() with { By = Ana.Value }).ThenRejected(CorrectionErrors.HoldsPosition);
    }

    [Fact]
    public void Only_the_proposer_replaces_a_proposal()
    {
        Take(Propose(Asked()));
        When(Asked()).Then();
        When(Asked() with { By = "op-2" }).ThenRejected(CorrectionErrors.AlreadyProposed);
        When(Asked("INVALID")).Then(new SettlementCorrectionProposed(Rain, 1, "INVALID", _market.Twap24h, "urn:gauge", "broken", "op-1", Noon));
    }

    [Fact]
    public void Another_person_without_a_position_approves_it()
    {
        Approving().ThenRejected(CorrectionErrors.NothingProposed);
        Take(Propose(Asked()));
        Approving(by: "op-1").ThenRejected(CorrectionErrors.SameApprover);
        Approving(by: Bia.Value).ThenRejected(CorrectionErrors.HoldsPosition);
        Approving(plan: PlanTo(_market.Twap24h)).ThenRejected(CorrectionErrors.Changed);
        var plan = PlanTo(No);
        Approving().Then(new SettlementCorrected(
            Rain, 1, "NO", No, 3, plan.Back, plan.More, default, plan.After.Total, plan.After.Dust, plan.After.FeeDust, plan.After.RootText, "urn:gauge", "broken", ["op-1", "op-2"], Noon));
    }

    [Fact]
    public void What_insurance_cannot_carry_is_refused_before_anything_is_written()
    {
        Take(Propose(Asked()));
        Approving(shortfall: Ce(1_000)).ThenRejected("settlement.insurance_short");
        _insurance = Account.Initial;
        Approving(shortfall: Credits.FromUnits(1)).ThenRejected("settlement.insurance_short");
        Assert.Single(Approve(Credits.Zero).Events);

        WhenDecided<SettlementEvent> Approving(Credits shortfall) => GivenEvents.When(Approve(shortfall + Credits.FromUnits(_insurance is Account.Open ? 1 : 0)));
    }

    [Fact]
    public void Everybody_ends_with_what_the_other_value_pays()
    {
        var before = _accounts.ToDictionary(pair => pair.Key, pair => Balance(pair.Key));
        Correct("NO", No);
        var (was, now) = (SettlementPlan.From(_pool, new PayoutVector(Yes)), SettlementPlan.From(_pool, new PayoutVector(No)));
        foreach (var (a, b) in was.Lines.Zip(now.Lines))
        {
            Assert.Equal(before[a.Account].Units - a.Total().Units + b.Total().Units, Balance(a.Account).Units);
        }

        var settled = (MarketSettlement.Settled)_settlement;
        Assert.Equal((now.Total, now.Dust.Units + now.FeeDust.Units), (settled.Paid, settled.HeldUnits));
        Assert.Equal(Ce(1_000), ((Account.Open)_insurance).Balance);
    }

    [Fact]
    public void It_is_posted_in_bounded_batches_debtors_first_and_nobody_twice()
    {
        Take(Propose(Asked()));
        Take(Approve(Credits.Zero).On(Rain.Resolution));
        var plan = PlanTo(No);
        Assert.Equal([true, false], plan.Lines.Select(line => line.GivesBack).Distinct());
        var first = Post(plan, 0, 1);
        Assert.Single(first.Events.Select(e => e.Event).OfType<PayoutCorrected>());
        Take(first);
        // Who asks from where it was before, or from further on, has to look again.
        Assert.Empty(Post(plan, 0, 1).Events);
        Assert.Empty(Post(plan, 2, 1).Events);
        When(Asked("INVALID")).ThenRejected(CorrectionErrors.UnderWay);
        Take(Post(plan, 1, 10));
        Assert.Empty(Post(plan, 3, 10).Events);
        Assert.Equal(1, ((MarketSettlement.Settled)_settlement).Corrections!.Count);
        When(Asked("YES")).Then(new SettlementCorrectionProposed(Rain, 2, "YES", Yes, "urn:gauge", "broken", "op-1", Noon));
        When(Asked()).ThenRejected(CorrectionErrors.NothingToCorrect);
    }

    [Fact]
    public void Who_has_spent_what_it_owes_is_debited_to_nothing_and_insurance_carries_the_rest()
    {
        _accounts[Ana] = new Account.Open(Ce(10), []);
        var owed = PlanTo(No).Lines.Single(line => line.Account == Ana).Difference;
        Correct("NO", No, shortfall: owed - Ce(10));
        Assert.Equal(Credits.Zero, Balance(Ana));
        Assert.Equal(Ce(1_000) - (owed - Ce(10)), ((Account.Open)_insurance).Balance);
        Assert.Equal(owed - Ce(10), ((MarketSettlement.Settled)_settlement).Corrections!.InsuredFor(Ana));

        // And back: insurance first, then the account.
        Correct("YES", Yes);
        Assert.Equal(Ce(10), Balance(Ana));
        Assert.Equal(Ce(1_000), ((Account.Open)_insurance).Balance);
        Assert.Empty(((MarketSettlement.Settled)_settlement).Corrections!.Insured);
    }

    [Fact]
    public void A_debt_that_grew_after_the_approval_waits_for_insurance()
    {
        Take(Propose(Asked()));
        Take(Approve(Credits.Zero).On(Rain.Resolution));
        _accounts[Ana] = new Account.Open(Credits.Zero, []);
        _insurance = new Account.Open(Ce(1), []);
        var plan = PlanTo(No);
        Assert.Equal(Ana, plan.Lines[0].Account);
        GivenEvents.When(Post(plan, 0, 10)).ThenRejected("settlement.insurance_short");
        _insurance = new Account.Open(Ce(1_000), []);
        Take(Post(plan, 0, 10));
        Assert.IsType<CorrectionStep.Done>(((MarketSettlement.Settled)_settlement).Corrections!.Step);
    }

    [Fact]
    public void A_plan_of_another_pool_is_not_paid()
    {
        var other = SettlementPlan.From(Made(Create(liquidity: 20_000)).Pool, new PayoutVector(Yes));
        Assert.Throws<InvalidOperationException>(() => SettlementDecider.Plan(new PlanSettlement(Rain, other, Noon), _resolution, MarketSettlement.Initial, _pool));
        var own = SettlementPlan.From(_pool, new PayoutVector(Yes));
        Assert.Equal(own.RootText, ((SettlementPlanned)SettlementDecider.Plan(new PlanSettlement(Rain, own, Noon), _resolution, MarketSettlement.Initial, _pool).Single()).Root);
    }

    [Fact]
    public void Payouts_from_elsewhere_than_where_they_are_pay_nobody()
    {
        var plan = SettlementPlan.From(_pool, new PayoutVector(Yes));
        var planned = SettlementDecider.Plan(new PlanSettlement(Rain, plan, Noon), _resolution, MarketSettlement.Initial, _pool).Single();
        var paying = MarketSettlement.Evolve(MarketSettlement.Initial, planned);
        Assert.Empty(SettlementDecider.Pay(new PayNext(Rain, plan, 1, 1, Noon), paying).Events);
        Assert.Equal(2, SettlementDecider.Pay(new PayNext(Rain, plan, 0, 1, Noon), paying).Events.Length);
    }

    private static ProposeCorrection Asked(string value = "NO") => new(Rain, value, "urn:gauge", "broken", "op-1", Noon);

    private CorrectionPlan PlanTo(EquatableArray<Price> vector) => CorrectionPlan.From(
        _pool, new PayoutVector(((_settlement as MarketSettlement.Settled)?.Posting is { } posting ? posting.Before : (_settlement as MarketSettlement.Settled)?.Corrections?.Vector) ?? Yes), new PayoutVector(vector));

    private WhenDecided<SettlementEvent> When(ProposeCorrection asked) => GivenEvents.When(CorrectionDecider.Propose(asked, _market, _resolution, _settlement, _pool));

    private Decision<StreamEvent> Propose(ProposeCorrection asked) => CorrectionDecider.Propose(asked, _market, _resolution, _settlement, _pool).On(Rain.Resolution);

    private WhenDecided<SettlementEvent> Approving(string by = "op-2", CorrectionPlan? plan = null) =>
        GivenEvents.When(CorrectionDecider.Approve(new ApproveCorrection(Rain, plan ?? PlanTo(No), Credits.Zero, by, Noon), _resolution, _settlement, _pool, _insurance));

    private Decision<SettlementEvent> Approve(Credits shortfall, EquatableArray<Price>? to = null) =>
        CorrectionDecider.Approve(new ApproveCorrection(Rain, PlanTo(to ?? No), shortfall, "op-2", Noon), _resolution, _settlement, _pool, _insurance);

    private Decision<StreamEvent> Post(CorrectionPlan plan, int from, int most) =>
        CorrectionDecider.Post(new PostCorrections(Rain, plan, from, most, Noon), _settlement, account => _accounts[account], _insurance);

    private void Correct(string value, EquatableArray<Price> vector, Credits shortfall = default)
    {
        Take(Propose(Asked(value)));
        Take(Approve(shortfall, vector).On(Rain.Resolution));
        Take(Post(PlanTo(vector), 0, 10));
    }

    private Credits Balance(AccountId account) => ((Account.Open)_accounts[account]).Balance;

    private void Take(Decision<StreamEvent> decision)
    {
        Assert.Null(decision.Rejection);
        foreach (var (stream, @event) in decision.Events)
        {
            if (stream == Rain.Resolution)
            {
                _settlement = MarketSettlement.Fold.Apply(_settlement, @event);
            }
            else if (stream == AccountId.Insurance.Stream)
            {
                _insurance = Account.Fold.Apply(_insurance, @event);
            }
            else
            {
                _accounts[new AccountId(stream.Key)] = Account.Fold.Apply(_accounts[new AccountId(stream.Key)], @event);
            }
        }
    }
}

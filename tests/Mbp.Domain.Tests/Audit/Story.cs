using Mbp.Domain.Abuse;
using Mbp.Domain.Accounts;
using Mbp.Domain.Audit;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Payments;
using Mbp.Domain.Pricing;
using Mbp.Domain.Resolution;
using Mbp.Domain.Settlement;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using Mbp.Policies;
using NodaTime;

using static Mbp.Domain.Tests.Markets.Terms;

namespace Mbp.Domain.Tests.Audit;

/// <summary>A ledger with something of everything, as the deciders write it: what an audit goes through, and what a test tampers with.</summary>
internal sealed class Story
{
    public static readonly MarketId Snow = new("snow");
    public static readonly AccountId Bia = new("bia");

    private readonly AuditStates _states = new();
    private readonly Dictionary<StreamId, long> _versions = [];
    private readonly List<IReadOnlyList<Recorded>> _commands = [];
    private long _position;
    private Instant _now = Noon;

    private Story()
    {
    }

    /// <summary>Two markets over three days: trades, liquidity, a halt, averages; one is resolved and paid, one voided.</summary>
    public static IReadOnlyList<IReadOnlyList<Recorded>> Tell()
    {
        var story = new Story();
        story.Play();
        story.Withdraw();
        return story._commands;
    }

    /// <summary>
    /// The same, and then the first market's settlement is corrected: the account that owes the most has lost nearly all to a clawback, so insurance carries its debt; and
    /// then corrected back, which pays insurance first.
    /// </summary>
    public static IReadOnlyList<IReadOnlyList<Recorded>> TellCorrected()
    {
        var story = new Story();
        story.Play();
        var market = story._states.Market(Rain);
        var plan = CorrectionPlan.From(
            market.Pool, new PayoutVector(SettlementDecider.FinalVector(market.Resolution)!.Value), PayoutVector.Winner(1, 2));
        var debtor = plan.Lines.Where(line => line.GivesBack).MaxBy(line => line.Difference).Account;
        story.ClawBack(debtor, ((Account.Open)story._states.Account(debtor)).Balance - Ce(1));
        story.Correct(Rain, "NO");
        story.Correct(Rain, "YES");
        return story._commands;
    }

    private void Play()
    {
        Open();
        for (var i = 0; i < 60; i++)
        {
            Wait(i % 5 == 0 ? Duration.FromHours(4) : Duration.FromSeconds(20));
            Trade(i);
        }

        End(Rain, "YES");
        End(Snow, "INVALID");
    }

    private void ClawBack(AccountId account, Credits amount)
    {
        Decide(new Moderate(Snow, new Measure(ModerationKind.Clawback, account, amount, "urn:case"), "odd", "op-1", _now), "op-1");
        Decide(new ApproveModeration(Snow, 1, "op-2", _now), "op-2");

        void Decide(ModerationCommand command, string actor) => Write(
            ModerationDecider.Decide(command, _states.Market(Snow).Moderation, _states.Market(Snow).Market, account, _states.Account(account), _states.Account(AccountId.Insurance)), actor);
    }

    private void Correct(MarketId id, string value)
    {
        Wait(Duration.FromHours(1));
        var market = _states.Market(id);
        Write(CorrectionDecider.Propose(
            new ProposeCorrection(id, value, "urn:gauge2", "the gauge was broken", "op-1", _now), market.Market, market.Resolution, market.Settlement, market.Pool).On(id.Resolution));
        var plan = _states.CorrectionOf(id);
        var shortfall = plan.ShortfallBy(account => ((Account.Open)_states.Account(account)).Balance);
        Write(CorrectionDecider.Approve(
            new ApproveCorrection(id, plan, shortfall, "op-2", _now), market.Resolution, market.Settlement, market.Pool, _states.Account(AccountId.Insurance)).On(id.Resolution), "op-2");
        while (market.Settlement is MarketSettlement.Settled { Posting: { } posting })
        {
            Write(CorrectionDecider.Post(new PostCorrections(id, plan, posting.Posted, Most: 2, _now), market.Settlement, _states.Account, _states.Account(AccountId.Insurance)), "worker:market-clock");
        }
    }

    private void Open()
    {
        var template = Of(MarketKind.Binary);
        Write(TemplateDecider.Decider.Decide(new SeedTemplate(template, _now), TemplateEntry.Initial).On(Template.StreamOf(template.Id)));
        foreach (var policy in BuiltInPolicies.All)
        {
            var stream = RulesetLibrary.StreamOf(policy.Rules.Name);
            Write(RulesetDecider.Decider.Decide(new SeedRuleset(policy, "signed", _now), _states.Rulesets(policy.Rules.Name)).On(stream));
        }

        foreach (var account in new[] { House, Ana, Bia })
        {
            Write(AccountDecider.Decider.Decide(new OpenAccount(account, _now), _states.Account(account)).On(account.Stream));
            Write(AccountDecider.Decider.Decide(new GrantCredits(Ce(100_000), "start", _now), _states.Account(account)).On(account.Stream));
        }

        foreach (var id in new[] { Rain, Snow })
        {
            Write(CreateMarketDecider.Decide(
                Create(id.Value, ruleset: id == Rain ? "default" : "replay", closesAt: Noon + Duration.FromDays(30)) with { MarketId = id, At = _now },
                _states.Template(template.Id), _states.Rulesets(id == Rain ? "default" : "replay"), _states.Market(id).Market, _states.Market(id).Pool, _states.Account(House)));
        }
    }

    private void Trade(int i)
    {
        var (id, account, outcome) = (i % 3 == 0 ? Snow : Rain, i % 2 == 0 ? Ana : Bia, i % 5 < 3 ? "YES" : "NO");
        var market = _states.Market(id);
        var held = market.Pool.HolderOf(account).Shares[market.Pool.IndexOf(outcome)];
        TradeCommand command =
            i % 11 == 7 ? new AddLiquidity(id, account, Ce(100 + i), _now)
            : i % 11 == 10 && market.Pool.HolderOf(account).LpShares > LpShares.Zero ? new RemoveLiquidity(id, account, market.Pool.HolderOf(account).LpShares, _now)
            : i % 4 == 3 && held > Shares.FromUnits(Decimal8.One) ? new SellShares(id, account, $"t{i}", outcome, Shares.FromUnits(held.Units / 2), null, _now)
            : new BuyShares(id, account, $"t{i}", outcome, Ce(10 + (i * 7 % 90)), null, _now);
        Write(TradeDecider.Decide(command, market.Market, market.Pool, _states.Account(account), market.Flow, market.Moderation, _states.Slo));
        if (i == 30)
        {
            Write(MarketDecider.Decider.Decide(new HaltMarket(HaltLevel.Hard, "odd", _now), _states.Market(id).Market).On(id.Stream));
            Wait(Duration.FromMinutes(1));
            Write(MarketDecider.Decider.Decide(new ResumeMarket("fine", _now), _states.Market(id).Market).On(id.Stream));
        }

        if (i % 4 == 0)
        {
            market = _states.Market(id);
            Write(TwapDecider.Decide(new RecomputeTwap(id, _now), market.Market, market.Track, market.Twap).On(id.Quotes));
        }
    }

    private void End(MarketId id, string value)
    {
        Wait(Duration.FromMinutes(7));
        Write(MarketDecider.Close(new CloseMarket("done", _now), _states.Market(id).Market, _states.Market(id).LastDay).On(id.Stream));
        Resolve(new StartResolution(id, "op-1", _now), "op-1");
        Resolve(new ProposeManually(id, value, "urn:gauge", "op-1", _now), "op-1");
        Resolve(new ApproveManually(id, "op-2", _now), "op-2");
        if (_states.Market(id).Resolution is MarketResolution.Determined)
        {
            Wait(Duration.FromHours(3));
            Resolve(new AdvanceResolution(id, _now), "worker:resolution");
        }

        var market = _states.Market(id);
        Write(SettlementDecider.Plan(new PlanSettlement(id, null, _now), market.Resolution, market.Settlement, market.Pool).On(id.Resolution));
        while (_states.Market(id).Settlement is MarketSettlement.Paying paying)
        {
            Write(SettlementDecider.Pay(new PayNext(id, _states.PlanOf(id), paying.Done, Most: 2, _now), paying));
        }
    }

    /// <summary>One of each end: paid after a silence, refused, given up, and two that came back.</summary>
    private void Withdraw()
    {
        var paid = new RailAnswer.Settled("E1", Ce(10), _now);
        var back = new RailAnswer.Reversed("E1", Ce(10), "returned", _now, _now);
        Pay("paid", new RailAnswer.Silence(), paid);
        Pay("late", new RailAnswer.Pending(), new RailAnswer.Unavailable(), paid);
        Pay("refused", new RailAnswer.Rejected("payee_unknown"));
        Pay("differs", new RailAnswer.Settled("E1", Ce(9), _now), paid);
        Pay("given-up", [.. Enumerable.Repeat<RailAnswer>(new RailAnswer.Unavailable(), WithdrawalDecider.MaxSends), new RailAnswer.NotFound()]);
        Pay("back-at-once", back);
        Pay("back-later", paid);
        Answer("back-later", attempt: null, back);
        Pay("open", new RailAnswer.NotFound());
    }

    private void Pay(string id, params IReadOnlyList<RailAnswer> answers)
    {
        Withdraw(id, new RequestWithdrawal(new WithdrawalId(id), Ana, Ce(10), new PayeeId("payee"), _now));
        for (var attempt = 1; attempt <= answers.Count; attempt++)
        {
            Wait(Duration.FromMinutes(5));
            Withdraw(id, new SubmitPayout(new WithdrawalId(id), Ana, attempt, _now + Duration.FromMinutes(2), _now));
            Answer(id, attempt, answers[attempt - 1]);
        }
    }

    private void Answer(string id, int? attempt, RailAnswer answer) =>
        Withdraw(id, new RecordAnswer(new WithdrawalId(id), Ana, attempt, answer, _now + Duration.FromMinutes(1), _now));

    private void Withdraw(string id, WithdrawalCommand command) => Write(WithdrawalDecider.Decide(command, _states.Withdrawal(id), _states.Account(Ana)));

    private void Resolve(ResolutionCommand command, string actor)
    {
        var market = _states.Market(command.MarketId);
        Write(ResolutionDecider.Decide(command, new ResolutionBooks(market.Market, market.Resolution, market.Pool)), actor);
    }

    private void Wait(Duration time) => _now += time;

    private void Write(Decision<StreamEvent> decision, string actor = "op-1")
    {
        Assert.Null(decision.Rejection);
        if (decision.Events.IsEmpty)
        {
            return;
        }

        var command = new List<Recorded>();
        foreach (var (stream, @event) in decision.Events)
        {
            _states.Apply(stream, @event);
            _versions[stream] = _versions.GetValueOrDefault(stream) + 1;
            command.Add(new Recorded(
                new StoredEvent(
                    ++_position, stream, _versions[stream], Guid.Empty, @event.GetType().Name, default, _now, "trace", $"command-{_commands.Count}",
                    System.Text.Encoding.UTF8.GetBytes(decision.PolicyHash is { } hash ? $$"""{"actor": "{{actor}}", "policy_hash": "{{hash}}"}""" : $$"""{"actor": "{{actor}}"}""")),
                @event));
        }

        _commands.Add(command);
        // As the writer stamps them: ledger time grows with every command.
        _now += Duration.FromTicks(10);
    }
}

using Mbp.Domain.Accounts;
using Mbp.Domain.Audit;
using Mbp.Domain.Markets;
using Mbp.Domain.Payments;
using Mbp.Domain.Pricing;
using Mbp.Domain.Resolution;
using Mbp.Domain.Settlement;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;
using static Mbp.Domain.Tests.Markets.Terms;

namespace Mbp.Domain.Tests.Audit;

/// <summary>An honest ledger holds, with every check made; each kind of tampering is found by the check that is there for it.</summary>
public sealed class LedgerAuditTests
{
    private const string Counts =
        "Order 248, Decision 155, NoNegative 113, Conservation 155, CompleteSets 62, OneResolution 2, SettlementPlan 2, NoEarlyPayout 6, LiquidityShares 62, "
        + "NoOverflow 248, NoLateTrade 53, PoolInvariant 53, Prices 62, ResolutionEvidence 2, PolicyHash 73, RiskCaps 41, SettledInFull 2, OnePayout 17, "
        + "CorrectionPlan 0, CorrectionByTwo 0, CorrectionShortfall 0, CorrectedInFull 0";

    [Fact]
    public void An_honest_ledger_holds_and_every_check_was_made()
    {
        var audit = Audited(Story.Tell());

        Assert.Empty(audit.Report.Faults);
        Assert.Equal(audit.Commands, audit.Redecided);
        Assert.Equal(audit.GrantedUnits, audit.AccountUnits + audit.MarketUnits + audit.OnTheWayUnits + audit.PaidOutUnits);
        Assert.Equal((Ce(10).Units, Ce(30).Units), (audit.OnTheWayUnits, audit.PaidOutUnits));
        Assert.Equal(Ce(300_000).Units, audit.GrantedUnits);
        // So many of each: a check that is made less often is made cheaper than it may be.
        Assert.Equal(Counts, string.Join(", ", Enum.GetValues<Check>().Select(check => $"{check} {audit.Report.CountOf(check)}")));
    }

    [Fact]
    public void A_missing_command_is_a_gap() => Finds(Check.Order, commands => commands.RemoveAt(20));

    [Fact]
    public void A_row_that_tells_another_time_than_its_event_is_found() =>
        Finds(Check.Order, commands => Change(commands, IsA<TradeExecuted>, r => r with { Stored = r.Stored with { At = r.Stored.At + Duration.FromTicks(10) } }));

    [Fact]
    public void A_version_out_of_turn_is_found() =>
        Finds(Check.Order, commands => Change(commands, IsA<AccountDebited>, r => r with { Stored = r.Stored with { Version = r.Stored.Version + 1 } }));

    [Fact]
    public void A_tail_that_is_cut_off_is_found()
    {
        var audit = Audited(Story.Tell());
        audit.CheckEnd(audit.Position, [(Rain.Stream, 1_000)]);
        audit.CheckEnd(audit.Position + 1, []);
        Assert.Equal(2, audit.Report.FaultsOf(Check.Order));
    }

    [Fact]
    public void A_unit_more_than_was_decided_is_found() =>
        Finds(Check.Decision, commands => Change<TradeExecuted>(commands, e => e with { Shares = Shares.FromUnits(e.Shares.Units - 1) }));

    [Fact]
    public void A_sale_that_the_decider_would_not_make_is_found() =>
        Finds(Check.Decision, commands => Change<TradeExecuted>(commands, e => e with { Fee = Credits.FromUnits(e.Fee.Units + 1) }, e => e.Side == TradeSide.Sell));

    [Fact]
    public void A_price_of_the_last_day_that_was_not_is_found() =>
        Finds(Check.Decision, commands => Change<MarketClosed>(commands, e => e with { Twap24h = Moved(e.Twap24h) }));

    [Fact]
    public void An_average_that_was_not_is_found() =>
        Finds(Check.Decision, commands => Change<TwapRecomputed>(commands, e => e with { Twap15m = Moved(e.Twap15m) }, e => e.Twap15m != e.Prices));

    [Fact]
    public void An_approval_by_the_proposer_is_found() =>
        Finds(Check.Decision, commands => Change(commands, IsA<ResolutionDetermined>, r => r with { Stored = r.Stored with { Headers = """{"actor": "op-1"}"""u8.ToArray() } }));

    [Fact]
    public void A_payment_without_the_credits_is_found() =>
        Finds(Check.NoNegative, commands => Change<AccountDebited>(commands, e => e with { Amount = Ce(1_000_000) }));

    [Fact]
    public void A_sale_of_more_than_there_is_is_found() =>
        Finds(Check.NoNegative, commands => Change<TradeExecuted>(commands, e => e with { Shares = Ce(100_000).AsCompleteSets() }, e => e.Side == TradeSide.Sell));

    [Fact]
    public void A_withdrawal_of_more_than_there_is_is_found() =>
        Finds(Check.NoNegative, commands => Change<LiquidityRemoved>(commands, e => e with { LpShares = LpShares.FromUnits(e.LpShares.Units + 1) }));

    [Fact]
    public void A_credit_out_of_nothing_is_found_where_it_came_in()
    {
        var audit = Finds(Check.Conservation, commands => Change<AccountCredited>(commands, e => e with { Amount = Credits.FromUnits(e.Amount.Units + 1) }));
        // It stays in the sums, and is a fault once.
        Assert.Equal(1, audit.Report.FaultsOf(Check.Conservation));
        Assert.Equal(1, audit.AccountUnits + audit.MarketUnits + audit.OnTheWayUnits + audit.PaidOutUnits - audit.GrantedUnits);
    }

    [Fact]
    public void Shares_out_of_nothing_are_found() =>
        Finds(Check.CompleteSets, commands => Change<LiquidityAdded>(commands, e => e with { Back = [Shares.FromUnits(e.Back[0].Units + 1), e.Back[1]] }));

    [Fact]
    public void A_quote_that_is_not_the_pools_is_found() =>
        Finds(Check.Prices, commands => Change<TradeExecuted>(commands, e => e with { Prices = Moved(e.Prices) }));

    [Fact]
    public void A_trade_that_takes_from_the_product_is_found()
    {
        var audit = Finds(Check.PoolInvariant, commands => Change<TradeExecuted>(commands, e => e with { Shares = Shares.FromUnits(e.Shares.Units + Decimal8.One) }));
        Assert.Contains("the product moved by", audit.Report.Faults.First(f => f.Check == Check.PoolInvariant).What, StringComparison.Ordinal);
    }

    [Fact]
    public void A_trade_in_a_hard_halt_is_found() =>
        Finds(Check.NoLateTrade, commands => commands.Insert(IndexOf(commands, IsA<MarketResumed>), commands[IndexOf(commands, IsA<TradeExecuted>)]));

    [Fact]
    public void A_second_final_value_is_found() =>
        Finds(Check.OneResolution, commands => commands.Add(commands[IndexOf(commands, IsA<ResolutionFinished>)]));

    [Fact]
    public void A_plan_that_does_not_follow_from_the_market_is_found() =>
        Finds(Check.SettlementPlan, commands => Change<SettlementPlanned>(commands, e => e with { Root = e.Root[..^1] + (e.Root[^1] == '0' ? '1' : '0') }));

    [Fact]
    public void A_payout_before_the_end_is_found() =>
        Finds(Check.NoEarlyPayout, commands => commands.Insert(IndexOf(commands, IsA<MarketClosed>), commands[IndexOf(commands, IsA<PayoutRecorded>)]));

    [Fact]
    public void A_settlement_that_paid_something_else_is_found() =>
        Finds(Check.SettledInFull, commands => Change<MarketSettled>(commands, e => e with { Paid = Credits.FromUnits(e.Paid.Units + 1) }));

    [Fact]
    public void A_withdrawal_that_says_more_than_left_the_account_is_found()
    {
        Finds(Check.OnePayout, commands => Change<WithdrawalRequested>(commands, e => e with { Amount = Ce(11) }));
        Finds(Check.Conservation, commands => Change<CreditsWithdrawn>(commands, e => e with { Amount = Ce(9) }));
        Finds(Check.NoNegative, commands => Change<CreditsWithdrawn>(commands, e => e with { Amount = Ce(1_000_000) }));
    }

    [Fact]
    public void A_return_of_more_than_was_withdrawn_is_found()
    {
        Finds(Check.OnePayout, commands => Change<CreditsReturned>(commands, e => e with { Amount = Ce(11) }));
        Finds(Check.Conservation, commands => Change<CreditsReturned>(commands, e => e with { Amount = Ce(11) }));
    }

    [Fact]
    public void A_withdrawal_that_is_paid_and_returned_is_found()
    {
        // The end of the one that was refused happens to the one that was paid.
        void Tamper(List<IReadOnlyList<Recorded>> commands)
        {
            var paid = new WithdrawalId("paid");
            Change(commands, IsA<PayoutFailed>, r => r with { Stored = r.Stored with { Stream = paid.Stream } });
        }

        Finds(Check.OnePayout, Tamper);
        Finds(Check.Decision, Tamper);
    }

    [Fact]
    public void A_resolution_without_evidence_is_found() =>
        Finds(Check.ResolutionEvidence, commands => Change<ResolutionDetermined>(commands, e => e with { EvidenceUri = "" }));

    [Fact]
    public void A_settlement_that_was_corrected_twice_holds_at_every_position()
    {
        var commands = Story.TellCorrected();
        var audit = Audited(commands);
        Assert.Empty(audit.Report.Faults);
        Assert.Equal(audit.Commands, audit.Redecided);
        Assert.Equal((2L, 2L, 2L), (audit.Report.CountOf(Check.CorrectionPlan), audit.Report.CountOf(Check.CorrectionByTwo), audit.Report.CountOf(Check.CorrectedInFull)));
        var posted = commands.SelectMany(command => command).Select(r => r.Data).OfType<PayoutCorrected>().ToList();
        Assert.Equal(posted.Count, audit.Report.CountOf(Check.CorrectionShortfall));

        // What insurance carried the first time is what it got back the second time, and everybody has what the first settlement paid.
        var insured = posted.Where(e => e.Insured > Credits.Zero).ToList();
        Assert.Equal([(1, true), (2, false)], insured.Select(e => (e.Number, e.Due < e.Before)));
        Assert.Equal(insured[0].Insured, insured[1].Insured);
        Assert.Equal(insured[0].Account, insured[1].Account);
        var settled = Assert.IsType<MarketSettlement.Settled>(audit.States.Market(Rain).Settlement);
        Assert.Equal((settled.Result.Paid, settled.Result.Dust, settled.Result.FeeDust), (settled.Paid, settled.Dust, settled.FeeDust));
        Assert.Equal(settled.Dust.Units + settled.FeeDust.Units, settled.HeldUnits);
        Assert.Empty(settled.Corrections!.Insured);
    }

    // In the middle of a correction, too: a snapshot and the read models' checkpoint keep it.
    [Fact]
    public void A_corrected_settlement_is_kept_and_loaded_as_it_was_after_each_event()
    {
        var state = (object)MarketSettlement.Initial;
        IFold fold = MarketSettlement.Fold;
        foreach (var recorded in Story.TellCorrected().SelectMany(command => command).Where(r => r.Stream == Rain.Resolution))
        {
            state = fold.Apply(state, recorded.Data);
            var saved = fold.Save(state);
            Assert.Equal(saved, fold.Save(fold.Load(saved)));
            state = fold.Load(saved);
        }

        Assert.Equal(2, ((MarketSettlement.Settled)state).Corrections!.Count);
    }

    [Fact]
    public void A_corrected_plan_that_does_not_follow_from_the_market_is_found() =>
        FindsCorrected(Check.CorrectionPlan, commands => Change<SettlementCorrected>(commands, e => e with { Root = e.Root[..^1] + (e.Root[^1] == '0' ? '1' : '0') }));

    [Fact]
    public void A_sum_of_a_corrected_plan_that_does_not_follow_is_found() =>
        FindsCorrected(Check.CorrectionPlan, commands => Change<SettlementCorrected>(commands, e => e with { Back = Credits.FromUnits(e.Back.Units + 1) }));

    [Fact]
    public void A_correction_by_one_person_is_found() =>
        FindsCorrected(Check.CorrectionByTwo, commands => Change<SettlementCorrected>(commands, e => e with { By = ["op-1", "op-1"] }));

    [Fact]
    public void A_correction_by_a_holder_is_found() =>
        FindsCorrected(Check.CorrectionByTwo, commands => Change<SettlementCorrected>(commands, e => e with { By = ["op-1", House.Value] }));

    [Fact]
    public void An_account_that_was_spared_at_the_cost_of_insurance_is_found() =>
        FindsCorrected(Check.CorrectionShortfall, commands => Change<PayoutCorrected>(
            commands, e => e with { Moved = Credits.FromUnits(e.Moved.Units - 1), Insured = Credits.FromUnits(e.Insured.Units + 1) }, e => e.Due < e.Before && e.Insured == Credits.Zero));

    [Fact]
    public void A_debt_that_is_repaid_twice_is_found() =>
        FindsCorrected(Check.CorrectionShortfall, commands => Change<PayoutCorrected>(
            commands, e => e with { Moved = Credits.FromUnits(e.Moved.Units - 1), Insured = Credits.FromUnits(e.Insured.Units + 1) }, e => e.Due > e.Before && e.Number == 1));

    [Fact]
    public void A_difference_that_was_not_posted_in_the_account_is_found_where_it_is_missing() =>
        FindsCorrected(Check.Conservation, commands => Change<AccountDebited>(
            commands, e => e with { Amount = Credits.FromUnits(e.Amount.Units - 1) }, e => e.Kind == PostingKind.Correction));

    [Fact]
    public void A_correction_that_ends_with_another_sum_is_found() =>
        FindsCorrected(Check.CorrectedInFull, commands => Change<SettlementCorrectionDone>(commands, e => e with { Paid = Credits.FromUnits(e.Paid.Units + 1) }));

    [Fact]
    public void A_correction_that_ends_before_its_end_is_found() => FindsCorrected(Check.CorrectedInFull, commands =>
    {
        var last = IndexOf(commands, IsA<SettlementCorrectionDone>);
        var first = IndexOf(commands, IsA<PayoutCorrected>);
        (commands[first], commands[last]) = ([.. commands[first], commands[last][^1]], [.. commands[last].SkipLast(1)]);
    });

    [Fact]
    public void An_overflow_is_found() =>
        Finds(Check.NoOverflow, commands =>
        {
            Change<CreditsGranted>(commands, e => e with { Amount = Credits.FromUnits(Decimal8.Max) });
            commands.Insert(commands.Count, commands[IndexOf(commands, IsA<CreditsGranted>)]);
        });

    private static bool IsA<TEvent>(Recorded recorded) => recorded.Data is TEvent;

    private static EquatableArray<Price> Moved(EquatableArray<Price> prices) =>
        [Price.FromUnits(prices[0].Units - 1), Price.FromUnits(prices[1].Units + 1)];

    private static LedgerAudit Finds(Check check, Action<List<IReadOnlyList<Recorded>>> tamper) => FindsIn(Story.Tell(), check, tamper);

    private static void FindsCorrected(Check check, Action<List<IReadOnlyList<Recorded>>> tamper) => FindsIn(Story.TellCorrected(), check, tamper);

    private static LedgerAudit FindsIn(IEnumerable<IReadOnlyList<Recorded>> story, Check check, Action<List<IReadOnlyList<Recorded>>> tamper)
    {
        var commands = story.ToList();
        tamper(commands);
        var audit = Audited(commands);
        Assert.True(audit.Report.FaultsOf(check) > 0, $"{check} found nothing; others: {string.Join("; ", audit.Report.Faults)}");
        Assert.Contains(audit.Report.Faults, fault => fault.Check == check && fault.What.Length > 0);
        return audit;
    }

    private static LedgerAudit Audited(IEnumerable<IReadOnlyList<Recorded>> commands)
    {
        var audit = new LedgerAudit();
        foreach (var command in commands)
        {
            audit.Observe(command);
        }

        return audit;
    }

    private static int IndexOf(List<IReadOnlyList<Recorded>> commands, Predicate<Recorded> which) => commands.FindIndex(command => command.Any(r => which(r)));

    private static void Change(List<IReadOnlyList<Recorded>> commands, Predicate<Recorded> which, Func<Recorded, Recorded> change)
    {
        var index = IndexOf(commands, which);
        commands[index] = [.. commands[index].Select(r => which(r) ? change(r) : r)];
    }

    private static void Change<TEvent>(List<IReadOnlyList<Recorded>> commands, Func<TEvent, TEvent> change, Predicate<TEvent>? which = null)
        where TEvent : class =>
        Change(commands, r => r.Data is TEvent e && which?.Invoke(e) != false, r => r with { Data = change((TEvent)r.Data) });
}

using Mbp.Domain.Accounts;
using Mbp.Domain.Audit;
using Mbp.Domain.Markets;
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
        "Order 186, Decision 106, NoNegative 105, Conservation 106, CompleteSets 62, OneResolution 2, SettlementPlan 2, NoEarlyPayout 6, LiquidityShares 62, "
        + "NoOverflow 186, NoLateTrade 53, PoolInvariant 53, Prices 62, ResolutionEvidence 2, PolicyHash 73, RiskCaps 41, SettledInFull 2";

    [Fact]
    public void An_honest_ledger_holds_and_every_check_was_made()
    {
        var audit = Audited(Story.Tell());

        Assert.Empty(audit.Report.Faults);
        Assert.Equal(audit.Commands, audit.Redecided);
        Assert.Equal(audit.GrantedUnits, audit.AccountUnits + audit.MarketUnits);
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
        Assert.Equal(1, audit.AccountUnits + audit.MarketUnits - audit.GrantedUnits);
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
    public void A_resolution_without_evidence_is_found() =>
        Finds(Check.ResolutionEvidence, commands => Change<ResolutionDetermined>(commands, e => e with { EvidenceUri = "" }));

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

    private static LedgerAudit Finds(Check check, Action<List<IReadOnlyList<Recorded>>> tamper)
    {
        var commands = Story.Tell().ToList();
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

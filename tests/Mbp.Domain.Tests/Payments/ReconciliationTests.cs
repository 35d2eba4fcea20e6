using Mbp.Domain.Payments;
using NodaTime;
using static Mbp.Domain.Tests.Markets.Terms;

namespace Mbp.Domain.Tests.Payments;

/// <summary>Each way in which a rail's statement and the ledger can differ has its class, and only that one.</summary>
public sealed class ReconciliationTests
{
    private static readonly Instant Begin = Instant.FromUtc(2026, 11, 28, 0, 0);
    private static readonly Instant End = Instant.FromUtc(2026, 11, 29, 0, 0);
    private static readonly Instant Midday = Begin + Duration.FromHours(12);

    private static readonly WithdrawalRow Asked = new("w1", "ana", Ce(10).Units, "p", "requested", 0, null, null, Midday, null, null, null, null, null, 7);
    private static readonly WithdrawalRow Submitted = Asked with { State = "submitted", Attempts = 1 };
    private static readonly WithdrawalRow Paid = Asked with { State = "settled", Attempts = 1, RailReference = "E1", PaidAt = Midday, EndedAt = Midday };
    private static readonly WithdrawalRow Failed = Asked with { State = "failed", Attempts = 1, Reason = "payee_unknown", EndedAt = Midday, FailedFirstAt = Midday };
    private static readonly WithdrawalRow Returned = Paid with { State = "reversed", ReversedAt = Midday + Duration.FromHours(1), EndedAt = Midday + Duration.FromHours(1) };
    private static readonly RailLine Line = new("w1", "E1", RailMovement.Settled, Ce(10), Midday);
    private static readonly RailLine Reversal = Line with { Movement = RailMovement.Reversed, At = Midday + Duration.FromHours(1) };

    [Fact]
    public void What_both_tell_alike_is_matched()
    {
        Matched(1, [Line], Paid);
        Matched(2, [Line, Reversal], Returned);
        Matched(1, [], Failed);
        Matched(0, []);
        Assert.Equal("100.00", Reconciliation.Of(Begin, End, [], []).Percent);
    }

    [Fact]
    public void The_same_payment_told_twice_is_not_two_payments()
    {
        Matched(1, [Line, Line], Paid);
        Assert.Equal(1, Reconciliation.Of(Begin, End, [Line, Line], [Paid]).Repeated);
    }

    [Fact]
    public void A_payment_that_the_statement_lacks() => Finds(DiscrepancyClass.MissingAtRail, [], Paid);

    [Fact]
    public void A_return_that_the_statement_lacks() => Finds(DiscrepancyClass.MissingAtRail, [Line], Returned);

    [Fact]
    public void A_payment_that_the_ledger_does_not_know() => Finds(DiscrepancyClass.MissingInLedger, [Line]);

    [Fact]
    public void Another_amount() => Finds(DiscrepancyClass.AmountMismatch, [Line with { Amount = Ce(11) }], Paid);

    [Fact]
    public void A_second_payment_under_one_key()
    {
        Finds(DiscrepancyClass.DuplicateAtRail, [Line, Line with { Reference = "E2" }], Paid);
        // Also where the ledger has not heard of the first.
        Assert.Equal(
            [DiscrepancyClass.DuplicateAtRail, DiscrepancyClass.SettledUnrecorded],
            Reconciliation.Of(Begin, End, [Line, Line with { Reference = "E2" }], [Submitted]).Discrepancies.Select(one => one.Class));
    }

    [Fact]
    public void Paid_although_the_credits_were_returned() => Finds(DiscrepancyClass.StatusMismatch, [Line], Failed);

    [Fact]
    public void Paid_although_it_was_never_sent() => Finds(DiscrepancyClass.StatusMismatch, [Line], Asked);

    [Fact]
    public void Paid_and_the_ledger_has_not_heard_of_it() => Finds(DiscrepancyClass.SettledUnrecorded, [Line], Submitted);

    [Fact]
    public void Back_and_the_ledger_has_not_heard_of_it() => Finds(DiscrepancyClass.ReversedUnrecorded, [Line, Reversal], Paid);

    [Fact]
    public void Still_on_its_way_when_the_day_is_over()
    {
        Finds(DiscrepancyClass.Late, [], Submitted);
        Finds(DiscrepancyClass.Late, [], Submitted with { RequestedAt = Begin - Duration.FromDays(3) });
        Matched(0, [], Submitted with { RequestedAt = End });
    }

    [Fact]
    public void A_payment_belongs_to_the_day_on_which_the_rail_made_it()
    {
        // Asked for on the day and paid after midnight: the next day's.
        Matched(0, [], Paid with { PaidAt = End, EndedAt = End });
        // Made in the day's last microsecond and heard of on the next.
        Matched(1, [Line with { At = End - Duration.FromTicks(10) }], Paid with { PaidAt = End - Duration.FromTicks(10), EndedAt = End + Duration.FromSeconds(1) });
    }

    [Fact]
    public void Only_what_the_rail_has_done_is_repaired() => Assert.All(Enum.GetValues<DiscrepancyClass>(), @class => Assert.Equal(
        @class is DiscrepancyClass.SettledUnrecorded or DiscrepancyClass.ReversedUnrecorded,
        Reconciliation.Repair(new Discrepancy(@class, "w1", "E1", "submitted", Ce(10), Ce(10), Midday)) is not null));

    [Fact]
    public void A_hundred_percent_is_never_rounded_up_to()
    {
        var rows = Enumerable.Range(0, 30_000).Select(n => Paid with { WithdrawalId = $"w{n}" }).ToList();
        var found = Reconciliation.Of(Begin, End, [.. rows.Skip(1).Select(row => Line with { Key = row.WithdrawalId })], rows);
        Assert.Equal("99.99", found.Percent);
    }

    [Fact]
    public void Repair_times_are_of_what_has_ended()
    {
        var failures = Enumerable.Range(1, 20).Select(n => Paid with { WithdrawalId = $"w{n}", FailedFirstAt = Midday, EndedAt = Midday + Duration.FromSeconds(n) }).Append(Submitted with { FailedFirstAt = Midday });
        Assert.Equal(new RepairTimes(21, 1, 10_000, 19_000), RepairTimes.Of(failures.Append(Paid)));
        Assert.Equal(new RepairTimes(0, 0, null, null), RepairTimes.Of([Paid]));
    }

    [Fact]
    public void A_run_that_finds_what_the_one_before_found_is_no_news()
    {
        var found = new ReconciliationRecorded("2026-11-28", "rail", 1, 1, [], 0, "aa", End);
        var once = ReconciliationDecider.Record(found, ReconciliationLog.Fold.Initial);
        Assert.Equal(found, once.Single().Event);
        var log = ReconciliationLog.Fold.Apply(ReconciliationLog.Fold.Initial, found);
        Assert.Empty(ReconciliationDecider.Record(found with { At = End + Duration.FromHours(1) }, log).Events);
        Assert.Single(ReconciliationDecider.Record(found with { ReportSha256 = "bb" }, log).Events);
    }

    private static void Matched(int matched, RailLine[] lines, params WithdrawalRow[] rows)
    {
        var found = Reconciliation.Of(Begin, End, lines, rows);
        Assert.Empty(found.Discrepancies);
        Assert.Equal((matched, "100.00"), (found.Matched, found.Percent));
    }

    private static void Finds(DiscrepancyClass expected, RailLine[] lines, params WithdrawalRow[] rows) =>
        Assert.Equal([expected], Reconciliation.Of(Begin, End, lines, rows).Discrepancies.Select(one => one.Class));
}

using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution;
using Mbp.Domain.Resolution.Disputes;
using Mbp.Domain.Resolution.Oracle;
using NodaTime;
using static Mbp.Domain.Tests.Markets.Terms;
using static Mbp.Domain.Tests.Resolution.ResolutionStage;

namespace Mbp.Domain.Tests.Resolution;

/// <summary>Rounds, disputes and arbitration as a market lives through them (spec part 2).</summary>
public sealed class DisputeTests
{
    private static readonly Duration Window = Duration.FromHours(2);

    private static ResolutionStage Determined(string value = "YES")
    {
        var stage = Closed(WithOracle());
        stage.Wait(Duration.Zero);
        foreach (var source in new[] { "s1", "s2", "s3", "s4" })
        {
            stage.Report(source, value);
        }

        Assert.IsType<MarketResolution.Determined>(stage.Resolution);
        return stage;
    }

    [Fact]
    public void A_quorum_that_nothing_can_change_decides_at_once_and_sources_gain_or_lose()
    {
        var stage = Closed(WithOracle());
        stage.Wait(Duration.Zero);
        stage.Report("s1", "NO");
        stage.Report("s2", "YES");
        stage.Report("s3", "YES");
        stage.Report("s4", "YES");
        Assert.IsType<MarketResolution.Collecting>(stage.Resolution);
        stage.Report("s5", "YES");
        var determined = Assert.IsType<MarketResolution.Determined>(stage.Resolution);
        Assert.Equal(["s2", "s3", "s4", "s5"], determined.Decision.DecidedBy);
        Assert.Equal("4000000", determined.Decision.Tally!.Agreeing);
        stage.Wait(Window);
        Assert.IsType<MarketResolution.Finished>(stage.Resolution);
        Assert.Equal((900_000, OracleFeed.Full), (stage.Oracle.ReputationOf("s1"), stage.Oracle.ReputationOf("s2")));
    }

    [Fact]
    public void A_quorum_that_others_could_change_waits_for_the_rounds_end()
    {
        var stage = Closed(WithOracle());
        stage.Wait(Duration.Zero);
        foreach (var (source, value) in new[] { ("s1", "YES"), ("s2", "YES"), ("s3", "YES"), ("s4", "NO") })
        {
            stage.Report(source, value);
        }

        stage.Wait(Duration.FromMinutes(15) + Duration.FromMilliseconds(1_999));
        Assert.IsType<MarketResolution.Collecting>(stage.Resolution);
        stage.Wait(Duration.FromMilliseconds(1));
        Assert.IsType<MarketResolution.Determined>(stage.Resolution);
    }

    [Fact]
    public void Rounds_fail_the_feed_falls_back_and_people_are_the_way_out()
    {
        var stage = Closed(WithOracle());
        stage.Wait(Duration.FromHours(4));
        Assert.Equal([1, 2, 3, 4], stage.Events.Select(e => e.Event).OfType<RoundFailed>().Select(e => e.Round));
        Assert.Equal(2, stage.Events.Select(e => e.Event).OfType<FailoverEntered>().Single().Round);
        Assert.Null(Assert.IsType<MarketResolution.Collecting>(stage.Resolution).Round);
        Assert.Equal(OracleErrors.NoRound.Code, stage.Report("s1", "YES", round: 5).Rejection!.Code);
        stage.Send(at => new ProposeManually(Rain, "YES", "urn:proof", "op-1", at));
        stage.Send(at => new ApproveManually(Rain, "op-2", at));
        stage.Wait(Window);
        Assert.IsType<MarketResolution.Finished>(stage.Resolution);
    }

    [Fact]
    public void Nobody_found_a_value_the_market_freezes_after_a_day_and_is_void_after_three()
    {
        var stage = Closed(WithOracle());
        stage.Wait(Duration.FromHours(24) - Duration.Epsilon);
        Assert.DoesNotContain(stage.Events, e => e.Event is ResolutionSlaBreached);
        stage.Wait(Duration.Epsilon);
        Assert.Single(stage.Events, e => e.Event is ResolutionSlaBreached);
        Assert.Single(stage.Events, e => e.Event is MarketHalted { Rule: Mbp.Domain.Markets.Halts.HaltRule.Sla });
        stage.Wait(Duration.FromHours(48) - Duration.Epsilon);
        Assert.False(stage.Resolution.IsFinal);
        stage.Wait(Duration.Epsilon);
        var voided = Assert.IsType<MarketResolution.Voided>(stage.Resolution);
        Assert.Equal(((Market.Closed)stage.Market).Twap24h, voided.Vector);
    }

    [Fact]
    public void Too_early_puts_it_off_three_times_and_then_is_no_value()
    {
        var stage = Closed(WithOracle());
        stage.Wait(Duration.Zero);
        for (var i = 1; i <= 3; i++)
        {
            foreach (var source in new[] { "s1", "s2", "s3", "s4" })
            {
                stage.Report(source, "TOO_EARLY");
            }

            Assert.Equal(i, Assert.IsType<MarketResolution.Postponed>(stage.Resolution).Course.Postponements);
            Assert.Equal("resolution.postponed", stage.Report("s5", "YES").Rejection!.Code);
            stage.Wait(Duration.FromHours(1));
            Assert.IsType<MarketResolution.Collecting>(stage.Resolution);
        }

        stage.Report("s1", "TOO_EARLY");
        Assert.Equal("bad_value", stage.Events.Select(e => e.Event).OfType<ReportRejected>().Single().Reason);
    }

    [Theory]
    [InlineData("late")]
    [InlineData("stale")]
    [InlineData("ahead_of_time")]
    [InlineData("bad_value")]
    [InlineData("equivocated")]
    public void A_signed_report_that_does_not_count_is_kept_once(string reason)
    {
        var stage = Closed(WithOracle());
        stage.Wait(Duration.Zero);
        if (reason == "equivocated")
        {
            stage.Report("s1", "YES");
            Assert.Single(stage.Report("s1", "NO").Events, e => e.Event is SourceEquivocated);
        }

        for (var i = 0; i < 3; i++)
        {
            var until = ((MarketResolution.Collecting)stage.Resolution).Round!.Until;
            var at = reason == "late" ? until + Duration.FromSeconds(2) + Duration.Epsilon : stage.Now + Duration.FromSeconds(i);
            var seen = reason switch { "stale" => at - Duration.FromSeconds(300) - Duration.Epsilon, "ahead_of_time" => at + Duration.FromSeconds(2) + Duration.Epsilon, _ => at };
            var value = reason == "bad_value" ? "MAYBE" : "YES";
            var decision = stage.Ask(new SubmitReport(Rain, 1, "s1", value, seen, "e", Signers.Sign("s1", Statement.Report(Rain, 1, value, seen, "e")), at));
            if (i == 0)
            {
                Assert.Equal(reason, ((ReportRejected)Assert.Single(decision.Events).Event).Reason);
            }

            stage.Send(_ => new SubmitReport(Rain, 1, "s1", value, seen, "e", Signers.Sign("s1", Statement.Report(Rain, 1, value, seen, "e")), at));
        }

        Assert.Single(stage.Events, e => e.Event is ReportRejected);
    }

    [Fact]
    public void What_its_source_did_not_sign_leaves_no_trace()
    {
        var stage = Closed(WithOracle());
        stage.Wait(Duration.Zero);
        Assert.Equal(OracleErrors.BadSignature.Code, stage.Report("s1", "YES", signature: Signers.Sign("s2", "another")).Rejection!.Code);
        Assert.Equal(OracleErrors.UnknownSource.Code, stage.Report("s9", "YES").Rejection!.Code);
        Assert.Equal("resolution.wrong_round", stage.Report("s1", "YES", round: 2).Rejection!.Code);
        Assert.DoesNotContain(stage.Events, e => e.Event is ReportAccepted or ReportRejected);
    }

    [Fact]
    public void A_panel_overturns_the_value_the_disputer_wins_and_the_new_value_has_its_own_window()
    {
        var stage = Determined();
        stage.Wait(Window - Duration.Epsilon);
        stage.Dispute(Ana, "NO");
        // 10,000 CE$ of complete sets: half a percent is 50, the least bond 100.
        Assert.Equal((Ce(900), 200_00000000L), (stage.BalanceOf(Ana), stage.Resolution.BondUnits));
        Assert.Equal("resolution.not_a_judge", stage.Rule("s1", "NO").Rejection!.Code);
        stage.Rule("p1", "NO");
        stage.Rule("p2", "NO");
        Assert.Equal(DisputeErrors.AlreadyRuled.Code, stage.Rule("p1", "YES").Rejection!.Code);
        stage.Rule("p3", "NO");
        var determined = Assert.IsType<MarketResolution.Determined>(stage.Resolution);
        Assert.Equal(("NO", stage.Now + Window), (determined.Decision.Value, determined.Decision.DisputableUntil));
        Assert.Equal((Ce(1_050), Ce(50), Ce(0)), (stage.BalanceOf(Ana), stage.BalanceOf(AccountId.Insurance), stage.BalanceOf(AccountId.ResolutionDesk)));
        stage.Wait(Window);
        Assert.Equal("NO", Assert.IsType<MarketResolution.Finished>(stage.Resolution).Decision.Value);
        // The dispute showed that four sources had been wrong.
        Assert.Equal(900_000, stage.Oracle.ReputationOf("s1"));
    }

    [Fact]
    public void A_second_dispute_costs_twice_as_much_and_goes_to_the_arbitrators_whose_word_is_the_last()
    {
        var stage = Determined();
        stage.Dispute(Ana, "NO");
        foreach (var judge in new[] { "p1", "p2", "p3" })
        {
            stage.Rule(judge, "YES");
        }

        Assert.Equal(Ce(900), stage.BalanceOf(Ana));
        stage.Dispute(Bob, "NO");
        Assert.IsType<MarketResolution.Arbitration>(stage.Resolution);
        Assert.Equal((Ce(800), 400_00000000L), (stage.BalanceOf(Bob), stage.Resolution.BondUnits));
        Assert.Equal(DisputeErrors.AlreadyDisputed.Code, stage.Dispute(Ana, "NO").Rejection!.Code);
        stage.Rule("a1", "YES");
        stage.Rule("a2", "NO");
        stage.Rule("a3", "NO");
        Assert.Equal("NO", Assert.IsType<MarketResolution.Finished>(stage.Resolution).Decision.Value);
        Assert.Equal((Ce(1_100), Ce(150)), (stage.BalanceOf(Bob), stage.BalanceOf(AccountId.Insurance)));
    }

    [Fact]
    public void A_panel_that_is_silent_hands_over_and_silent_arbitrators_let_the_value_stand_with_the_bonds_given_back()
    {
        var stage = Determined();
        stage.Dispute(Ana, "NO");
        stage.Rule("p1", "NO");
        stage.Wait(Duration.FromHours(4));
        Assert.IsType<MarketResolution.Arbitration>(stage.Resolution);
        stage.Wait(Duration.FromHours(6));
        Assert.Equal("YES", Assert.IsType<MarketResolution.Finished>(stage.Resolution).Decision.Value);
        Assert.Equal((Ce(1_000), Ce(100), Ce(0)), (stage.BalanceOf(Ana), stage.BalanceOf(AccountId.ResolutionDesk), stage.BalanceOf(AccountId.Insurance)));
    }

    [Fact]
    public void Without_named_judges_two_operators_rule_who_had_no_part_in_the_value()
    {
        var rules = Mbp.Policies.BuiltInPolicies.Default.Rules;
        Assert.Equal((0, 0, null), (rules.Disputes!.Panel.Count, rules.Disputes.Arbitrators.Count, rules.Oracle));
        var stage = Closed(rules);
        stage.Wait(Duration.Zero);
        stage.Send(at => new ProposeManually(Rain, "YES", "urn:proof", "op-1", at));
        stage.Send(at => new ApproveManually(Rain, "op-2", at));
        stage.Dispute(Ana, "NO");
        Assert.Equal(DisputeErrors.TookPart.Code, Operator("op-1").Rejection!.Code);
        Assert.Equal(DisputeErrors.NotAJudge.Code, stage.Rule("p1", "NO").Rejection!.Code);
        Operator("op-3");
        Assert.IsType<MarketResolution.Disputed>(stage.Resolution);
        Operator("op-4");
        Assert.Equal("NO", Assert.IsType<MarketResolution.Determined>(stage.Resolution).Decision.Value);

        Mbp.Ledger.Decision<Mbp.Ledger.StreamEvent> Operator(string by) => stage.Send(at => new RecordRuling(Rain, 1, by, "NO", "urn:ruling", null, at));
    }

    [Fact]
    public void What_was_determined_is_taken_back_by_two_people_and_nothing_is_deleted()
    {
        var stage = Determined();
        var before = stage.Events.Count;
        stage.Send(at => new ProposeRollback(Rain, "a bad feed", "urn:incident", "op-1", at));
        Assert.Equal(ResolutionErrors.SameApprover.Code, stage.Send(at => new ApproveRollback(Rain, "op-1", at)).Rejection!.Code);
        stage.Send(at => new ApproveRollback(Rain, "op-2", at));
        Assert.IsType<MarketResolution.Collecting>(stage.Resolution);
        Assert.Equal(before + 2, stage.Events.Count);
        stage.Send(at => new ProposeManually(Rain, "NO", "urn:proof", "op-1", at));
        stage.Send(at => new ApproveManually(Rain, "op-2", at));
        stage.Wait(Window);
        // Final, not planned: still possible. Planned: no more.
        stage.Copy().Send(at => new ProposeRollback(Rain, "again", "urn:incident", "op-1", at)).Events.Single();
        stage.Plan();
        Assert.Equal(ResolutionErrors.AlreadySettling.Code, stage.Send(at => new ProposeRollback(Rain, "again", "urn:incident", "op-1", at)).Rejection!.Code);
    }

    [Fact]
    public void Whoever_is_poor_or_late_or_says_the_same_cannot_dispute()
    {
        var stage = Determined();
        Assert.Equal(DisputeErrors.SameValue.Code, stage.Dispute(Ana, "YES").Rejection!.Code);
        Assert.Equal("resolution.bad_value", stage.Dispute(Ana, "MAYBE").Rejection!.Code);
        Assert.Equal(AccountErrors.NotFound.Code, stage.Dispute(new AccountId("nobody"), "NO").Rejection!.Code);
        Assert.Equal(AccountErrors.Reserved.Code, stage.Dispute(AccountId.Insurance, "NO").Rejection!.Code);
        Assert.Equal(DisputeErrors.TooLate.Code, stage.Ask(new OpenDispute(Rain, Ana, "NO", "urn:x", "r", stage.Now + Window)).Rejection!.Code);
        stage.Wait(Window);
        Assert.Equal(ResolutionErrors.AlreadyFinal.Code, stage.Dispute(Ana, "NO").Rejection!.Code);
    }
}

using Mbp.Domain.Abuse;
using Mbp.Domain.Markets;
using Mbp.Domain.Markets.Halts;
using Mbp.Testing;
using NodaTime;

using static Mbp.Domain.Tests.Abuse.ProtectionStage;
using static Mbp.Domain.Tests.Markets.Terms;

namespace Mbp.Domain.Tests.Abuse;

/// <summary>Moderation beside other halts: an undo takes back its own case and nothing else (C27).</summary>
public sealed class ModerationTests
{
    private static readonly Duration Minute = Duration.FromMinutes(1);

    [Fact]
    public void An_undo_leaves_the_freeze_that_was_there_before()
    {
        var stage = new ProtectionStage(Default());
        var frozen = stage.Freeze();
        stage.Wait(Minute);
        stage.Moderate(ModerationKind.Pause);
        Is(stage, HaltLevel.Hard, HaltLevel.Hard, HaltRule.Moderation);
        stage.Wait(Minute);
        stage.Undo(1);
        Is(stage, HaltLevel.Hard, HaltLevel.None, HaltRule.Divergence);
        Assert.Equal((frozen, frozen + Duration.FromMinutes(5)), (stage.Halted!.Since, stage.Halted.ReopensAt));
        Honest(stage);
    }

    [Fact]
    public void An_undo_leaves_the_fifth_freeze_for_a_person()
    {
        var stage = new ProtectionStage(Default());
        stage.Freeze(held: true);
        stage.Moderate(ModerationKind.Pause);
        stage.Undo(1);
        Is(stage, HaltLevel.Hard, HaltLevel.Hard, HaltRule.Divergence);
    }

    [Fact]
    public void An_undo_leaves_the_freeze_that_came_in_slow_mode()
    {
        var stage = new ProtectionStage(Default());
        stage.Moderate(ModerationKind.Limit);
        stage.Wait(Minute);
        stage.Freeze();
        Is(stage, HaltLevel.Hard, HaltLevel.Soft, HaltRule.Divergence);
        stage.Undo(1);
        Is(stage, HaltLevel.Hard, HaltLevel.None, HaltRule.Divergence);
        Honest(stage);
    }

    [Fact]
    public void A_limit_that_came_in_a_freeze_does_not_make_it_longer()
    {
        var stage = new ProtectionStage(Default());
        var frozen = stage.Freeze();
        stage.Wait(Minute);
        stage.Moderate(ModerationKind.Limit);
        Is(stage, HaltLevel.Hard, HaltLevel.Soft, HaltRule.Moderation);
        Assert.Equal((frozen, frozen + Duration.FromMinutes(5)), (stage.Halted!.Since, stage.Halted.ReopensAt));
        stage.Undo(1);
        Is(stage, HaltLevel.Hard, HaltLevel.None, HaltRule.Divergence);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_undo_leaves_an_operators_halt_whichever_came_first(bool operatorFirst)
    {
        var stage = new ProtectionStage(Default());
        if (operatorFirst)
        {
            stage.Halt(HaltLevel.Hard);
        }

        stage.Moderate(ModerationKind.Pause);
        if (!operatorFirst)
        {
            Assert.NotEmpty(stage.Halt(HaltLevel.Hard).Events);
        }

        stage.Undo(1);
        Is(stage, HaltLevel.Hard, HaltLevel.Hard, HaltRule.Manual);
        Assert.Equal("by hand", stage.Halted!.Reason);
        Honest(stage);
    }

    [Fact]
    public void An_undo_goes_back_to_the_level_of_the_cases_that_are_left()
    {
        var stage = new ProtectionStage(Default());
        stage.Moderate(ModerationKind.Limit);
        stage.Moderate(ModerationKind.Pause);
        stage.Undo(2);
        Is(stage, HaltLevel.Soft, HaltLevel.Soft, HaltRule.Moderation);
        Assert.Empty(stage.Undo(1).Events.Where(e => e.Event is MarketHalted));
        Assert.Null(stage.Halted);
        Honest(stage);
    }

    [Fact]
    public void An_undo_goes_back_to_slow_mode_by_rule()
    {
        var stage = new ProtectionStage(Default());
        stage.Slow();
        var slow = stage.Now;
        stage.Wait(Minute);
        stage.Moderate(ModerationKind.Pause);
        stage.Undo(1);
        Is(stage, HaltLevel.Soft, HaltLevel.None, HaltRule.Window);
        Assert.Equal(slow, stage.Halted!.Since);
    }

    [Fact]
    public void An_undo_with_nothing_left_resumes_as_it_did()
    {
        var stage = new ProtectionStage(Default());
        stage.Moderate(ModerationKind.Pause);
        GivenEvents.When(stage.Undo(1)).Then(
            Rain.Stream.With(new MarketResumed("moderation undone", Noon)), Rain.Abuse.With(new ModerationUndone(1, "explained", ["op-1"], Noon)));
        Honest(stage);
    }

    [Fact]
    public void A_person_who_resumes_takes_the_cases_back_that_held_the_market()
    {
        var stage = new ProtectionStage(Default());
        stage.Moderate(ModerationKind.Limit);
        stage.Moderate(ModerationKind.Pause);
        GivenEvents.When(stage.Resume()).Then(
            Rain.Abuse.With(new ModerationUndone(1, "fine", ["op-1"], Noon)), Rain.Abuse.With(new ModerationUndone(2, "fine", ["op-1"], Noon)),
            Rain.Stream.With(new MarketResumed("fine", Noon)));
        Assert.All(stage.Market.Moderation.Cases, one => Assert.Equal(CaseState.Undone, one.State));
        Honest(stage);
    }

    [Fact]
    public void A_ledger_from_before_that_is_still_good()
    {
        var stage = new ProtectionStage(Default());
        stage.Moderate(ModerationKind.Pause);
        stage.Write(MarketDecider.Decider.Decide(new ResumeMarket("fine", Noon), stage.Market.Market).On(Rain.Stream));
        Honest(stage);
    }

    [Fact]
    public void A_slow_mode_by_hand_holds_after_the_freeze()
    {
        // Without prices that move the freeze is forged, and its end is judged.
        var stage = new ProtectionStage(Default()) { Now = Noon + Duration.FromMinutes(20) };
        var frozen = stage.Freeze();
        stage.Wait(Minute);
        GivenEvents.When(stage.Halt(HaltLevel.Soft)).Then(Rain.Stream.With(new MarketHalted(
            HaltLevel.Hard, "by hand", stage.Now, HaltRule.Manual, HaltLevel.Soft, ReopensAt: frozen + Duration.FromMinutes(5))));
        GivenEvents.When(stage.Halt(HaltLevel.Soft)).Then();
        stage.Now = frozen + Duration.FromMinutes(5);
        Assert.IsType<MarketHaltEased>(stage.Judge(stage.Now).Events.Single().Event);
        stage.Wait(Duration.FromHours(1));
        Assert.Empty(stage.Judge(stage.Now).Events);
        Is(stage, HaltLevel.Soft, HaltLevel.Soft, HaltRule.Manual);
    }

    [Fact]
    public void A_slow_mode_by_hand_in_a_pause_stays_when_the_pause_is_undone()
    {
        var stage = new ProtectionStage(Default());
        stage.Moderate(ModerationKind.Pause);
        stage.Halt(HaltLevel.Soft);
        Is(stage, HaltLevel.Hard, HaltLevel.Hard, HaltRule.Manual);
        stage.Undo(1);
        Is(stage, HaltLevel.Soft, HaltLevel.Soft, HaltRule.Manual);
        Honest(stage);
    }

    [Fact]
    public void Who_proposed_a_clawback_withdraws_it_and_nobody_else()
    {
        var stage = new ProtectionStage(Default());
        stage.Moderate(new Measure(ModerationKind.Clawback, Ana, Ce(1), "urn:case"), "op-1");
        GivenEvents.When(stage.Undo(1, "op-2")).ThenRejected("moderation.not_in_force", "number");
        GivenEvents.When(stage.Undo(1, "op-1")).Then(Rain.Abuse.With(new ModerationUndone(1, "explained", ["op-1"], Noon)));
        GivenEvents.When(stage.Moderate(new ApproveModeration(Rain, 1, "op-2", Noon))).ThenRejected("moderation.nothing_proposed", "number");
        Assert.Equal(Ce(1_000_000).Units, stage.States.BalanceUnits(Ana));
        Honest(stage);
    }

    private static void Is(ProtectionStage stage, HaltLevel level, HaltLevel heldAt, HaltRule rule) =>
        Assert.Equal((level, heldAt, rule), (stage.Halted?.Level, stage.Halted?.HeldAt, stage.Halted?.Rule));

    /// <summary>The audit decides again what was decided; the freezes that were forged are none of its business here.</summary>
    private static void Honest(ProtectionStage stage) => Assert.DoesNotContain(stage.Audit.Faults, fault => !fault.What.Contains("divergence", StringComparison.Ordinal) && !fault.What.Contains("Divergence", StringComparison.Ordinal));
}

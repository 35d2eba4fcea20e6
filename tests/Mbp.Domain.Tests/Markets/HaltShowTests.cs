using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Tests.Abuse;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using NodaTime;

using static Mbp.Domain.Tests.Abuse.ProtectionStage;
using static Mbp.Domain.Tests.Markets.Terms;

namespace Mbp.Domain.Tests.Markets;

/// <summary>What a halted market says of its end, and when a pool is too shallow.</summary>
public sealed class HaltShowTests
{
    private static readonly Ruleset Lasting = Default() with { Halts = Default().Halts! with { LastingDepth = true } };

    [Fact]
    public void When_the_rules_change_in_a_freeze_the_market_tells_the_new_end()
    {
        var stage = new ProtectionStage(Default());
        var frozen = stage.Freeze();
        Assert.Equal(frozen + Duration.FromMinutes(5), HaltJudge.ReopensAt(stage.Market.Market));
        stage.Activate(Default() with { Version = "v1.3.0", Halts = Default().Halts! with { CooldownSeconds = 3_600 } });
        Assert.Equal(frozen + Duration.FromHours(1), HaltJudge.ReopensAt(stage.Market.Market));
        Assert.Contains("no earlier than 2025-09-10T13:00:00Z", Told(stage), StringComparison.Ordinal);
    }

    [Fact]
    public void Under_rules_without_halts_a_frozen_market_says_that_a_person_lifts_it()
    {
        var stage = new ProtectionStage(Default());
        stage.Freeze();
        stage.Activate(Default() with { Version = "v1.3.0", Halts = null, Freeze = null });
        Assert.Null(HaltJudge.ReopensAt(stage.Market.Market));
        Assert.Contains("A person must lift it.", Told(stage), StringComparison.Ordinal);
    }

    [Fact]
    public void A_freeze_that_became_slow_mode_is_no_freeze_to_the_hooks()
    {
        Assert.Equal("freeze", HaltHook.Of(HaltRule.Divergence, HaltLevel.Hard)!.Action);
        Assert.Equal("alert", HaltHook.Of(HaltRule.Divergence, HaltLevel.Soft)!.Action);
        Assert.Equal("alert", HaltHook.Of(HaltRule.Band, HaltLevel.Warn)!.Action);
    }

    [Fact]
    public void Depth_that_came_and_went_is_no_depth_that_was_lost()
    {
        var stage = new ProtectionStage(Lasting, liquidity: 10_000);
        stage.Add(Ana, 12_000);
        stage.Wait(Duration.FromMinutes(59));
        stage.RemoveAll(Ana);
        Assert.Null(Shallow(stage));
        stage.Wait(Duration.FromHours(3));
        Assert.Null(Shallow(stage));
    }

    [Fact]
    public void Depth_that_held_for_an_hour_is_missed()
    {
        var stage = new ProtectionStage(Lasting, liquidity: 10_000);
        stage.Add(Ana, 12_000);
        stage.Wait(Duration.FromHours(2));
        stage.RemoveAll(Ana);
        Assert.NotNull(Shallow(stage));
    }

    [Fact]
    public void The_depth_of_the_opening_counts_at_once()
    {
        var stage = new ProtectionStage(Lasting with { Trading = Lasting.Trading with { SeedLocked = false } }, liquidity: 20_000);
        stage.Trade(new RemoveLiquidity(Rain, House, LpShares.FromUnits(15_000 * Decimal8.One), Noon));
        Assert.NotNull(Shallow(stage));
    }

    [Fact]
    public void Under_rules_of_before_any_depth_counts()
    {
        var stage = new ProtectionStage(Default() with { Halts = Default().Halts! with { LastingDepth = null } }, liquidity: 10_000);
        stage.Add(Ana, 12_000);
        stage.RemoveAll(Ana);
        Assert.NotNull(Shallow(stage));
    }

    private static Shares? Shallow(ProtectionStage stage) => HaltJudge.Shallow(stage.Market.Market.Policy()!.Rules.Halts!, stage.Market.Pool, stage.Now);

    private static string Told(ProtectionStage stage) => MarketDecider.WhyNoTrade(stage.Market.Market, stage.Now)!.Message;
}

using Mbp.Domain.Audit;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using Mbp.Policies;
using Mbp.Testing;
using NodaTime;

using static Mbp.Domain.Tests.Abuse.ProtectionStage;
using static Mbp.Domain.Tests.Markets.Terms;

namespace Mbp.Domain.Tests.Abuse;

/// <summary>Caps and liquidity (D17): what liquidity turns into shares is at stake like any other share, and what stays in the pool is not.</summary>
public sealed class LiquidityCapTests
{
    [Fact]
    public void Shares_that_come_back_from_liquidity_count_to_the_exposure()
    {
        // At 0.75 two thirds of an addition come back as YES: half of what was paid is at stake.
        var stage = new ProtectionStage(Default(), liquidity: 3_000, percent: 75);
        GivenEvents.When(stage.Add(Ana, 2_000.1m)).ThenRejected("trading.max_exposure_per_user", "amount");
        Accepted(stage.Add(Ana, 2_000));
        GivenEvents.When(stage.Buy(Ana, 1)).ThenRejected("trading.max_exposure_per_user", "amount");
        Accepted(stage.Buy(Bob, 1));
    }

    [Fact]
    public void Shares_that_are_left_when_liquidity_goes_count_as_well()
    {
        var stage = new ProtectionStage(Default(), liquidity: 3_000, percent: 75);
        Accepted(stage.Add(Ana, 1_000));
        Accepted(stage.RemoveAll(Ana));
        // 666.67 sets of shares are hers, and cost what sets cost.
        Assert.InRange(stage.Market.Pool.HolderOf(Ana).LiquidityUnits, 666 * Decimal8.One, 667 * Decimal8.One);
        GivenEvents.When(stage.Buy(Ana, 340)).ThenRejected("trading.max_exposure_per_user", "amount");
    }

    [Fact]
    public void Liquidity_that_turns_into_no_shares_is_free_of_caps()
    {
        var stage = new ProtectionStage(Default(), liquidity: 10_000);
        Accepted(stage.Add(Ana, 75_000));
        Accepted(stage.Buy(Ana, 1_000));
        Accepted(stage.Add(Bob, 75_000));
    }

    [Fact]
    public void No_addition_brings_the_open_interest_above_its_cap()
    {
        var stage = new ProtectionStage(Default(), liquidity: 15_000, percent: 75);
        var refused = stage.Add(Ana, 10);
        Assert.Equal(("trading.max_open_interest", "amount", "caps.binary.max_open_interest"), (refused.Rejection?.Code, refused.Rejection?.Field, refused.Rejection?.Rule));
        Assert.Empty(stage.Audit.Faults);
    }

    [Fact]
    public void A_market_is_not_opened_above_the_cap()
    {
        _ = new ProtectionStage(Default(), out var opening, liquidity: 15_000.00000002m, percent: 75);
        Assert.Equal(
            ("trading.max_open_interest", "liquidity", "caps.binary.max_open_interest"), (opening.Rejection?.Code, opening.Rejection?.Field, opening.Rejection?.Rule));
        _ = new ProtectionStage(Default(), out var atTheCap, liquidity: 15_000, percent: 75);
        Assert.Null(atTheCap.Rejection);
    }

    [Fact]
    public void Liquidity_leaves_whatever_the_caps_say()
    {
        var stage = new ProtectionStage(Default(false), liquidity: 3_000, percent: 75);
        Accepted(stage.Add(Ana, 9_000));
        stage.Activate(Default() with { Version = "v1.3.0" });
        Accepted(stage.RemoveAll(Ana));
    }

    [Fact]
    public void Under_rules_that_do_not_look_at_liquidity_it_is_asked_nothing()
    {
        var stage = new ProtectionStage(Default(false), liquidity: 15_000, percent: 75);
        for (var i = 0; i < 20; i++)
        {
            Accepted(stage.Add(Ana, 100));
            Accepted(stage.RemoveAll(Ana));
        }

        Accepted(stage.Buy(Ana, 100, "NO"), "trading.max_open_interest");
    }

    [Fact]
    public void Changes_of_liquidity_count_to_the_rate()
    {
        var stage = new ProtectionStage(Default());
        for (var i = 0; i < 15; i++)
        {
            Accepted(stage.Add(Ana, 1));
            Accepted(stage.RemoveAll(Ana));
        }

        GivenEvents.When(stage.Add(Ana, 1)).ThenRejected("trading.max_trade_rate");
        GivenEvents.When(stage.RemoveAll(Ana)).ThenRejected("trading.max_trade_rate");
        GivenEvents.When(stage.Buy(Ana, 1)).ThenRejected("trading.max_trade_rate");
        Accepted(stage.Add(Bob, 1));
        stage.Wait(Duration.FromMinutes(1));
        Accepted(stage.Add(Ana, 1));
        Assert.Empty(stage.Audit.Faults);
    }

    [Fact]
    public void Trades_count_that_were_made_while_the_rules_had_no_cap()
    {
        var stage = new ProtectionStage(BuiltInPolicies.Replay.Rules);
        for (var i = 0; i < 30; i++)
        {
            Accepted(stage.Buy(Ana, 1));
        }

        stage.Activate(Default());
        GivenEvents.When(stage.Buy(Ana, 1)).ThenRejected("trading.max_trade_rate");
        Accepted(stage.Buy(Bob, 1));
    }

    [Fact]
    public void The_audit_counts_by_itself_what_a_decider_let_through()
    {
        Finds(stage => stage.Market.Pool.HolderOf(Ana).LpShares, new AddLiquidity(Rain, Ana, Ce(3_000), Noon), Default(), 3_000, 75);
        Finds(_ => default, new AddLiquidity(Rain, Ana, Ce(10), Noon), Default(), 15_000, 75);

        var busy = new ProtectionStage(Default());
        Accepted(busy.Buy(Ana, 100));
        for (var i = 0; i < 29; i++)
        {
            Accepted(busy.Buy(Ana, 1));
        }

        Forged(busy, new SellShares(Rain, Ana, "late", "YES", Shares.FromUnits(Decimal8.One), null, Noon));

        var slow = new ProtectionStage(Default());
        slow.Halt(HaltLevel.Soft);
        for (var i = 0; i < 15; i++)
        {
            Accepted(slow.Buy(Ana, 1));
        }

        Forged(slow, new BuyShares(Rain, Ana, "late", "YES", Ce(1), null, Noon));

        static void Finds(Func<ProtectionStage, LpShares> _, TradeCommand command, Ruleset rules, long liquidity, int percent) => Forged(new ProtectionStage(rules, liquidity, percent), command);
    }

    /// <summary>Writes what the rules refuse as if they had not.</summary>
    private static void Forged(ProtectionStage stage, TradeCommand command)
    {
        Assert.NotNull(stage.Decide(command).Rejection);
        Assert.Equal(0, stage.Audit.FaultsOf(Check.RiskCaps));
        var account = (Mbp.Domain.Accounts.Account.Open)stage.States.Account(command.Account);
        var forged = TradeDecider.Post(command, TradeDecider.Change(command, stage.Market.Pool, null).Events, account);
        stage.Write(forged);
        Assert.Equal(1, stage.Audit.FaultsOf(Check.RiskCaps));
    }

    private static void Accepted(Decision<StreamEvent> decision, string? instead = null) => Assert.Equal(instead, decision.Rejection?.Code);
}

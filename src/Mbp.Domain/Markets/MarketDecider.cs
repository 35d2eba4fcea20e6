using Mbp.Domain.Abuse;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Pricing;
using Mbp.Domain.Resolution;
using Mbp.Domain.Settlement;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Markets;

/// <summary>Halting, resuming, changing the rules and closing. Creating a market is <see cref="CreateMarketDecider"/>'s.</summary>
public static class MarketDecider
{
    /// <summary>What a void pays is the price over this long before the close (D7).</summary>
    public static readonly Duration VoidWindow = Duration.FromHours(24);

    public static readonly Decider<MarketCommand, MarketEvent, Market> Decider = new(Market.Initial, Decide, Market.Evolve);

    /// <summary>Closing fixes the 24-hour price of every outcome, so it also reads the market's price history.</summary>
    public static Decision<MarketEvent> Close(CloseMarket command, Market market, PriceHistory history)
    {
        Decision<MarketEvent> decision = market switch
        {
            Market.Unknown => MarketErrors.NotFound,
            Market.Closed => MarketErrors.AlreadyClosed,
            _ => [new MarketClosed(command.Reason, Twap24h(history, command.At), command.At)],
        };
        return decision.Under(market.Policy()?.Hash);
    }

    /// <summary>The halt rules at a tick (spec D13); they also read the market's prices and its pool's depth.</summary>
    public static Decision<MarketEvent> Judge(JudgeMarket c, Market market, PriceTrack track, Pool pool)
    {
        ArgumentNullException.ThrowIfNull(c);
        ArgumentNullException.ThrowIfNull(pool);
        if (market.Policy()?.Rules is not { Halts: { } halts } rules || Standing(market) is not { } standing || !pool.IsOpen
            || !PriceTrack.IsTick(c.Tick) || c.Tick > c.At || c.Tick <= standing.History.Judged)
        {
            return [];
        }

        Decision<MarketEvent> decision = HaltJudge.At(c.Tick, rules, standing, track, HaltJudge.OutcomesOf(pool), HaltJudge.Shallow(halts, pool, c.Tick)) switch
        {
            null => [],
            { Rule: { } rule } step => [new MarketHalted(step.To, Words.Of(rule), c.At, rule, step.HeldAt, c.Tick, step.ReopensAt, step.Evidence)],
            { To: HaltLevel.None } step => [new MarketResumed("rule", c.At, c.Tick, step.Evidence)],
            var step => [new MarketHaltEased(step.To, c.Tick, c.At, step.Evidence)],
        };
        return decision.Under(market.Policy()?.Hash);
    }

    /// <summary>
    /// A person resumes a market: of any halt, also of one by rule, and of the moderation cases that stop or slow it. A case that stayed in force
    /// without effect would tell moderators that the market is stopped when it is not.
    /// </summary>
    public static Decision<StreamEvent> Resume(ResumeMarket c, Market market, Moderation cases)
    {
        ArgumentNullException.ThrowIfNull(c);
        ArgumentNullException.ThrowIfNull(cases);
        var resumed = Decide(c, market);
        if (resumed.Rejection is { } refused)
        {
            return refused;
        }

        var id = market.Terms()!.MarketId;
        Decision<StreamEvent> decision =
        [
            .. c.By is not { } by ? [] : cases.Halting().Select(one => id.Abuse.With(new ModerationUndone(one.Number, c.Reason, [by], c.At))),
            .. resumed.On(id.Stream).Events,
        ];
        return decision.Under(market.Policy()?.Hash);
    }

    /// <summary>Freezes a closed market that has no final value in time: from here on only people move it on.</summary>
    public static Decision<StreamEvent> Freeze(FreezeOverdue c, Market market, MarketResolution resolution)
    {
        ArgumentNullException.ThrowIfNull(c);
        if (market.Terms() is not { MarketId: var id } || ResolutionDeadlines.OverdueAt(market, resolution) is not { } due || due > c.At)
        {
            return (market is Market.Unknown ? (Decision<StreamEvent>)MarketErrors.NotFound : []).Under(market.Policy()?.Hash);
        }

        var halted = id.Stream.With(new MarketHalted(HaltLevel.Hard, "resolution_sla", c.At, HaltRule.Sla, HaltLevel.Hard));
        // Rule sets from before there was a void by time knew no event of the resolution for this, and what was decided under them stays decided.
        Decision<StreamEvent> decision = market.Policy()?.Rules.Resolution.VoidHours is null ? [halted] : [halted, id.Resolution.With(new ResolutionSlaBreached(due, c.At))];
        return decision.Under(market.Policy()?.Hash);
    }

    /// <summary>Puts a market under a published version of a rule set (C20).</summary>
    /// <param name="c">What is asked.</param>
    /// <param name="name">The rule set's name.</param>
    /// <param name="market">The market.</param>
    /// <param name="library">The rule set's versions.</param>
    public static Decision<MarketEvent> Activate(ActivateRuleset c, string name, Market market, RulesetLibrary library)
    {
        ArgumentNullException.ThrowIfNull(c);
        ArgumentNullException.ThrowIfNull(library);
        Decision<MarketEvent> decision = market is Market.Unknown ? MarketErrors.NotFound
            : library.Find(c.Version) is not { } policy ? RulesetErrors.Unknown(name, c.Version)
            : market.Policy() == policy ? []
            : [new RulesetActivated(policy.Rules.Name, policy.Rules.Version, policy.Hash, policy, c.Reason, c.At)];
        return decision.Under(market.Policy()?.Hash);
    }

    /// <summary>Whether anybody may trade now: open, before its closing time, and not halted hard.</summary>
    public static Rejection? WhyNoTrade(Market market, Instant at) => market switch
    {
        Market.Unknown => MarketErrors.NotFound,
        Market.Closed => MarketErrors.Closed,
        // The closing event may be written a moment later; the closing time holds to the microsecond all the same.
        _ when at >= market.Terms()!.ClosesAt => MarketErrors.Closed,
        Market.Halted { Level: HaltLevel.Hard } halted => MarketErrors.Halted(halted),
        _ => null,
    };

    private static HaltStanding? Standing(Market market) => market switch
    {
        Market.Open open => new HaltStanding(HaltLevel.None, Instant.MinValue, HaltLevel.None, open.Halts),
        Market.Halted halted => new HaltStanding(halted.Level, halted.Since, halted.HeldAt, halted.Halts),
        _ => null,
    };

    private static Decision<MarketEvent> Decide(MarketCommand command, Market market) => Answer(command, market).Under(market.Policy()?.Hash);

    private static Decision<MarketEvent> Answer(MarketCommand command, Market market) => (command, market) switch
    {
        (_, Market.Unknown) => MarketErrors.NotFound,

        (RollBackRuleset c, _) => market.Rules() is { Earlier: { Count: > 0 } earlier }
            ? [new RulesetRolledBack(earlier[^1].Rules.Name, earlier[^1].Rules.Version, earlier[^1].Hash, c.Reason, c.At)]
            : RulesetErrors.NoEarlier,

        (_, Market.Closed) => MarketErrors.AlreadyClosed,

        // A person's halt only grows.
        (HaltMarket c, Market.Halted { Layers.Manual: { } manual }) when c.Level <= manual.Level => [],
        // Below the level that the market has it is in force once others let go of it: rules, or moderators.
        (HaltMarket c, Market.Halted halted) when c.Level < halted.Level => [Held(c, halted)],
        (HaltMarket c, _) => [new MarketHalted(c.Level, c.Reason, c.At, HaltRule.Manual, c.Level)],

        (ResumeMarket c, Market.Halted) => [new MarketResumed(c.Reason, c.At)],
        (ResumeMarket, _) => MarketErrors.NotHalted,

        _ => throw new InvalidOperationException($"{command.GetType().Name} has no decision."),
    };

    private static MarketHalted Held(HaltMarket c, Market.Halted halted)
    {
        var held = c.Level > halted.HeldAt ? c.Level : halted.HeldAt;
        return new MarketHalted(
            halted.Level, c.Reason, c.At, HaltRule.Manual, held, ReopensAt: halted.ReopensAt, Asked: c.Level < held ? c.Level : null);
    }

    private static EquatableArray<Price> Twap24h(PriceHistory history, Instant at) =>
        history.Twap(at, VoidWindow) is { } twap
            ? PayoutVector.Void(twap).Shares
            : throw new InvalidOperationException("A market that opened has a price.");
}

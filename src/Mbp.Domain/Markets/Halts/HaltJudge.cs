using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Pricing;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Markets.Halts;

/// <summary>Where a market stands when a tick is judged.</summary>
/// <param name="Level">Its level.</param>
/// <param name="Since">When that began: the tick, or a person's time.</param>
/// <param name="HeldAt">Rules do not ease it below this.</param>
/// <param name="History">What was before.</param>
public readonly record struct HaltStanding(HaltLevel Level, Instant Since, HaltLevel HeldAt, HaltHistory History);

/// <summary>A change of level that the rules call for.</summary>
/// <param name="To">The new level.</param>
/// <param name="Rule">What calls for it; null = the way back.</param>
/// <param name="HeldAt">Up only: where a person must end it.</param>
/// <param name="ReopensAt">Into Hard only: no rule eases it earlier.</param>
/// <param name="Evidence">What it rests on.</param>
public sealed record HaltStep(HaltLevel To, HaltRule? Rule, HaltLevel HeldAt, Instant? ReopensAt, HaltEvidence Evidence);

/// <summary>
/// The halt rules at one tick (spec 3.8, 3.9, D11, D13), as a function of the prices and of what the ledger says of earlier halts. Nothing is kept
/// between ticks: breaches, samples and clean windows are looked up again in the track, so a tick costs no event unless the level changes, and a
/// tick that is judged late or again gives what it gave.
/// </summary>
public static class HaltJudge
{
    public static readonly Duration Window = Duration.FromMinutes(5);

    private static readonly Duration Tick = PriceTrack.TickLength;

    /// <param name="tick">A multiple of 30 s.</param>
    /// <param name="rules">The rule set in force.</param>
    /// <param name="standing">The market's level and its history.</param>
    /// <param name="track">Its prices.</param>
    /// <param name="outcomes">How many outcomes are judged: one of a pair, all of several.</param>
    /// <param name="shallow">Depth@2% now, where it is below the floor.</param>
    /// <returns>The change of level; null = none.</returns>
    public static HaltStep? At(Instant tick, Ruleset rules, HaltStanding standing, PriceTrack track, int outcomes, Shares? shallow)
    {
        ArgumentNullException.ThrowIfNull(rules);
        ArgumentNullException.ThrowIfNull(track);
        // A tick before the first quote has no price to judge.
        if (rules.Halts is not { } halts || track.First is not { } first || tick < first)
        {
            return null;
        }

        var view = new TickView(tick, track, outcomes);
        return Up(view, rules.Freeze, halts, standing, shallow) is { } up ? up : Down(view, halts, standing, shallow);
    }

    /// <summary>How many outcomes of a pool are judged: one of a pair, all of several.</summary>
    public static int OutcomesOf(Pool pool) => pool.Outcomes.Count == 2 ? 1 : pool.Outcomes.Count;

    /// <summary>
    /// Depth@2% now, where it is below the floor. A market that never had the depth did not lose it; nor did one to which somebody brought it and took it
    /// away again, where the rules ask for depth that lasted.
    /// </summary>
    /// <param name="halts">The rules.</param>
    /// <param name="pool">The pool.</param>
    /// <param name="at">As of when.</param>
    public static Shares? Shallow(HaltRules halts, Pool pool, Instant at) =>
        halts.DepthFloor is { } floor && (halts.LastingDepth == true ? pool.LastingDepthAt(at) : pool.Deepest) >= floor && Depth.Of(pool.Reserves.AsSpan(), 0).Shares is var now && now < floor ? now : null;

    /// <summary>
    /// When rules ease a freeze no earlier, by the rule set in force now: it may be another than the one that the market froze under. Null = only a person
    /// ends it, or it is no freeze.
    /// </summary>
    public static Instant? ReopensAt(Market market) =>
        market is Market.Halted { Level: HaltLevel.Hard, HeldAt: < HaltLevel.Hard } halted && halted.Rules.Policy?.Rules.Halts is { } halts
            ? halted.Since + Cooldown(halts, halted.Halts.HardEntries.Count)
            : null;

    private static HaltStep? Up(TickView view, FreezeRules? freeze, HaltRules halts, HaltStanding standing, Shares? shallow)
    {
        if (standing.Level == HaltLevel.Hard)
        {
            return null;
        }

        var (level, rule, evidence) = Highest(view, freeze, halts, standing, shallow);
        if (evidence is null || level <= standing.Level)
        {
            return null;
        }

        if (level != HaltLevel.Hard)
        {
            return new HaltStep(level, rule, standing.HeldAt, null, evidence);
        }

        var entries = standing.History.HardEntriesWith(view.At);
        return entries > halts.MaxReopenings
            ? new HaltStep(level, rule, HaltLevel.Hard, null, evidence)
            : new HaltStep(level, rule, standing.HeldAt, view.At + Cooldown(halts, entries), evidence);
    }

    private static (HaltLevel Level, HaltRule Rule, HaltEvidence? Evidence) Highest(
        TickView view, FreezeRules? freeze, HaltRules halts, HaltStanding standing, Shares? shallow)
    {
        var breaches = freeze?.Divergence is { } r1 ? Breaches(view, r1, standing.History) : default;
        if (breaches.Count > 0 && breaches.Count >= freeze!.Divergence!.Windows)
        {
            return (HaltLevel.Hard, HaltRule.Divergence, view.Evidence(breaches.Outcome, view.At - Window * breaches.Count, count: breaches.Count));
        }

        if (freeze?.Band is { } r2 && Outside(view, r2, standing.History) is { } outside)
        {
            return (HaltLevel.Hard, HaltRule.Band, outside);
        }

        if (breaches.Count > 0)
        {
            return (HaltLevel.Soft, HaltRule.Window, view.Evidence(breaches.Outcome, view.At - Window, count: 1));
        }

        if (shallow is { } depth)
        {
            return (HaltLevel.Soft, HaltRule.Depth, view.Evidence(0, view.At - Window, depth: depth));
        }

        return view.FirstBeyond(view.At, halts.WarnBps) is { } far ? (HaltLevel.Warn, HaltRule.Distance, view.Evidence(far, view.At - Window)) : default;
    }

    /// <summary>R1: how many 5-minute ends in a row, this tick the last of them, were breaches since Hard last ended.</summary>
    private static (int Count, int Outcome) Breaches(TickView view, DivergenceRule rule, HaltHistory history)
    {
        var (count, outcome) = (0, 0);
        for (var end = view.At; TickView.IsWindowEnd(end) && count < rule.Windows && IsAfter(end, history.HardEnded) && view.FirstBeyond(end, rule.MaxBps) is { } far; end -= Window)
        {
            (count, outcome) = (count + 1, count == 0 ? far : outcome);
        }

        return (count, outcome);
    }

    /// <summary>R2: the sample at this tick lies outside, and with it so many of its window do.</summary>
    private static HaltEvidence? Outside(TickView view, BandRule rule, HaltHistory history)
    {
        // A sample on a window's end belongs to the window that ends there; the reference is the one before.
        var begin = TickView.WindowEndBefore(view.At);
        if (view.Covered(begin) is not { } reference)
        {
            return null;
        }

        for (var outcome = 0; outcome < view.Outcomes; outcome++)
        {
            if (!reference.IsOutside99Band(outcome, view.PriceAt(view.At, outcome), rule.MinBps))
            {
                continue;
            }

            var count = 0;
            for (var at = begin + Tick; at <= view.At; at += Tick)
            {
                count += IsAfter(at, history.HardEnded) && reference.IsOutside99Band(outcome, view.PriceAt(at, outcome), rule.MinBps) ? 1 : 0;
            }

            if (count >= rule.Samples && IsAfter(view.At, history.HardEnded))
            {
                return view.Evidence(outcome, begin - Window, reference.Sums[outcome], count);
            }
        }

        return null;
    }

    private static HaltStep? Down(TickView view, HaltRules halts, HaltStanding standing, Shares? shallow)
    {
        if (standing.Level <= standing.HeldAt)
        {
            return null;
        }

        var eased = standing.Level switch
        {
            HaltLevel.Hard => view.At >= standing.Since + Cooldown(halts, standing.History.HardEntries.Count) && view.IsWithin(view.At, halts.EaseHardBps),
            HaltLevel.Soft => shallow is null && TickView.IsWindowEnd(view.At) && view.At - Window > standing.Since
                              && view.IsWithin(view.At, halts.EaseSoftBps) && view.IsWithin(view.At - Window, halts.EaseSoftBps),
            HaltLevel.Warn => TickView.IsWindowEnd(view.At) && view.IsWithinSince(view.At - Window, halts.EaseWarnBps),
            _ => false,
        };
        return eased ? new HaltStep(standing.Level - 1, null, standing.HeldAt, null, view.Evidence(0, view.At - Window)) : null;
    }

    private static Duration Cooldown(HaltRules halts, int entries) => Duration.FromSeconds((long)halts.CooldownSeconds << Math.Clamp(entries - 1, 0, 20));

    private static bool IsAfter(Instant at, Instant? bound) => bound is null || at > bound;

    /// <summary>The prices as one tick sees them. Averages that are asked for twice are worked out once.</summary>
    private sealed class TickView(Instant at, PriceTrack track, int outcomes)
    {
        private readonly Dictionary<Instant, Twap?> _averages = [];

        public Instant At => at;

        public int Outcomes => outcomes;

        public static bool IsWindowEnd(Instant instant) => instant.ToUnixTimeTicks() % Window.BclCompatibleTicks == 0;

        /// <summary>The last window's end strictly before an instant.</summary>
        public static Instant WindowEndBefore(Instant instant) =>
            Instant.FromUnixTimeTicks((instant.ToUnixTimeTicks() - 1) / Window.BclCompatibleTicks * Window.BclCompatibleTicks);

        /// <summary>The average over the 5 minutes before an instant; null where the market is too young for it: such a window is not judged.</summary>
        public Twap? Covered(Instant instant)
        {
            if (!_averages.TryGetValue(instant, out var twap))
            {
                _averages[instant] = twap = track.First <= instant - Window ? track.Twap(instant, Window) : null;
            }

            return twap;
        }

        public Price PriceAt(Instant instant, int outcome) => track.PricesAt(instant)[outcome];

        /// <summary>The first outcome that is further than so much from its average at an instant.</summary>
        public int? FirstBeyond(Instant instant, int basisPoints)
        {
            for (var outcome = 0; outcome < outcomes; outcome++)
            {
                if (Covered(instant) is { } twap && twap.DivergesBeyond(outcome, basisPoints))
                {
                    return outcome;
                }
            }

            return null;
        }

        /// <summary>Whether the window that ends at an instant was judged, and no outcome was further than so much.</summary>
        public bool IsWithin(Instant instant, int basisPoints) => Covered(instant) is not null && FirstBeyond(instant, basisPoints) is null;

        /// <summary>The same for every tick after an instant.</summary>
        public bool IsWithinSince(Instant after, int basisPoints)
        {
            for (var tick = after + Tick; tick <= at; tick += Tick)
            {
                if (!IsWithin(tick, basisPoints))
                {
                    return false;
                }
            }

            return true;
        }

        public HaltEvidence Evidence(int outcome, Instant from, PriceSum? reference = null, int? count = null, Shares? depth = null)
        {
            var twap = track.Twap(at, Window)!;
            return new HaltEvidence(
                outcome, twap.Current[outcome], twap.Average(outcome), twap.DivergencePpm(outcome), twap.Sums[outcome], reference, count, depth,
                track.VersionAt(Instant.Max(from, track.First!.Value)), track.VersionAt(at));
        }
    }
}

using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Pricing;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Markets.Halts;

/// <summary>
/// The levels that a rule set's halt rules alone give a market, tick after tick, with no ledger: for golden cases, for series of prices, and for
/// what would have been under other rules.
/// </summary>
/// <param name="rules">The rule set.</param>
/// <param name="outcomes">How many outcomes are judged: one of a pair, all of several.</param>
public sealed class HaltRun(Ruleset rules, int outcomes)
{
    /// <summary>The level after the last tick, and what was before.</summary>
    public HaltStanding Standing { get; private set; } = new(HaltLevel.None, Instant.MinValue, HaltLevel.None, HaltHistory.None);

    /// <summary>When rules ease the present level no earlier; null = it has no such time.</summary>
    public Instant? ReopensAt { get; private set; }

    /// <summary>Judges a tick after all before it; null = the level stays.</summary>
    public HaltStep? Judge(Instant tick, PriceTrack track, Shares? shallow)
    {
        if (HaltJudge.At(tick, rules, Standing, track, outcomes, shallow) is not { } step)
        {
            return null;
        }

        Move(step.To, tick, step.HeldAt);
        ReopensAt = step.ReopensAt;
        return step;
    }

    /// <summary>A person takes the halt back.</summary>
    public void Resume(Instant at)
    {
        Move(HaltLevel.None, at, HaltLevel.None);
        ReopensAt = null;
    }

    private void Move(HaltLevel to, Instant at, HaltLevel heldAt) => Standing = new HaltStanding(to, at, heldAt, Standing.History.After(Standing.Level, to, at));
}

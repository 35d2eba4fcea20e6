using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Pricing;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Cli.Pricing;

/// <summary>A change of level.</summary>
/// <param name="Tick">When.</param>
/// <param name="From">The level before.</param>
/// <param name="To">The level after.</param>
/// <param name="Step">What the rules call for; null: a person ended a freeze that they held.</param>
internal sealed record HaltChange(Instant Tick, HaltLevel From, HaltLevel To, HaltStep? Step);

/// <summary>
/// The halt rules over a series of prices: what a market would have done under a rule set. The rules are the domain's own
/// (<see cref="HaltRun"/>); here stands only the order of quotes and ticks (spec D13).
/// </summary>
/// <param name="rules">The rule set.</param>
/// <param name="personAfter">When a person resumes a market that the rules hold; null = never.</param>
internal sealed class HaltWalk(Ruleset rules, Duration? personAfter = null)
{
    // Beyond this, every window that a rule looks at has one price, and a market without a halt has nothing to judge.
    private static readonly Duration Still = HaltJudge.Window * 4;

    private PriceTrack _track = PriceTrack.Empty;

    private readonly HaltRun _run = new(rules, outcomes: 1);

    /// <summary>The quotes that came while the market was frozen, and so did not come to be.</summary>
    public List<Instant> Refused { get; } = [];

    /// <summary>Every change of level at the ticks from one instant to another, both included.</summary>
    /// <param name="quotes">In time order; of several at one instant the last holds.</param>
    /// <param name="from">A tick.</param>
    /// <param name="to">Any instant.</param>
    public IEnumerable<HaltChange> Run(IReadOnlyList<(Instant At, Price Price)> quotes, Instant from, Instant to)
    {
        var next = 0;
        for (var tick = from; tick <= to; tick += PriceTrack.TickLength)
        {
            for (; next < quotes.Count && quotes[next].At <= tick; next++)
            {
                Quote(quotes[next].Price, quotes[next].At);
            }

            if (Judge(tick) is { } change)
            {
                yield return change;
            }

            if (_run.Standing.Level == HaltLevel.None && tick - _track.Last > Still)
            {
                // A market may rest for weeks.
                var until = next < quotes.Count ? quotes[next].At : to;
                var skipped = (until - tick).BclCompatibleTicks / PriceTrack.TickLength.BclCompatibleTicks - 1;
                tick += PriceTrack.TickLength * Math.Max(0, skipped);
            }
        }
    }

    private void Quote(Price price, Instant at)
    {
        if (_run.Standing.Level == HaltLevel.Hard)
        {
            Refused.Add(at);
        }
        else
        {
            _track = _track.Observe([price], at);
        }
    }

    private HaltChange? Judge(Instant tick)
    {
        var from = _run.Standing.Level;
        if (_run.Standing is { Level: HaltLevel.Hard, HeldAt: HaltLevel.Hard } && tick - _run.Standing.Since >= personAfter)
        {
            _run.Resume(tick);
            return new HaltChange(tick, from, HaltLevel.None, null);
        }

        return _run.Judge(tick, _track, shallow: null) is { } step ? new HaltChange(tick, from, step.To, step) : null;
    }
}

using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Pricing;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Cli.Pricing;

/// <summary>A change of level.</summary>
internal sealed record HaltChange(Instant Tick, HaltLevel From, HaltStep Step);

/// <summary>
/// The halt rules over a series of prices: what a market would have done under a rule set. The rules are the domain's own
/// (<see cref="HaltJudge"/>); here stand only the order of quotes and ticks (spec D13) and the ledger's part, the history of halts.
/// </summary>
internal sealed class HaltWalk(Ruleset rules)
{
    // Beyond this, every window that a rule looks at has one price, and a market without a halt has nothing to judge.
    private static readonly Duration Still = HaltJudge.Window * 4;

    private PriceTrack _track = PriceTrack.Empty;

    public HaltStanding Standing { get; private set; } = new(HaltLevel.None, Instant.MinValue, HaltLevel.None, HaltHistory.None);

    /// <summary>Quotes that a freeze has kept from coming to be.</summary>
    public int Refused { get; private set; }

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

            if (Standing.Level == HaltLevel.None && tick - _track.Last > Still)
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
        if (Standing.Level == HaltLevel.Hard)
        {
            Refused++;
        }
        else
        {
            _track = _track.Observe([price], at);
        }
    }

    private HaltChange? Judge(Instant tick)
    {
        if (HaltJudge.At(tick, rules, Standing, _track, outcomes: 1, shallow: null) is not { } step)
        {
            return null;
        }

        var before = Standing.Level;
        Standing = new HaltStanding(step.To, tick, step.HeldAt, Standing.History.After(before, step.To, tick));
        return new HaltChange(tick, before, step);
    }
}

using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Pricing;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Policies.Golden;

/// <summary>Kind <c>halts</c>: quotes of one outcome, and every change of level until an end (spec D13). Depth is none of its business.</summary>
internal static class HaltCases
{
    public static string? Difference(GoldenCase test, Policy policy)
    {
        var quotes = test.Rows("quotes", 2).Select(row => (At: row.At(0), Price: new Price(row.Units(1)))).ToList();
        var until = new GoldenRow(test.Line, [test.Text("until")]).At(0);
        var expected = test.Rows("levels", 2).Select(row => (row.Line, At: row.At(0), Level: row[1])).ToList();
        var (found, run, track, next) = (new List<(Instant At, string Level)>(), new HaltRun(policy.Rules, outcomes: 1), PriceTrack.Empty, 0);
        for (var tick = GoldenCase.Start; tick <= until; tick += PriceTrack.TickLength)
        {
            // A quote that comes while the market stands still is refused for good.
            for (; next < quotes.Count && quotes[next].At <= tick; next++)
            {
                track = run.Standing.Level == HaltLevel.Hard ? track : track.Observe([quotes[next].Price], quotes[next].At);
            }

            if (track.First is not null && run.Judge(tick, track, shallow: null) is { } step)
            {
                found.Add((tick, Words.Of(step.To)));
            }
        }

        for (var i = 0; i < Math.Max(found.Count, expected.Count); i++)
        {
            if (i >= expected.Count || i >= found.Count || expected[i].At != found[i].At || expected[i].Level != found[i].Level)
            {
                return $"{(i < expected.Count ? $"line {expected[i].Line}: expected {expected[i].Level} at {Seconds(expected[i].At)}" : "expected no more changes")}, "
                    + (i < found.Count ? $"got {found[i].Level} at {Seconds(found[i].At)}" : "got no more changes");
            }
        }

        return null;
    }

    private static string Seconds(Instant at) => FormattableString.Invariant($"{(at - GoldenCase.Start).TotalSeconds} s");
}

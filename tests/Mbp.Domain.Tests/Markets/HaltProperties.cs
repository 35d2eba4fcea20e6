using FsCheck;
using FsCheck.Fluent;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Pricing;
using Mbp.Domain.Tests.Reference;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Tests.Markets;

/// <summary>
/// The halt rules against a model with the spec's flags and counters, over prices made of bytes, so that a failing history shrinks: small and
/// large moves, moves to just one side of a limit, spikes that come back, quotes at ticks, at window ends and beside them, rests and young markets.
/// MBP_HALT_HISTORIES sets how many histories each property sees.
/// </summary>
public sealed class HaltProperties
{
    private const long Tick = 30_000;
    private const long Window = 300_000;

    private static readonly int Histories = int.TryParse(Environment.GetEnvironmentVariable("MBP_HALT_HISTORIES"), out var count) ? count : 200;

    private static readonly Ruleset Default = Rules(
        new FreezeRules(new DivergenceRule(100, 2), new BandRule(100, 3)), new HaltRules(50, 50, 80, 30, 300, 4, DepthFloor: null));

    [Fact]
    public void Under_the_default_rules_the_levels_are_those_of_the_spec() => Agree(bytes => (Default, Quotes(bytes[14..], outcomes: 1)), [100, 100, 100, 100]);

    [Fact]
    public void Under_any_rules_and_with_any_outcomes_the_levels_are_those_of_the_spec() => Agree(
        b => (
            Rules(
                b[0] % 8 == 0 ? null : new FreezeRules(
                    b[1] % 8 == 0 ? null : new DivergenceRule(60 + b[2], 1 + b[3] % 3), b[4] % 8 == 0 ? null : new BandRule(b[5], 1 + b[6] % 5)),
                new HaltRules(20 + b[7], 1 + b[8], 1 + b[9] % 60, 1 + b[10] % 20, 30 + b[11] * 2, b[12] % 6, DepthFloor: null)),
            Quotes(b[14..], 1 + b[13] % 3)),
        [100, 100, 100, 100]);

    [Fact]
    public void A_fifth_freeze_within_24_hours_is_held_and_the_24_hours_slide() => Agree(bytes => (Default, Spikes(bytes)), [100, 100, 100, 200]);

    [Fact]
    public void A_tick_that_is_judged_after_later_quotes_gives_what_it_gave() => Check(bytes =>
    {
        var quotes = Quotes(bytes[14..], outcomes: 1);
        var (standing, track, late) = (Open, PriceTrack.Empty, PriceTrack.Empty);
        var (next, ahead) = (0, 0);
        for (var tick = 0L; tick <= quotes[^1].At; tick += Tick)
        {
            for (; next < quotes.Count && quotes[next].At <= tick; next++)
            {
                track = Observe(track, quotes[next]);
            }

            for (; ahead < quotes.Count && quotes[ahead].At <= tick + Window; ahead++)
            {
                late = Observe(late, quotes[ahead]);
            }

            var step = HaltJudge.At(At(tick), Default, standing, track, 1, null);
            Assert.Equal(step, HaltJudge.At(At(tick), Default, standing, late, 1, null));
            // In a freeze there are no quotes, late or not: nothing to compare.
            standing = step is { To: < HaltLevel.Hard } ? After(standing, step, At(tick)) : standing;
        }
    });

    /// <param name="setting">The rules and quotes of a history.</param>
    /// <param name="least">How often each level must have been entered per 100 histories: the histories are about something.</param>
    private static void Agree(Func<byte[], (Ruleset Rules, List<ModelQuote> Quotes)> setting, int[] least)
    {
        var entered = new int[4];
        Check(bytes =>
        {
            var (rules, quotes) = setting(bytes);
            var end = quotes[^1].At + bytes[12] * Tick;
            var expected = new HaltModel(rules.Freeze, rules.Halts!).Run(quotes, end);
            Assert.Equal(expected, Judged(rules, quotes, end));
            expected.ForEach(change => entered[change.Level]++);
        });
        Assert.All(entered.Zip(least), pair => Assert.True(pair.First * 100 >= pair.Second * Histories, string.Join(' ', entered)));
    }

    private static void Check(Action<byte[]> holds) => FsCheck.Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(Histories),
        Prop.ForAll(Gen.Choose(0, 255).Select(b => (byte)b).ArrayOf(14 + 4 * 45).ToArbitrary(), bytes =>
        {
            if (bytes.Length >= 18)
            {
                holds(bytes);
            }
        }));

    private static List<(long At, int Level)> Judged(Ruleset rules, List<ModelQuote> quotes, long end)
    {
        var (standing, track, next, log) = (Open, PriceTrack.Empty, 0, new List<(long, int)>());
        for (var tick = 0L; tick <= end; tick += Tick)
        {
            for (; next < quotes.Count && quotes[next].At <= tick; next++)
            {
                track = standing.Level == HaltLevel.Hard ? track : Observe(track, quotes[next]);
            }

            if (HaltJudge.At(At(tick), rules, standing, track, quotes[0].Prices.Length, shallow: null) is { } step)
            {
                standing = After(standing, step, At(tick));
                log.Add((tick, (int)step.To));
            }
        }

        return log;
    }

    private static HaltStanding Open => new(HaltLevel.None, Instant.MinValue, HaltLevel.None, HaltHistory.None);

    private static HaltStanding After(HaltStanding before, HaltStep step, Instant at) =>
        new(step.To, at, step.HeldAt, before.History.After(before.Level, step.To, at));

    private static PriceTrack Observe(PriceTrack track, ModelQuote quote) => track.Observe([.. quote.Prices.Select(units => new Price(units))], At(quote.At));

    private static Instant At(long milliseconds) => Instant.FromUnixTimeMilliseconds(milliseconds);

    /// <summary>Four bytes a quote: how the price moves, how far, how the time goes on, how far.</summary>
    private static List<ModelQuote> Quotes(byte[] bytes, int outcomes)
    {
        var first = 1_000_000 + bytes[0] * 380_000L;
        var (quotes, at) = (new List<ModelQuote>(), bytes[1] % 3 == 0 ? bytes[2] * 1_700L : 0);
        var prices = Enumerable.Range(0, outcomes).Select(outcome => first / (outcome + 1)).ToArray();
        for (var i = 0; i + 3 < bytes.Length; i += 4)
        {
            quotes.Add(new ModelQuote(at, prices));
            // One outcome moves; the others rest.
            prices = [.. prices];
            var moved = bytes[i + 1] % outcomes;
            prices[moved] = Math.Clamp(Moved(prices[moved], first / (moved + 1), bytes[i], bytes[i + 1]), 0, Decimal8.One);
            at = Math.Max(at, Later(at, bytes[i + 2], bytes[i + 3]));
        }

        return quotes;
    }

    private static long Moved(long price, long first, byte how, byte far) => (how % 8) switch
    {
        0 => price + price * (far - 128) / 40_000,
        1 => price + price * (far - 128) / 10_000,
        2 => price + price * (far - 128) / 2_000,
        // Just at, above or below a limit, where the average is the present price.
        3 => price + price * (new long[] { 30, 50, 80, 100, -30, -50, -80, -100 })[far % 8] / 10_000 + far / 8 % 3 - 1,
        4 or 5 => first,
        6 => first + first * (far % 2 == 0 ? 2 : -2) / 100,
        _ => price,
    };

    private static long Later(long at, byte how, byte far) => (how % 8) switch
    {
        0 => at + far,
        1 => at + Tick * (1 + far % 3),
        // To a tick, or right beside it.
        2 or 3 => (at / Tick + 1 + far % 12) * Tick + far / 12 % 3 - 1,
        4 => (at / Window + 1 + far % 2) * Window + (new long[] { 0, 1, -1, Tick, -Tick, -2 * Tick, -3 * Tick })[far % 7],
        5 => at + far * 300,
        6 => at + Window * (1 + far % 3),
        _ => at + far * 20_000,
    };

    /// <summary>A spike that stays a while, some hours apart.</summary>
    private static List<ModelQuote> Spikes(byte[] bytes)
    {
        var (quotes, at, price) = (new List<ModelQuote> { new(0, [50_000_000]) }, 0L, 50_000_000L);
        foreach (var b in bytes)
        {
            at = (at / Window + 4 + b % 4 * 18) * Window + b / 4 % 3 * Tick;
            price += price * (b % 2 == 0 ? 2 : -2) / 100;
            quotes.Add(new ModelQuote(at, [price]));
            if (at > 2.5 * 86_400_000)
            {
                break;
            }
        }

        return quotes;
    }

    private static Ruleset Rules(FreezeRules? freeze, HaltRules halts) => new(
        "test", "v1.0.0", OperatorsOnly: false, new TradingRules(null, null, SeedLocked: false), new ResolutionTimes(0, null), [], freeze, halts, Abuse: null, Slo: null);
}

using Mbp.Cli.Files;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Pricing;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Cli.Pricing;

/// <summary>Every halt rule of a rule set over series of prices: the changes of level, and what they add up to.</summary>
/// <param name="rules">The rule set.</param>
/// <param name="personAfter">When a person resumes a market that the rules hold; null = never.</param>
/// <param name="from">The first instant; null = the first quote.</param>
/// <param name="to">The last; null = the last quote.</param>
internal sealed class LevelCheck(Ruleset rules, Duration? personAfter, Instant? from, Instant? to)
{
    private const int Decimals = 8;

    public LevelRun Run(PriceSeries series, string stream)
    {
        if (rules.Halts is null)
        {
            throw new EnvironmentException($"The rule set {rules.Name} has no halts.");
        }

        if (series.IsNegative)
        {
            throw new EnvironmentException($"A price of {stream} is negative: the halt rules are for prices.");
        }

        var end = to ?? series.Last;
        var (quotes, decimals) = series.InUnits(end);
        var begin = TwapFile.Instants(series, PriceTrack.TickLength, from, Instant.MaxValue).First();
        var walk = new HaltWalk(rules, personAfter);
        HaltChange[] changes = [.. walk.Run(quotes, begin, end)];
        Instant[] judged = [.. quotes.Select(quote => quote.At).Where(at => at > begin && at <= end)];
        return new LevelRun(stream, begin, Instant.Max(begin, end), judged, walk.Refused, changes, decimals);
    }

    public static void WriteChanges(IEnumerable<LevelRun> runs, TextWriter output)
    {
        using var csv = TwapFile.Writer(output);
        TwapFile.Row(csv, "stream", "t", "from", "to", "rule", "price", "twap_5m", "divergence", "count", "held", "reopens_at");
        foreach (var run in runs)
        {
            foreach (var (tick, before, after, step) in run.Changes)
            {
                TwapFile.Row(
                    csv, run.Stream, TwapFile.Text(tick), Words.Of(before), Words.Of(after),
                    after < before ? step is null ? "person" : "" : Words.Of(step!.Rule!.Value),
                    run.Text(step?.Evidence.Price), run.Text(step?.Evidence.Average),
                    step is null ? "" : ExactDecimal.Floor(step.Evidence.DivergencePpm, 1_000_000, Decimals),
                    step?.Evidence.Count is { } count ? TwapFile.Number(count) : "",
                    TwapFile.Flag(IsHeld(step)), step?.ReopensAt is { } reopens ? TwapFile.Text(reopens) : "");
            }
        }
    }

    public static void WriteTotals(IReadOnlyList<LevelRun> runs, bool byDay, TextWriter output)
    {
        using var csv = TwapFile.Writer(output);
        TwapFile.Row(
            csv, "stream", "from", "to", "days", "quotes", "refused", "warn", "soft", "hard", "r1", "r2", "hard_per_day",
            "warn_s", "soft_s", "hard_s", "hard_share", "reopened", "held", "frozen_at_end");
        var all = new Totals();
        foreach (var run in runs)
        {
            var totals = Totals.Of(run, run.Begin, run.End);
            Write(csv, run.Stream, run.Begin, run.End, totals);
            all += totals;
            for (var day = run.Begin; byDay && day < run.End; day = NextDay(day))
            {
                var until = Instant.Min(NextDay(day), run.End);
                Write(csv, run.Stream, day, until, Totals.Of(run, day, until));
            }
        }

        if (runs.Count > 1)
        {
            Write(csv, "all", runs.Min(run => run.Begin), runs.Max(run => run.End), all);
        }
    }

    internal static bool IsHeld(HaltStep? step) => step is { To: HaltLevel.Hard, HeldAt: HaltLevel.Hard };

    private static Instant NextDay(Instant at) => at.InUtc().Date.PlusDays(1).AtStartOfDayInZone(DateTimeZone.Utc).ToInstant();

    private static void Write(CsvHelper.CsvWriter csv, string stream, Instant from, Instant to, Totals t) => TwapFile.Row(
        csv, stream, TwapFile.Text(from), TwapFile.Text(to), Ratio(t.Seconds, NodaConstants.SecondsPerDay), TwapFile.Number(t.Quotes), TwapFile.Number(t.Refused),
        TwapFile.Number(t.Warns), TwapFile.Number(t.Softs), TwapFile.Number(t.Hards), TwapFile.Number(t.ByDivergence), TwapFile.Number(t.ByBand),
        Ratio(t.Hards * (long)NodaConstants.SecondsPerDay, t.Seconds),
        TwapFile.Number(t.WarnSeconds), TwapFile.Number(t.SoftSeconds), TwapFile.Number(t.HardSeconds), Ratio(t.HardSeconds, t.Seconds),
        TwapFile.Number(t.Reopened), TwapFile.Number(t.Held), TwapFile.Number(t.FrozenAtEnd));

    private static string Ratio(long top, long bottom) => bottom == 0 ? "" : ExactDecimal.Floor(top, bottom, 4);
}

/// <summary>What the rules made of one series.</summary>
/// <param name="Stream">Its name.</param>
/// <param name="Begin">The first tick.</param>
/// <param name="End">The last instant.</param>
/// <param name="Quotes">When there were quotes after the first tick.</param>
/// <param name="Refused">When there were quotes that a freeze refused.</param>
/// <param name="Changes">The changes of level.</param>
/// <param name="Decimals">What the prices are counted in.</param>
internal sealed record LevelRun(
    string Stream, Instant Begin, Instant End, IReadOnlyList<Instant> Quotes, IReadOnlyList<Instant> Refused, IReadOnlyList<HaltChange> Changes, int Decimals)
{
    private const int Shown = 8;

    public bool Froze => Changes.Any(change => change.To == HaltLevel.Hard);

    public string Text(Price? price) => price is not { } some ? ""
        : Decimals >= 0 ? ExactDecimal.Floor(some.Units, System.Numerics.BigInteger.Pow(10, Decimals), Shown)
        : ExactDecimal.Floor(some.Units * System.Numerics.BigInteger.Pow(10, -Decimals), 1, Shown);
}

/// <summary>A run in numbers, or a part of it. Halts count where they begin, seconds where they pass.</summary>
internal readonly record struct Totals(
    long Seconds, int Quotes, int Refused, int Warns, int Softs, int Hards, int ByDivergence, int ByBand,
    long WarnSeconds, long SoftSeconds, long HardSeconds, int Reopened, int Held, int FrozenAtEnd)
{
    public static Totals operator +(Totals a, Totals b) => new(
        a.Seconds + b.Seconds, a.Quotes + b.Quotes, a.Refused + b.Refused, a.Warns + b.Warns, a.Softs + b.Softs, a.Hards + b.Hards,
        a.ByDivergence + b.ByDivergence, a.ByBand + b.ByBand, a.WarnSeconds + b.WarnSeconds, a.SoftSeconds + b.SoftSeconds,
        a.HardSeconds + b.HardSeconds, a.Reopened + b.Reopened, a.Held + b.Held, a.FrozenAtEnd + b.FrozenAtEnd);

    /// <summary>Of the part from one instant up to another; a change at the run's very end counts as well.</summary>
    public static Totals Of(LevelRun run, Instant from, Instant to)
    {
        bool Within(Instant at) => at >= from && (at < to || at == to && to == run.End);
        int Count(Func<HaltChange, bool> meant) => run.Changes.Count(change => Within(change.Tick) && meant(change));
        int Up(HaltLevel level) => Count(change => change.To == level && change.From < level);
        long At(HaltLevel level) => run.Changes.Zip(run.Changes.Skip(1).Select(change => change.Tick).Append(run.End))
            .Where(pair => pair.First.To == level)
            .Sum(pair => Math.Max(0, (long)(Instant.Min(pair.Second, to) - Instant.Max(pair.First.Tick, from)).TotalSeconds));
        return new Totals(
            (long)(to - from).TotalSeconds, run.Quotes.Count(Within), run.Refused.Count(Within),
            Up(HaltLevel.Warn), Up(HaltLevel.Soft), Up(HaltLevel.Hard),
            Count(change => change.Step?.Rule == HaltRule.Divergence), Count(change => change.Step?.Rule == HaltRule.Band),
            At(HaltLevel.Warn), At(HaltLevel.Soft), At(HaltLevel.Hard),
            Count(change => change is { From: HaltLevel.Hard, Step: not null }), Count(change => LevelCheck.IsHeld(change.Step)),
            run.Changes is [.., { To: HaltLevel.Hard }] && to == run.End ? 1 : 0);
    }
}

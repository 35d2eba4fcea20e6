using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Mbp.Cli.Auditing;
using Mbp.Cli.Files;
using Mbp.Domain.Audit;
using Mbp.Domain.Markets;
using Mbp.Domain.Units;
using NodaTime;
using NodaTime.Text;

namespace Mbp.Cli.Rulesets;

/// <summary><c>mbp ruleset dry-run</c>: what a rule set would have decided differently over the last days of a ledger. It only reads.</summary>
internal static class DryRunVerb
{
    private const string Unknown =
        "A dry run compares each decision with the one that was made, over the states as they were: a trade that would have been refused still moved the "
        + "price for the next. What was refused then is in the ledger as counts by the minute and not as commands, so whether it would be accepted now is "
        + "not known. Halts by people and by the anti-abuse rules are taken as they were.";

    public static Command Create()
    {
        var file = RulesetVerb.FileArgument();
        var days = new Option<int>("--days") { Description = "Over so many days up to now.", DefaultValueFactory = _ => 7 };
        var market = new Option<string?>("--market") { Description = "In one market; in all of them if not given." };
        var run = new Command("dry-run", "Decides the last days of the ledger again under a rule set, and reports what would have been different.") { file, days, market };
        var ledger = new LedgerOptions().AddTo(run);
        run.SetAction(async (parsed, cancellationToken) =>
        {
            if (await RulesetVerb.ReadAsync(parsed.GetRequiredValue(file), cancellationToken).ConfigureAwait(false) is not { } policy)
            {
                return 1;
            }

            if (parsed.GetValue(days) is < 1 or > 3_650)
            {
                throw new EnvironmentException("--days is a whole number from 1 to 3650.");
            }

            await using var database = await ledger.OpenAsync(parsed, cancellationToken).ConfigureAwait(false);
            var head = await database.Store.HeadAsync(cancellationToken).ConfigureAwait(false);
            var now = SystemClock.Instance.GetCurrentInstant();
            var only = parsed.GetValue(market) is { } id ? new MarketId(id) : (MarketId?)null;
            var trial = new RulesetDryRun(policy, now - Duration.FromDays(parsed.GetValue(days)), only);
            await Importing.Progress.ShowAsync("events", head, () => trial.Position, GoAsync()).ConfigureAwait(false);
            if (only is { } asked && !trial.States.Markets.ContainsKey(asked.Value))
            {
                throw new EnvironmentException($"There is no market '{asked}' in this ledger.");
            }

            var report = trial.Finish(now);
            await ledger.SayAsync(parsed, () => ToJson(report), () => ToText(report)).ConfigureAwait(false);
            return 0;

            async Task GoAsync()
            {
                await foreach (var command in LedgerCommands.ReadAsync(database.Store, head, cancellationToken).ConfigureAwait(false))
                {
                    trial.Observe(command);
                }
            }
        });
        return run;
    }

    private static string ToText(DryRunReport report)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"dry run of {report.Candidate} {report.Candidate.Hash}\nover       {Time(report.From)} to {Time(report.Until)}\n");
        text.Append(CultureInfo.InvariantCulture, $"decisions  {report.Decisions} trades and changes of liquidity compared, {report.Refused.Values.Sum(list => list.Count)} would have been refused\n");
        foreach (var (code, positions) in report.Refused)
        {
            text.Append(CultureInfo.InvariantCulture, $"           {positions.Count,8} {code}: positions {string.Join(", ", positions.First)}{(positions.Count > positions.First.Count ? ", ..." : "")}\n");
        }

        text.Append(CultureInfo.InvariantCulture, $"halts      {report.Ticks} ticks judged in {report.Markets} markets\n");
        Halts(text, "would have begun", report.Halts);
        Halts(text, "rules did begin", report.Recorded);
        text.Append(CultureInfo.InvariantCulture, $"values     {report.Determined} determined, {report.WindowsChanged} would have been final at another time\n");
        text.Append(CultureInfo.InvariantCulture, $"refused    {report.RefusedThen.Values.Sum()} commands then{(report.RefusedThen.Count == 0 ? "" : $": {string.Join(", ", report.RefusedThen.Select(pair => $"{pair.Value} {pair.Key}"))}")}\n");
        return text.Append('\n').Append(Unknown).ToString();
    }

    private static void Halts(StringBuilder text, string what, HaltList halts)
    {
        text.Append(CultureInfo.InvariantCulture, $"           {halts.Count,8} {what}{(halts.Count == 0 ? "" : $": {string.Join(", ", halts.ByLevel.Select(pair => $"{pair.Value} {Words.Of(pair.Key)}"))}")}\n");
        foreach (var halt in halts.First)
        {
            text.Append(CultureInfo.InvariantCulture, $"                    {Time(halt.Tick)} {Words.Of(halt.Level),-5} {Words.Of(halt.Rule),-10} {halt.Market}\n");
        }
    }

    private static string ToJson(DryRunReport report) => JsonSerializer.Serialize(
        new
        {
            name = report.Candidate.Rules.Name, version = report.Candidate.Rules.Version, hash = report.Candidate.Hash, from = Time(report.From), until = Time(report.Until),
            decisions = report.Decisions, refused = report.Refused.ToDictionary(pair => pair.Key, pair => new { count = pair.Value.Count, positions = pair.Value.First }),
            markets = report.Markets, ticks = report.Ticks, halts = Json(report.Halts), recordedHalts = Json(report.Recorded), determined = report.Determined,
            windowsChanged = report.WindowsChanged, refusedThen = report.RefusedThen, notKnown = Unknown,
        },
        Importing.ImportReport.Json);

    private static object Json(HaltList halts) => new
    {
        count = halts.Count, byLevel = halts.ByLevel.ToDictionary(pair => Words.Of(pair.Key), pair => pair.Value),
        first = halts.First.Select(halt => new { market = halt.Market, level = Words.Of(halt.Level), rule = Words.Of(halt.Rule), tick = Time(halt.Tick) }),
    };

    private static string Time(Instant at) => InstantPattern.General.Format(at);
}

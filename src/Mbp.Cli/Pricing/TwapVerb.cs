using Mbp.Cli.Files;
using System.CommandLine;
using System.Globalization;
using Mbp.Cli.Policies;
using CsvHelper;
using NodaTime;
using NodaTime.Text;

namespace Mbp.Cli.Pricing;

/// <summary><c>mbp twap compute IN OUT</c> and <c>mbp twap freeze-check IN</c>.</summary>
public static class TwapVerb
{
    private const int Usage = 2;

    private static readonly Option<string?> Stream = new("--stream") { Description = "The name for the first column." };
    private static readonly Option<string?> Market = new("--market") { Description = "The market_id to take from a file of trades." };
    private static readonly Option<string?> Markets = new("--markets") { Description = "A CSV file with market_id and outcome_a, the outcome whose price is meant." };
    private static readonly Option<string?> Outcome = new("--outcome") { Description = "The outcome whose price is meant; trades of another count as 1 - price." };
    private static readonly Option<bool> AsIs = new("--as-is") { Description = "Take the price column as it is, whatever was traded." };
    private static readonly Option<string?> From = new("--from") { Description = "The first instant (RFC 3339)." };
    private static readonly Option<string?> To = new("--to") { Description = "The last instant (RFC 3339)." };

    public static Command Create() => new("twap", "Time-weighted average prices of a CSV file.") { Compute(), Check() };

    private static Command Compute()
    {
        var input = new Argument<string>("in") { Description = "A CSV file, also .gz, with columns ts and price." };
        var target = new Argument<string>("out") { Description = "The CSV file to write; - for the standard output." };
        var every = new Option<string>("--every") { Description = "The step, such as 60s.", DefaultValueFactory = _ => "60s" };
        var windows = new Option<string[]>("--window") { Description = "A window in whole minutes, such as 5m; may be repeated.", DefaultValueFactory = _ => ["1m", "5m", "15m"] };
        var command = new Command("compute", "Writes the averages at every step.") { input, target, every, windows, Stream, Market, Markets, Outcome, AsIs, From, To };
        command.SetAction(parsed => Guarded(parsed, () =>
        {
            var file = parsed.GetRequiredValue(input);
            var (step, lengths) = (Length(parsed.GetRequiredValue(every)), parsed.GetRequiredValue(windows).Select(Minutes).ToArray());
            var series = PriceFile.Read(file, Selection(parsed));
            var path = parsed.GetRequiredValue(target);
            using var written = path == "-" ? null : new StreamWriter(path);
            TwapFile.Write(series, NameOf(parsed, file), step, lengths, At(parsed, From), At(parsed, To), written ?? parsed.InvocationConfiguration.Output);
            return 0;
        }));
        return command;
    }

    private static Command Check()
    {
        var input = new Argument<string>("in") { Description = "A CSV file, also .gz, with columns ts and price, or one that compute wrote." };
        var threshold = new Option<int>("--bps") { Description = "The divergence allowed, in basis points.", DefaultValueFactory = _ => 100 };
        var ruleset = new Option<string?>("--ruleset")
        {
            Description = "Judge by all of the halt rules of a rule set (default, thin-binary, or FILE.yml) at every 30 s, each market of a file of trades by itself, and write a row of totals for each series.",
        };
        var levels = new Option<string?>("--levels") { Description = "With --ruleset: a CSV file for every change of level, - for the standard output." };
        var byDay = new Option<bool>("--by-day") { Description = "With --ruleset: also a row for each day (UTC)." };
        var person = new Option<string?>("--person-after") { Description = "With --ruleset: a person resumes a held market after so long, such as 60m; without it nobody does." };
        var command = new Command(
            "freeze-check", "Judges the freeze rule at every 5-minute end, or all rules of a rule set at every 30 s. Exit code 1: a market froze.")
        {
            input, threshold, ruleset, levels, byDay, person, Stream, Market, Markets, Outcome, AsIs, From, To,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(ruleset) is null && (result.GetValue(levels) is not null || result.GetValue(byDay) || result.GetValue(person) is not null))
            {
                result.AddError("--levels, --by-day and --person-after need --ruleset.");
            }
            else if (result.GetValue(ruleset) is not null && result.GetResult(threshold) is { Implicit: false })
            {
                result.AddError("--bps is the rule set's where there is one.");
            }
        });
        command.SetAction(parsed => Guarded(parsed, () =>
        {
            var (file, bps, output) = (parsed.GetRequiredValue(input), parsed.GetRequiredValue(threshold), parsed.InvocationConfiguration.Output);
            if (parsed.GetValue(ruleset) is { } chosen)
            {
                var rules = PolicyChoice.Read(chosen);
                var path = parsed.GetValue(levels);
                using var written = path is null or "-" ? null : new StreamWriter(path);
                var check = new LevelCheck(rules.Rules, parsed.GetValue(person) is { } after ? Length(after) : null, At(parsed, From), At(parsed, To));
                var runs = PriceFile.ReadAll(file, Selection(parsed))
                    .Select(pair => check.Run(pair.Value, pair.Key.Length == 0 || parsed.GetValue(Stream) is not null ? NameOf(parsed, file) : pair.Key)).ToArray();
                if (path is not null)
                {
                    LevelCheck.WriteChanges(runs, written ?? output);
                }

                LevelCheck.WriteTotals(runs, parsed.GetValue(byDay), output);
                return runs.Any(run => run.Froze) ? 1 : 0;
            }

            using var csv = CsvFile.Open(file);
            var samples = CsvFile.Has(csv, "window_min")
                ? FreezeCheck.Samples(csv, file, bps)
                : FreezeCheck.Samples(PriceFile.Read(file, Selection(parsed)), NameOf(parsed, file), bps, At(parsed, From), At(parsed, To));
            return FreezeCheck.Write(samples, output) ? 1 : 0;
        }));
        return command;
    }

    private static int Guarded(ParseResult parsed, Func<int> run)
    {
        try
        {
            return run();
        }
        catch (Exception e) when (e is EnvironmentException or InvalidDataException or CsvFormatException or FormatException or IOException or UnauthorizedAccessException)
        {
            parsed.InvocationConfiguration.Error.WriteLine(e.Message);
            return Usage;
        }
    }

    private static string NameOf(ParseResult parsed, string file) =>
        parsed.GetValue(Stream) ?? parsed.GetValue(Market) ?? Path.GetFileName(file).Split('.')[0];

    private static PriceSelection Selection(ParseResult parsed) =>
        new(parsed.GetValue(Market), parsed.GetValue(Markets), parsed.GetValue(Outcome), parsed.GetValue(AsIs));

    private static Instant? At(ParseResult parsed, Option<string?> option) =>
        parsed.GetValue(option) is not { } text ? null
        : OffsetDateTimePattern.Rfc3339.Parse(text) is { Success: true, Value: var value } ? FileTime.Checked(value.ToInstant(), text, $"{option.Name}: ")
        : throw new FormatException($"{option.Name}: '{text}' is no RFC 3339 time.");

    private static Duration Minutes(string text) =>
        Length(text) is var length && length.BclCompatibleTicks % NodaConstants.TicksPerMinute == 0 ? length : throw new FormatException($"--window: '{text}' is not in whole minutes.");

    /// <summary>"30s", "5m", "24h".</summary>
    private static Duration Length(string text)
    {
        var unit = text.Length > 1 ? text[^1] : ' ';
        var seconds = unit switch { 's' => 1, 'm' => 60, 'h' => 3600, _ => 0 };
        return seconds > 0 && int.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count is > 0 and <= 1_000_000
            ? Duration.FromSeconds((long)seconds * count)
            : throw new FormatException($"'{text}' is no length of time such as 60s, 5m or 24h.");
    }
}

using System.CommandLine;
using System.Globalization;
using Mbp.Ledger.Log;
using Mbp.Verify.Checks;
using Mbp.Verify.Output;
using Mbp.Verify.Sites;
using NodaTime;
using NodaTime.Text;

namespace Mbp.Verify.Verbs;

/// <summary><c>verify_anchor log</c>: a whole log.</summary>
internal static class LogVerb
{
    public static Command Create()
    {
        var site = new Argument<string>("LOG") { Description = "An exported folder, or the URL of a log (https://HOST/log)." };
        var old = new Option<string[]>("--old") { Description = "A checkpoint that you kept: the log must begin with what it was signed over. May be given more than once." };
        var minSize = new Option<long>("--min-size") { Description = "The fewest events that the log may show." };
        var maxAge = new Option<string?>("--max-age") { Description = "How long ago witnesses may have seen the checkpoint: 90s, 15m, 2h, 1d. Needs --policy." };
        var full = new Option<bool>("--full") { Description = "Hash every entry, open every event, decide every market again: the default for a folder." };
        var quick = new Option<bool>("--quick") { Description = "The signed head alone, also for a folder." };
        var now = new Option<string?>("--now") { Description = "The time to measure --max-age from, where the clock is not to be trusted (ISO 8601, UTC)." };
        var command = new Command("log", "The signed head; and for a folder (or with --full) everything below it.") { site, old, minSize, maxAge, full, quick, now };
        var common = new Common().AddTo(command);
        command.SetAction((parsed, cancellationToken) => common.RunAsync(parsed, async report =>
        {
            var raw = Site.Open(parsed.GetValue(site)!);
            var everything = !parsed.GetValue(quick) && (raw is FolderSite || parsed.GetValue(full));
            var log = everything ? await HashedSite.OverAsync(raw, report, cancellationToken).ConfigureAwait(false) : raw;
            var trust = await common.TrustAsync(parsed, log, [], report, cancellationToken).ConfigureAwait(false);
            var head = new HeadCheck(log, trust, report);
            var checkpoint = await head.RunAsync(parsed.GetValue(minSize), Age(parsed.GetValue(maxAge)), Time(parsed.GetValue(now)), cancellationToken).ConfigureAwait(false);
            if (checkpoint is not null)
            {
                foreach (var file in parsed.GetValue(old) ?? [])
                {
                    await head.ExtendsAsync(file, Input.Read(file), checkpoint, cancellationToken).ConfigureAwait(false);
                }

                if (everything)
                {
                    await EverythingAsync(log, head, checkpoint, report, cancellationToken).ConfigureAwait(false);
                }
            }

            if (log is HashedSite hashed)
            {
                await hashed.FinishAsync(cancellationToken).ConfigureAwait(false);
            }
        }));
        return command;
    }

    private static async Task EverythingAsync(ISite log, HeadCheck head, Checkpoint checkpoint, Report report, CancellationToken cancellationToken)
    {
        if (log.List() is { } files && !files.Any(path => path.StartsWith("tile/", StringComparison.Ordinal)) && checkpoint.Size > 0)
        {
            throw new CannotAskException($"{log.Name} has no tiles: it is an export of single markets. Use: verify_anchor market {log.Name}/markets/ID.json");
        }

        await new FullCheck(log, report).RunAsync(checkpoint, progress: null, cancellationToken).ConfigureAwait(false);
        await head.HistoryAsync(checkpoint, cancellationToken).ConfigureAwait(false);
    }

    private static Instant Time(string? text) => text is null
        ? SystemClock.Instance.GetCurrentInstant()
        : InstantPattern.ExtendedIso.Parse(text) is { Success: true } time ? time.Value : throw new CannotAskException($"'{text}' is no time in UTC.");

    private static Duration? Age(string? text)
    {
        if (text is null)
        {
            return null;
        }

        var number = text.Length > 1 && long.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var parsed) && parsed < 1_000_000 ? parsed : -1;
        return (number, text[^1]) switch
        {
            (>= 0, 's') => Duration.FromSeconds(number),
            (>= 0, 'm') => Duration.FromMinutes(number),
            (>= 0, 'h') => Duration.FromHours(number),
            (>= 0, 'd') => Duration.FromDays(number),
            _ => throw new CannotAskException($"'{text}' is no age: it is a number and s, m, h or d."),
        };
    }
}

using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Mbp.Cli.Api;
using Mbp.Cli.Auditing;
using Mbp.Cli.Files;
using Mbp.Domain;
using Mbp.Ledger.Postgres.Reading;
using Mbp.Ledger.Reading;

namespace Mbp.Cli.Projections;

/// <summary>
/// <c>mbp projections ...</c>: the read models in tables. <c>list</c> and <c>rebuild</c> speak with the database alone, so they work while the host
/// serves and while none runs.
/// </summary>
internal static class ProjectionsVerb
{
    public static Command Create() => new("projections", "The read models in tables.") { List(), Rebuild(), Resume() };

    private static Command List()
    {
        var list = new Command("list", "Where each stands, and why one stopped.");
        var ledger = new LedgerOptions().AddTo(list);
        list.SetAction(async (parsed, cancellationToken) =>
        {
            await using var database = await ledger.OpenAsync(parsed, cancellationToken).ConfigureAwait(false);
            var head = await database.Store.HeadAsync(cancellationToken).ConfigureAwait(false);
            var records = await ProjectionRecord.AllAsync(database.Connections, cancellationToken).ConfigureAwait(false);
            await ledger.SayAsync(parsed, () => ToJson(records, head), () => ToText(records, head)).ConfigureAwait(false);
            return records.Any(record => record.Fault is not null) ? 1 : 0;
        });
        return list;
    }

    private static Command Rebuild()
    {
        var name = new Argument<string?>("NAME") { Description = "Which projection; `mbp projections list` names them.", Arity = ArgumentArity.ZeroOrOne };
        var all = new Option<bool>("--all") { Description = "Every projection, in one pass over the ledger." };
        var dryRun = new Option<bool>("--dry-run") { Description = "Build and compare; change nothing that serves." };
        var rebuild = new Command("rebuild", "Builds tables again from the first event, beside those that serve, compares every row, and swaps.") { name, all, dryRun };
        var ledger = new LedgerOptions().AddTo(rebuild);
        rebuild.SetAction(async (parsed, cancellationToken) =>
        {
            var chosen = Chosen(parsed.GetValue(name), parsed.GetValue(all));
            await using var database = await ledger.OpenAsync(parsed, cancellationToken).ConfigureAwait(false);
            var run = new ProjectionRebuild(database.Connections, database.Store, Slices.Catalog());
            var work = run.RunAsync(chosen, parsed.GetValue(dryRun), cancellationToken);
            try
            {
                await Importing.Progress.ShowAsync(() => run.Progress.Phase, () => run.Progress.Head, () => run.Progress.Position, work).ConfigureAwait(false);
            }
            catch (Exception e) when (e is RebuildUnderWayException or TimeoutException)
            {
                throw new EnvironmentException(e.Message);
            }
            catch (ProjectionFaultException e)
            {
                await Console.Error.WriteLineAsync($"mbp: The ledger cannot be folded: {e.Message} The tables that serve are as they were.").ConfigureAwait(false);
                return 1;
            }

            var report = await work.ConfigureAwait(false);
            await ledger.SayAsync(parsed, () => ToJson(report), () => ToText(report)).ConfigureAwait(false);
            // A comparison that was asked for and not made is no "equal".
            return !report.DigestEqual ? 1 : report is { Swapped: false, Position: 0 } ? 2 : 0;
        });
        return rebuild;
    }

    private static Command Resume()
    {
        var name = new Argument<string>("NAME") { Description = "Which projection." };
        var host = new HostConnection();
        var resume = new Command("resume", "Has a stopped projection try again, on the running host.") { name };
        host.AddTo(resume);
        resume.SetAction(async (parsed, cancellationToken) =>
        {
            using var api = host.Client(parsed);
            var answer = await api.PostAsync($"/v2/projections/{Uri.EscapeDataString(parsed.GetValue(name)!)}/resume", Guid.CreateVersion7().ToString("N"), new { }, cancellationToken).ConfigureAwait(false);
            if (!answer.IsOk)
            {
                throw new EnvironmentException(answer.ToString());
            }

            await parsed.InvocationConfiguration.Output.WriteLineAsync($"{parsed.GetValue(name)} tries again; `mbp projections list` shows how it goes.").ConfigureAwait(false);
            return 0;
        });
        return resume;
    }

    private static IReadOnlyList<TableProjection> Chosen(string? name, bool all) => (name, all) switch
    {
        (null, true) => ReadModels.All,
        (null, false) => throw new EnvironmentException("Which projection? Give its name, or --all."),
        (_, true) => throw new EnvironmentException("Give a name or --all, not both."),
        _ => ReadModels.All.FirstOrDefault(projection => projection.Name == name) is { } found
            ? [found]
            : throw new EnvironmentException($"There is no projection '{name}'; there are {string.Join(", ", ReadModels.All.Select(projection => projection.Name))}."),
    };

    private static string ToText(IReadOnlyList<ProjectionRecord> records, long head)
    {
        var text = new StringBuilder(string.Create(CultureInfo.InvariantCulture, $"head       {head}"));
        foreach (var record in records)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n{record.Name,-14} v{record.Version}  position {record.Position}, {head - record.Position} behind, built {record.BuiltAt}");
            if (record.Fault is { } fault)
            {
                text.Append(CultureInfo.InvariantCulture, $"\n    STOPPED at {fault.Type}, position {fault.Position}, since {fault.At}: {fault.Cause}");
            }
        }

        return text.ToString();
    }

    private static string ToJson(IReadOnlyList<ProjectionRecord> records, long head) => JsonSerializer.Serialize(
        new
        {
            head,
            items = records.Select(r => new
            {
                name = r.Name, version = r.Version, position = r.Position, behind = head - r.Position, builtAt = r.BuiltAt.ToString(),
                fault = r.Fault is { } f ? new { position = f.Position, type = f.Type, cause = f.Cause, at = f.At.ToString() } : null,
            }),
        },
        Importing.ImportReport.Json);

    private static string ToText(RebuildReport report)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"folded     {report.Events} events in {report.FoldSeconds:0.0} s, indexed in {report.IndexSeconds:0.0} s, compared in {report.CompareSeconds:0.0} s; {report.EventsPerSecond:0} events/s\n");
        foreach (var table in report.Tables)
        {
            text.Append(CultureInfo.InvariantCulture, $"{table.Comparison,-10} {table.Table,-20} {table.Rows,10} rows  {table.Digest}\n");
        }

        var compared = report.Position > 0 ? string.Create(CultureInfo.InvariantCulture, $" at position {report.Position}") : "";
        return text.Append(report switch
        {
            { DigestEqual: false, Swapped: true } => $"The old rows were NOT what the events say{compared}. The new ones serve now; the old ones are kept in mbp_old for a minute.",
            { DigestEqual: false } => $"The rows that serve are NOT what the events say{compared}. Nothing was changed (--dry-run).",
            { Swapped: true } => "The new tables serve.",
            _ => "Nothing was changed (--dry-run).",
        }).ToString();
    }

    private static string ToJson(RebuildReport report) => JsonSerializer.Serialize(
        new
        {
            projections = report.Projections, events = report.Events, eventsPerSecond = Math.Round(report.EventsPerSecond),
            foldSeconds = Math.Round(report.FoldSeconds, 3), indexSeconds = Math.Round(report.IndexSeconds, 3),
            compareSeconds = Math.Round(report.CompareSeconds, 3), totalSeconds = Math.Round(report.TotalSeconds, 3),
            position = report.Position, digestEqual = report.DigestEqual, swapped = report.Swapped,
            tables = report.Tables.Select(t => new { table = t.Table, rows = t.Rows, digest = t.Digest, comparison = t.Comparison }),
        },
        Importing.ImportReport.Json);
}

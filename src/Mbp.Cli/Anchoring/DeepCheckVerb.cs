using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Mbp.Cli.Auditing;
using Mbp.Cli.Files;
using Mbp.Domain.Governance.Custody;
using Mbp.Ledger.Postgres.Custody;

namespace Mbp.Cli.Anchoring;

/// <summary><c>mbp anchor deep-check</c>: every stored event and its salt give the entry that the public log has of it.</summary>
internal static class DeepCheckVerb
{
    public static Command Create()
    {
        var from = new Option<long>("--from") { Description = "The first position.", DefaultValueFactory = _ => 1 };
        var to = new Option<long?>("--to") { Description = "The last position; the ledger's head otherwise." };
        var verb = new Command("deep-check", "Holds every stored event, with its salt, to its entry in the public log and that to its hash.") { from, to };
        var ledger = new LedgerOptions().AddTo(verb);
        verb.SetAction(async (parsed, cancellationToken) =>
        {
            await using var database = await ledger.OpenAsync(parsed, cancellationToken).ConfigureAwait(false);
            await using var check = new DeepCheck(database.Connections, database.Store, Erasable.Of);
            var head = await database.Store.HeadAsync(cancellationToken).ConfigureAwait(false);
            var (first, last) = (parsed.GetValue(from), parsed.GetValue(to) ?? head);
            if (first < 1 || first > Math.Max(1, head))
            {
                throw new EnvironmentException(string.Create(CultureInfo.InvariantCulture, $"--from is a position from 1 to {head}, the ledger's head, not {first}."));
            }

            if (last < Math.Min(first, head) || last > head)
            {
                throw new EnvironmentException(string.Create(CultureInfo.InvariantCulture, $"--to is a position from --from, {first}, to {head}, the ledger's head, not {last}."));
            }

            var (after, upTo) = (first - 1, last);
            var watch = Stopwatch.StartNew();
            await Importing.Progress.ShowAsync("events", Math.Max(0, upTo - after), () => check.Position, check.RunAsync(after, upTo, cancellationToken)).ConfigureAwait(false);
            var seconds = Math.Max(watch.Elapsed.TotalSeconds, 0.001);
            await ledger.SayAsync(parsed, () => ToJson(check.Report, seconds), () => ToText(check.Report, seconds)).ConfigureAwait(false);
            return check.Report.Holds ? 0 : 1;
        });
        return verb;
    }

    private static string ToText(DeepCheckReport report, double seconds)
    {
        var text = new StringBuilder(string.Create(CultureInfo.InvariantCulture, $"leaves     {report.Checks} checks in {seconds:0.0} s, {report.Checks / seconds:0} events/s; {report.Voids} void\n{LeafWords.Erased(report)}"));
        foreach (var fault in report.Faults.Take(LeafWords.Shown))
        {
            text.Append(CultureInfo.InvariantCulture, $"\nFAULT at position {fault.Position} ({fault.Kind}): {fault.What}");
        }

        return text.Append(report.Holds ? "\nwhat is stored is what the log committed to" : string.Create(CultureInfo.InvariantCulture, $"\nWHAT IS STORED IS NOT WHAT THE LOG COMMITTED TO: {report.FaultCount} faults")).ToString();
    }

    private static string ToJson(DeepCheckReport report, double seconds) => JsonSerializer.Serialize(
        new
        {
            checks = report.Checks, seconds = Math.Round(seconds, 3), eventsPerSecond = Math.Round(report.Checks / seconds), voids = report.Voids, erased = report.ErasedCount, erasedPositions = report.Erased,
            faults = report.Faults.Select(fault => new { position = fault.Position, kind = fault.Kind.ToString(), what = fault.What }), faultCount = report.FaultCount, holds = report.Holds,
        },
        Importing.ImportReport.Json);
}

/// <summary>How a deep check is told, here and in a replay.</summary>
internal static class LeafWords
{
    /// <summary>More faults than this are counted.</summary>
    public const int Shown = 20;

    public static string Erased(DeepCheckReport report) => report.ErasedCount == 0
        ? "erased     none"
        : string.Create(
            CultureInfo.InvariantCulture,
            $"erased     {report.ErasedCount} events have lost a text; at {string.Join(", ", report.Erased.Take(Shown))}{(report.ErasedCount > Shown ? ", ..." : "")}\n           taken on trust there: that the rest of the body and the headers were so before the erasure; since then its event holds them");
}

using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Mbp.Cli.Auditing;
using Mbp.Cli.Files;
using Mbp.Domain;
using Mbp.Domain.Audit;
using Mbp.Domain.Governance;
using Mbp.Ledger;
using Mbp.Ledger.Json;
using Mbp.Ledger.Log;
using Mbp.Ledger.Postgres.Custody;
using Mbp.Ledger.Postgres.Log;

namespace Mbp.Cli.Anchoring;

/// <summary><c>mbp anchor export DIR</c>: the public log as a folder of files, for mirrors, auditors and a day without the host (ADR 0011).</summary>
internal static class ExportVerb
{
    public static Command Create()
    {
        var folder = new Argument<string>("DIR") { Description = "A folder that is not there yet, or is empty." };
        var market = new Option<string[]>("--market") { Description = "Only this market, as one self-contained file; may be given more than once." };
        var export = new Command("export", "Writes the public log up to its newest checkpoint as files that anybody can verify offline (tools/verify_anchor).") { folder, market };
        var ledger = new LedgerOptions().AddTo(export);
        export.SetAction(async (parsed, cancellationToken) =>
        {
            await using var database = await ledger.OpenAsync(parsed, cancellationToken).ConfigureAwait(false);
            var run = new ExportRun(database, parsed.GetValue(folder)!, parsed.GetValue(market) ?? []);
            try
            {
                var report = await run.GoAsync(cancellationToken).ConfigureAwait(false);
                await ledger.SayAsync(parsed, () => JsonSerializer.Serialize(report, Importing.ImportReport.Json), report.ToText).ConfigureAwait(false);
                return 0;
            }
            catch (ExportRefusedException e)
            {
                await parsed.InvocationConfiguration.Error.WriteLineAsync(
                    $"mbp: Nothing is exported: {e.Message}\n     The folder has no MANIFEST and proves nothing. Keep the database as it is; see docs/runbooks, and run `mbp audit replay`.").ConfigureAwait(false);
                return 1;
            }
        });
        return export;
    }
}

/// <param name="Folder">Where.</param>
/// <param name="Size">The events that the checkpoint covers.</param>
/// <param name="Root">Its root, hex.</param>
/// <param name="Markets">Settled markets in the index, or the markets that were asked for.</param>
/// <param name="Files">Without the manifest.</param>
/// <param name="Bytes">Of all files.</param>
/// <param name="ManifestRoot">The root over all files.</param>
/// <param name="Seconds">How long it took.</param>
/// <param name="EventsPerSecond">How fast.</param>
/// <param name="Single">Whether only single markets were asked for.</param>
internal sealed record ExportReport(
    string Folder, long Size, string Root, int Markets, int Files, long Bytes, string ManifestRoot, double Seconds, long EventsPerSecond, bool Single)
{
    public string ToText() => string.Create(
        CultureInfo.InvariantCulture,
        $"""
         exported   {(Single ? $"{Markets} markets of a log" : $"the log with {Markets} settled markets,")} of {Size} events: {Files} files, {Bytes / 1_000_000.0:0.0} MB to {Folder}
         took       {Seconds:0.0} s{(Single ? "" : $", {EventsPerSecond} events/s")}
         checkpoint {Root}
         manifest   {ManifestRoot}
         check it   tools/verify_anchor {(Single ? $"market {Folder}/markets/ID.json" : $"log {Folder}")} --vkey KEY   (a key from before this export: the folder's own, in vkeys, proves nothing to a stranger)
         """);
}

/// <summary>One export.</summary>
internal sealed class ExportRun(LedgerAccess database, string path, IReadOnlyList<string> markets)
{
    private readonly EventCatalog _catalog = Slices.Catalog();
    private readonly Stopwatch _watch = Stopwatch.StartNew();

    public async Task<ExportReport> GoAsync(CancellationToken cancellationToken)
    {
        await using var export = new LogExport(database.Connections, database.Store);
        var log = await export.NewestAsync(cancellationToken).ConfigureAwait(false);
        var folder = ExportFolder.Create(path);
        await export.WriteHeadAsync(log, folder, cancellationToken).ConfigureAwait(false);
        var written = markets.Count == 0
            ? await WholeAsync(export, log, folder, cancellationToken).ConfigureAwait(false)
            : await SinglesAsync(log, folder, cancellationToken).ConfigureAwait(false);
        await RefuseUnannouncedAsync(log.Checkpoint.Size, cancellationToken).ConfigureAwait(false);
        var root = await folder.SealAsync(cancellationToken).ConfigureAwait(false);
        var seconds = _watch.Elapsed.TotalSeconds;
        return new ExportReport(
            path, log.Checkpoint.Size, log.Checkpoint.Root.ToString(), written, folder.Files, folder.Bytes, root.ToString(), Math.Round(seconds, 2),
            (long)(log.Checkpoint.Size / Math.Max(seconds, 0.001)), Single: markets.Count > 0);
    }

    // Bodies are read as they are now: one that was erased after the checkpoint would look like one that was suppressed.
    private async Task RefuseUnannouncedAsync(long size, CancellationToken cancellationToken)
    {
        var later = (await Erasures.ReadAsync(database.Store, cancellationToken).ConfigureAwait(false)).FirstOrDefault(erasure => erasure.At > size);
        if (later is not null)
        {
            throw new EnvironmentException(string.Create(
                CultureInfo.InvariantCulture,
                $"Position {later.Position} was erased, which position {later.At} says, and the newest checkpoint ends at {size}: a stranger could not see that it was announced. Nothing is exported (the folder has no MANIFEST). Have the log signed (mbp anchor checkpoint), then export again into an empty folder."));
        }
    }

    private async Task<int> WholeAsync(LogExport export, PublishedLog log, ExportFolder folder, CancellationToken cancellationToken)
    {
        var scopes = new MarketScopes(_catalog);
        var work = export.WriteTreeAsync(log, folder, scopes.Observe, cancellationToken);
        await Importing.Progress.ShowAsync("events", log.Checkpoint.Size, () => export.Position, work).ConfigureAwait(false);
        await RulesetsAsync(scopes.All, folder, cancellationToken).ConfigureAwait(false);
        var settled = scopes.Settled.ToList();
        await folder.WriteAsync(ExportPaths.MarketIndex, MarketIndex.Format(settled), cancellationToken).ConfigureAwait(false);
        return settled.Count;
    }

    private async Task<int> SinglesAsync(PublishedLog log, ExportFolder folder, CancellationToken cancellationToken)
    {
        await using var reader = database.Connections.Open(Ledger.Postgres.RoleConnections.ReaderRole);
        var files = new List<MarketScope>();
        foreach (var id in markets.Distinct(StringComparer.Ordinal))
        {
            var scope = await ScopeAsync(id, log.Checkpoint.Size, cancellationToken).ConfigureAwait(false);
            files.Add(scope);
            var events = new List<StoredEvent>();
            foreach (var stream in scope.Streams)
            {
                await foreach (var stored in database.Store.ReadStreamAsync(StreamId.Parse(stream), 0, cancellationToken).ConfigureAwait(false))
                {
                    if (stored.Position > (scope.SettledAt ?? log.Checkpoint.Size))
                    {
                        break;
                    }

                    events.Add(stored);
                }
            }

            events.Sort((a, b) => a.Position.CompareTo(b.Position));
            var proven = await LogProofs.OfAsync(reader, log.Checkpoint, events, cancellationToken).ConfigureAwait(false);
            var file = new MarketFile(
                log.Note, [.. log.Keys.Select(key => key.Key.ToString())], Rulesets.Find(scope.Ruleset) is { } rules ? RulesetFile.Of(rules) : null, scope,
                [.. proven.Select(p => new MarketFileEvent(p.Event, p.Entry, p.Path))]);
            await folder.WriteAsync(ExportPaths.Market(id), file.ToUtf8(), cancellationToken).ConfigureAwait(false);
        }

        await RulesetsAsync(files, folder, cancellationToken).ConfigureAwait(false);
        return files.Count;
    }

    private async Task<MarketScope> ScopeAsync(string id, long size, CancellationToken cancellationToken)
    {
        var market = Domain.Units.Identifier.IsValid(id) ? new Domain.Markets.MarketId(id) : throw new EnvironmentException($"'{id}' is no market's id.");
        var scopes = new MarketScopes(_catalog);
        foreach (var stream in new[] { market.Stream, market.Resolution })
        {
            await foreach (var stored in database.Store.ReadStreamAsync(stream, 0, cancellationToken).ConfigureAwait(false))
            {
                if (stored.Position <= size)
                {
                    scopes.Observe(stored);
                }
            }
        }

        return scopes.All.SingleOrDefault() ?? throw new EnvironmentException($"There is no market '{id}' in the {size} events that the newest checkpoint covers.");
    }

    private static async Task RulesetsAsync(IEnumerable<MarketScope> scopes, ExportFolder folder, CancellationToken cancellationToken)
    {
        foreach (var name in scopes.Select(scope => scope.Ruleset).Distinct(StringComparer.Ordinal))
        {
            if (Rulesets.Find(name) is { } rules)
            {
                await folder.WriteAsync(ExportPaths.Ruleset(name), JsonSerializer.SerializeToUtf8Bytes(RulesetFile.Of(rules), LedgerJson.Options), cancellationToken).ConfigureAwait(false);
            }
        }
    }
}

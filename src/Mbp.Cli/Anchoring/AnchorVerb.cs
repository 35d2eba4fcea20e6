using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Mbp.Cli.Api;
using Mbp.Cli.Auditing;
using Mbp.Cli.Files;
using Mbp.Ledger.Log;
using Mbp.Ledger.Postgres.Log;

namespace Mbp.Cli.Anchoring;

/// <summary><c>mbp anchor ...</c>: the public log. <c>status</c> and <c>rebuild --check</c> speak with the database alone, so they work while no host runs.</summary>
internal static class AnchorVerb
{
    public static Command Create() => new("anchor", "The ledger as a public log: its checkpoints and its tree.") {
        Status(), Sign(), Rebuild(), ExportVerb.Create(), DeepCheckVerb.Create(), EpochVerb.Create(), PublishVerb.Create(), VerifyVerb.Create(), FilesVerb.Create(),
    };

    private static Command Status()
    {
        var status = new Command("status", "Where the log stands: the ledger's head, the newest checkpoint, the last signed head, the keys.");
        var ledger = new LedgerOptions().AddTo(status);
        status.SetAction(async (parsed, cancellationToken) =>
        {
            await using var database = await ledger.OpenAsync(parsed, cancellationToken).ConfigureAwait(false);
            await using var log = await LogAsync(database, ledger.Data(parsed), cancellationToken).ConfigureAwait(false);
            var head = await database.Store.HeadAsync(cancellationToken).ConfigureAwait(false);
            var newest = await log.Store.NewestAsync(log.Epoch, cancellationToken).ConfigureAwait(false);
            var keys = await log.Store.KeysAsync(log.Epoch, cancellationToken).ConfigureAwait(false);
            var cosignatures = newest is null ? [] : await log.Store.CosignaturesAsync(log.Epoch, newest.Size, cancellationToken).ConfigureAwait(false);
            var checkpoints = await log.Store.CountAsync(log.Epoch, cancellationToken).ConfigureAwait(false);
            var (last, fault) = LastSigned(log);
            if (fault is null && newest is not null && last is null)
            {
                fault = $"{log.LastSigned.FilePath} is missing: the log will not be signed until somebody puts the newest checkpoint there.";
            }

            fault ??= last is not null && last.Size > head ? $"{last.Size} leaves were signed, and the ledger ends at {head}: it was cut off, or restored from an older copy." : null;
            await ledger.SayAsync(
                parsed,
                () => JsonSerializer.Serialize(
                    new
                    {
                        origin = log.Origin, epoch = log.Epoch, head, signed = newest?.Size ?? 0, unsigned = head - (newest?.Size ?? 0), root = newest is null ? null : Convert.ToBase64String(newest.Root.ToArray()),
                        at = newest?.At.ToString(), checkpoints, cosignatures = cosignatures.Count, lastSigned = last?.Size, fault,
                        keys = keys.Select(key => new { keyId = key.Id, vkey = key.Key.ToString(), from = key.From, until = key.Until, here = File.Exists(log.Keys.PathOf(key.Key)) }),
                    },
                    Importing.ImportReport.Json),
                () => Text(log, head, newest, checkpoints, cosignatures.Count, last, keys, fault)).ConfigureAwait(false);
            return fault is null ? 0 : 1;
        });
        return status;
    }

    private static Command Sign()
    {
        var (host, postgres) = (new HostConnection(), LedgerOptions.Postgres());
        var offline = new Option<bool>("--stored") { Description = "Print the newest checkpoint as it is stored; ask no host." };
        var sign = new Command("checkpoint", "Has the running host sign the log up to its head, now, and prints the checkpoint. A halted keeper tries again.") { offline, postgres };
        host.AddTo(sign);
        sign.SetAction(async (parsed, cancellationToken) =>
        {
            var output = parsed.InvocationConfiguration.Output;
            if (parsed.GetValue(offline))
            {
                await using var database = await LedgerAccess.OpenAsync(host.Data(parsed), parsed.GetValue(postgres), cancellationToken).ConfigureAwait(false);
                await using var log = await LogAsync(database, host.Data(parsed), cancellationToken).ConfigureAwait(false);
                var newest = await log.NewestAsync(cancellationToken).ConfigureAwait(false) ?? throw new EnvironmentException("Nothing was signed yet.");
                await output.WriteAsync(newest.Note.Format()).ConfigureAwait(false);
                return 0;
            }

            using var api = host.Client(parsed);
            var answer = await api.PostAsync("/v2/log/checkpoint", Guid.CreateVersion7().ToString("N"), new { }, cancellationToken).ConfigureAwait(false);
            if (answer.Code.StartsWith("log.halted", StringComparison.Ordinal))
            {
                await Console.Error.WriteLineAsync($"mbp: The log is halted ({answer.Code}): {answer.Text("detail")}").ConfigureAwait(false);
                return 1;
            }

            await output.WriteAsync(answer.IsOk ? answer.Text("note") : throw new EnvironmentException($"{answer.Code}: {answer.Text("detail")}")).ConfigureAwait(false);
            return 0;
        });
        return sign;
    }

    private static Command Rebuild()
    {
        var check = new Option<bool>("--check") { Description = "Compare only; the log's tables are never written by this command." };
        var rebuild = new Command("rebuild", "Makes the whole log again from its leaves and compares: the root at every checkpoint, every tile, every note.") { check };
        var ledger = new LedgerOptions().AddTo(rebuild);
        rebuild.SetAction(async (parsed, cancellationToken) =>
        {
            if (!parsed.GetValue(check))
            {
                throw new EnvironmentException("The log is only ever added to: there is nothing to rebuild but in comparison. Give --check.");
            }

            await using var database = await ledger.OpenAsync(parsed, cancellationToken).ConfigureAwait(false);
            await using var log = await LogAsync(database, ledger.Data(parsed), cancellationToken).ConfigureAwait(false);
            var run = new LogRebuild(log, database.Connections);
            var head = await database.Store.HeadAsync(cancellationToken).ConfigureAwait(false);
            var work = run.RunAsync(cancellationToken);
            await Importing.Progress.ShowAsync("events", head, () => run.Position, work).ConfigureAwait(false);
            var report = await work.ConfigureAwait(false);
            await ledger.SayAsync(
                parsed,
                () => JsonSerializer.Serialize(
                    new { origin = log.Origin, size = report.Size, checkpoints = report.Checkpoints, tiles = report.Tiles, resigned = report.Resigned, holds = report.Holds, differences = report.Differences, epochs = report.Epochs, evidenceOnly = report.EvidenceOnly },
                    Importing.ImportReport.Json),
                () => Text(report)).ConfigureAwait(false);
            return report.Holds ? 0 : 1;
        });
        return rebuild;
    }

    /// <summary>The log of a data folder.</summary>
    internal static async Task<PublicLog> LogAsync(LedgerAccess database, string data, CancellationToken cancellationToken) =>
        await PublicLog.TryOpenAsync(database.Connections, Path.Combine(data, "log"), cancellationToken).ConfigureAwait(false)
        ?? throw new EnvironmentException("This ledger has no public log yet: it begins with the host's first start.");

    private static (Checkpoint? Last, string? Fault) LastSigned(PublicLog log)
    {
        try
        {
            return (log.LastSigned.Read() is { } note ? Checkpoint.Of(note) : null, null);
        }
        catch (LogHaltException e)
        {
            return (null, e.Fault.What);
        }
    }

    private static string Text(
        PublicLog log, long head, StoredCheckpoint? newest, long checkpoints, int cosignatures, Checkpoint? last, IReadOnlyList<LogKeyRecord> keys, string? fault)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"log          {log.Origin}\nhead         {head}\n");
        text.Append(newest is null
            ? "signed       nothing yet\n"
            : string.Create(CultureInfo.InvariantCulture, $"signed       {newest.Size} ({head - newest.Size} to go), root {Convert.ToBase64String(newest.Root.ToArray())}, {newest.At}, {cosignatures} cosignatures\ncheckpoints  {checkpoints}\n"));
        text.Append(CultureInfo.InvariantCulture, $"last signed  {(last is null ? "no file" : last.Size.ToString(CultureInfo.InvariantCulture))} ({log.LastSigned.FilePath})\n");
        text.Append(KeysVerb.Text(keys, log.Keys));
        return (fault is null ? text : text.Append(CultureInfo.InvariantCulture, $"\nFAULT: {fault}")).ToString();
    }

    private static string Text(LogRebuildReport report)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{report.Size} leaves, {report.Checkpoints} checkpoints, {report.Tiles} full tiles, {report.Resigned} signatures made again");
        foreach (var difference in report.Differences)
        {
            text.Append(CultureInfo.InvariantCulture, $"\nDIFFERS {difference}");
        }

        foreach (var evidence in report.EvidenceOnly ?? [])
        {
            text.Append(CultureInfo.InvariantCulture, $"\nEVIDENCE {evidence}");
        }

        return text.Append(report.Holds ? "\nThe log is what its leaves say, at every size that was signed." : "\nThe log is NOT what its leaves say.").ToString();
    }
}

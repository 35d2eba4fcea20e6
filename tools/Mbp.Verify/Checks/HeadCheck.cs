using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Mbp.Verify.Output;
using Mbp.Verify.Sites;
using NodaTime;

namespace Mbp.Verify.Checks;

/// <summary>The signed head of a log: whose it is, how old, and whether it goes on from where others saw it.</summary>
internal sealed class HeadCheck(ISite site, Trust trust, Report report)
{
    private const int MaxHistory = 100_000;

    /// <summary>The site's checkpoint, believed or not; null where it cannot be read.</summary>
    public async Task<Checkpoint?> RunAsync(long minSize, Duration? maxAge, Instant now, CancellationToken cancellationToken)
    {
        if (maxAge is not null && trust.Policy is not { Witnesses.Count: > 0 })
        {
            throw new CannotAskException("--max-age needs --policy with witnesses: only their cosignatures say when a checkpoint was the newest.");
        }

        if (await site.ReadAsync(ExportPaths.Checkpoint, cancellationToken).ConfigureAwait(false) is not { } bytes)
        {
            throw new CannotAskException($"{site.Name} has no file 'checkpoint': it is no log. Give the folder of `mbp anchor export`, or https://HOST/log.");
        }

        try
        {
            var note = SignedNote.Parse(bytes);
            var checkpoint = Checkpoint.Of(note);
            Believe(note, checkpoint, maxAge, now);
            if (checkpoint.Size < minSize)
            {
                report.Fault(FaultKind.Shrunk, $"the log has {checkpoint.Size} events, at least {minSize} were asked for", ExportPaths.Checkpoint);
            }

            return checkpoint;
        }
        catch (LogFormatException e)
        {
            report.Fault(FaultKind.Format, e.Message, ExportPaths.Checkpoint);
            return null;
        }
    }

    /// <summary>Holds the log against a checkpoint that somebody kept.</summary>
    public async Task ExtendsAsync(string file, byte[] kept, Checkpoint checkpoint, CancellationToken cancellationToken)
    {
        SignedNote note;
        Checkpoint old;
        try
        {
            note = SignedNote.Parse(kept);
            old = Checkpoint.Of(note);
        }
        catch (LogFormatException e)
        {
            throw new CannotAskException($"{file} is no checkpoint: {e.Message}", e);
        }

        if (trust.WhyNot(note, old) is { } why)
        {
            throw new CannotAskException($"{file} proves nothing: {why}.");
        }

        if (await ExtendsAsync(file, old, checkpoint, cancellationToken).ConfigureAwait(false))
        {
            report.Checked($"extends    the checkpoint of {old.Size} events in {file}");
        }
    }

    /// <summary>Whether the log's tree begins with another.</summary>
    public async Task<bool> ExtendsAsync(string file, Checkpoint old, Checkpoint checkpoint, CancellationToken cancellationToken)
    {
        if (old.Origin != checkpoint.Origin)
        {
            throw new CannotAskException($"{file} is of the log {old.Origin}, this log is {checkpoint.Origin}.");
        }

        if (old.Size > checkpoint.Size)
        {
            report.Fault(FaultKind.Shrunk, $"the log shows {checkpoint.Size} events; {file} is its signed word that there were {old.Size}", ExportPaths.Checkpoint);
            return false;
        }

        if (old.Size == checkpoint.Size)
        {
            if (old.Root != checkpoint.Root)
            {
                report.Fault(FaultKind.Fork, $"for the same {old.Size} events {file} has the root {old.Root}, the log now {checkpoint.Root}", ExportPaths.Checkpoint);
            }

            return old.Root == checkpoint.Root;
        }

        try
        {
            var proof = await TileTree.For(checkpoint, new SiteTiles(site)).ConsistencyAsync(old.Size, cancellationToken).ConfigureAwait(false);
            if (old.Size == 0 ? old.Root == MerkleTree.Empty : MerkleProof.VerifyConsistency(old.Size, checkpoint.Size, old.Root, checkpoint.Root, proof))
            {
                return true;
            }

            report.Fault(
                FaultKind.Fork, $"the first {old.Size} of the log's {checkpoint.Size} events are not those that {file} was signed over (root {old.Root})", ExportPaths.Checkpoint);
        }
        catch (LogFaultException e)
        {
            report.Fault(e);
        }
        catch (WithheldException e)
        {
            report.Fault(FaultKind.Missing, e.Message, e.Path);
        }

        return false;
    }

    /// <summary>The older checkpoints that the site itself shows.</summary>
    public async Task HistoryAsync(Checkpoint checkpoint, CancellationToken cancellationToken)
    {
        if (await site.ReadAsync(ExportPaths.Checkpoints, cancellationToken).ConfigureAwait(false) is not { } bytes)
        {
            return;
        }

        var count = 0;
        try
        {
            foreach (var line in System.Text.Encoding.UTF8.GetString(bytes).Split('\n', StringSplitOptions.RemoveEmptyEntries).Take(MaxHistory))
            {
                using var document = System.Text.Json.JsonDocument.Parse(line);
                var note = SignedNote.Parse(document.RootElement.GetProperty("note").GetString() ?? "");
                var old = Checkpoint.Of(note);
                count++;
                if (trust.WhyNot(note, old) is { } why)
                {
                    report.Fault(FaultKind.Signature, $"line {count}: {why}", ExportPaths.Checkpoints);
                }
                else
                {
                    await ExtendsAsync($"{ExportPaths.Checkpoints} line {count}", old, checkpoint, cancellationToken).ConfigureAwait(false);
                }
            }

            report.Checked($"history    {count} older checkpoints that others have a word for");
        }
        catch (Exception e) when (e is LogFormatException or System.Text.Json.JsonException or InvalidOperationException or KeyNotFoundException or CannotAskException)
        {
            report.Fault(FaultKind.Format, $"line {count + 1}: {e.Message}", ExportPaths.Checkpoints);
        }
    }

    private void Believe(SignedNote note, Checkpoint checkpoint, Duration? maxAge, Instant now)
    {
        if (trust.WhyNot(note, checkpoint) is { } why)
        {
            report.Fault(FaultKind.Signature, why, ExportPaths.Checkpoint);
        }
        else
        {
            report.Checked($"checkpoint {checkpoint.Origin}, {checkpoint.Size} events, root {checkpoint.Root}");
        }

        if (trust.Policy is not { Witnesses.Count: > 0 } policy)
        {
            report.Note($"No witness was asked for (--policy FILE): a log that shows different people different histories is not seen by one of them alone.");
            return;
        }

        var check = policy.Check(note);
        if (!check.Satisfied)
        {
            report.Fault(FaultKind.Quorum, string.Join(' ', check.Missing), ExportPaths.Checkpoint);
            return;
        }

        report.Checked($"witnesses  {string.Join(", ", check.Cosigned.Select(pair => $"{pair.Key.Name} at {pair.Value}"))}");
        if (maxAge is { } limit && !(now - check.At <= limit))
        {
            report.Fault(
                FaultKind.Stale, $"witnesses saw it last at {(check.At is { } at ? at : "an unknown time")}, which is more than {limit.TotalSeconds:0} s ago", ExportPaths.Checkpoint);
        }
    }
}

using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Npgsql;

namespace Mbp.Ledger.Postgres.Log;

/// <summary>
/// The public log as files (ADR 0011): the tiles and entries of C2SP, and what a stranger needs to open them. Everything is hashed again on the
/// way, and what does not lead to the signed root is not exported. Memory does not grow with the ledger, but for 100 bytes a file.
/// </summary>
public sealed class LogExport(RoleConnections connections, PostgresEventStore store) : IAsyncDisposable
{
    private readonly NpgsqlDataSource _reader = connections.Open(RoleConnections.ReaderRole);
    private long _position;

    /// <summary>How far the export has come.</summary>
    public long Position => Interlocked.Read(ref _position);

    public ValueTask DisposeAsync() => _reader.DisposeAsync();

    /// <summary>What the export will be of.</summary>
    /// <inheritdoc cref="PublishedLog.NewestAsync" path="/exception"/>
    public Task<PublishedLog> NewestAsync(CancellationToken cancellationToken) => PublishedLog.NewestAsync(_reader, cancellationToken);

    /// <summary>Writes the checkpoint, its keys, older checkpoints that others have a word for, and their receipts.</summary>
    public async Task WriteHeadAsync(PublishedLog log, ExportFolder folder, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(log);
        ArgumentNullException.ThrowIfNull(folder);
        await folder.WriteAsync(ExportPaths.Checkpoint, log.Note.ToUtf8(), cancellationToken).ConfigureAwait(false);
        await folder.WriteAsync(ExportPaths.VerifierKeys, string.Concat(log.Keys.Reverse().OrderBy(key => key.UntilSize is not null).Select(Line)), cancellationToken).ConfigureAwait(false);
        await WriteCheckpointsAsync(log, folder, cancellationToken).ConfigureAwait(false);
        await WriteAnchorsAsync(log, folder, cancellationToken).ConfigureAwait(false);

        static string Line(LogKey key) =>
            string.Create(CultureInfo.InvariantCulture, $"{key.Key} {key.FromSize} {(key.UntilSize is { } until ? until.ToString(CultureInfo.InvariantCulture) : "-")}\n");
    }

    /// <summary>Writes tiles, entries and events.</summary>
    /// <param name="seen">Called for each event, in order and on one thread.</param>
    /// <exception cref="ExportRefusedException">What is stored is not what was signed.</exception>
    public async Task WriteTreeAsync(PublishedLog log, ExportFolder folder, Action<StoredEvent>? seen, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(log);
        ArgumentNullException.ThrowIfNull(folder);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var bundles = Channel.CreateBounded<Task<Bundle>>(Math.Clamp(2 * Environment.ProcessorCount, 4, 32));
        var reading = Task.Run(() => ReadAsync(log.Checkpoint.Size, folder, seen, bundles.Writer, stop.Token), CancellationToken.None);
        var (upper, subtrees) = (new TileBuilder(), new MerkleFrontier());
        IReadOnlyList<MerkleHash> rest = [];
        try
        {
            await foreach (var making in bundles.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                var bundle = await making.ConfigureAwait(false);
                Interlocked.Add(ref _position, bundle.Hashes.Length);
                if (bundle.Hashes.Length < TilePath.FullWidth)
                {
                    rest = bundle.Hashes;
                    continue;
                }

                var above = MerkleTree.Root(bundle.Hashes);
                subtrees.Append(above);
                foreach (var tile in upper.Append(above))
                {
                    await folder.WriteAsync(TilePath.Tile(tile.Level + 1, tile.Index).ToString(), tile.Hashes, cancellationToken).ConfigureAwait(false);
                }
            }
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        foreach (var (path, hashes) in upper.PartialTiles())
        {
            await folder.WriteAsync(TilePath.Tile(path.Level + 1, path.Index, path.Width).ToString(), hashes, cancellationToken).ConfigureAwait(false);
        }

        var last = new MerkleFrontier();
        foreach (var hash in rest)
        {
            last.Append(hash);
        }

        if (new MerkleFrontier(log.Checkpoint.Size, [.. subtrees.Roots, .. last.Roots]).Root() is var root && root != log.Checkpoint.Root)
        {
            throw await WhereAsync(log, root, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task ReadAsync(long size, ExportFolder folder, Action<StoredEvent>? seen, ChannelWriter<Task<Bundle>> bundles, CancellationToken cancellationToken)
    {
        Exception? fault = null;
        try
        {
            var events = store.ReadRangeAsync(0, size, cancellationToken).GetAsyncEnumerator(cancellationToken);
            await using (events.ConfigureAwait(false))
            {
                var more = await events.MoveNextAsync().ConfigureAwait(false);
                var lines = new List<Line>(TilePath.FullWidth);
                await foreach (var entry in StoredEntries.ReadAsync(_reader, size, cancellationToken).ConfigureAwait(false))
                {
                    var stored = more && events.Current.Position == entry.Position ? events.Current : null;
                    if (stored is not null)
                    {
                        seen?.Invoke(stored);
                        more = await events.MoveNextAsync().ConfigureAwait(false);
                    }

                    lines.Add(new Line(entry, Event(entry, stored)));
                    if (lines.Count == TilePath.FullWidth || entry.Position == size)
                    {
                        var full = lines;
                        lines = new List<Line>(TilePath.FullWidth);
                        await bundles.WriteAsync(Task.Run(() => WriteAsync(full, folder, cancellationToken), CancellationToken.None), cancellationToken).ConfigureAwait(false);
                    }
                }
            }
        }
        catch (Exception e)
        {
            fault = e;
            throw;
        }
        finally
        {
            bundles.Complete(fault);
        }
    }

    private static ExportedEvent Event(StoredEntry entry, StoredEvent? stored)
    {
        var isVoid = entry.Bytes.Span.SequenceEqual(ExportedEvent.VoidEntry.Span);
        return isVoid == (stored is null)
            ? new ExportedEvent(entry.Position, stored, ExportedEvent.IsErasedSalt(entry.Salt.Span) ? default : entry.Salt)
            : throw new ExportRefusedException(
                isVoid ? $"At position {entry.Position} the log has a void entry, the ledger an event: it was put in later."
                : $"At position {entry.Position} the log has an entry, the ledger has no event: it was deleted.",
                entry.Position);
    }

    private static async Task<Bundle> WriteAsync(List<Line> lines, ExportFolder folder, CancellationToken cancellationToken)
    {
        var index = (lines[0].Entry.Position - 1) / TilePath.FullWidth;
        var hashes = new MerkleHash[lines.Count];
        var tile = new byte[lines.Count * MerkleHash.Size];
        var text = new ArrayBufferWriter<byte>(lines.Sum(line => 256 + (line.Event.Event is { } e ? e.Data.Length + e.Headers.Length : 0)));
        var scratch = new ArrayBufferWriter<byte>(512);
        for (var i = 0; i < hashes.Length; i++)
        {
            var entry = lines[i].Entry;
            hashes[i] = MerkleTree.LeafHash(entry.Bytes.Span);
            if (hashes[i] != entry.StoredHash)
            {
                throw new ExportRefusedException($"The entry at position {entry.Position} does not have the hash that was stored with it: one of them was changed.", entry.Position);
            }

            if (lines[i].Event.Differs(entry.Bytes.Span, scratch) is { } difference)
            {
                throw new ExportRefusedException($"The event at position {entry.Position} is not the one that the log has there: {difference}. `mbp anchor deep-check` says more.", entry.Position);
            }

            hashes[i].CopyTo(tile.AsSpan(i * MerkleHash.Size));
            lines[i].Event.Write(text);
        }

        await folder.WriteAsync(TilePath.Bundle(index, hashes.Length).ToString(), EntryBundle.Format([.. lines.Select(line => line.Entry.Bytes)]), cancellationToken).ConfigureAwait(false);
        await folder.WriteAsync(TilePath.Tile(0, index, hashes.Length).ToString(), tile, cancellationToken).ConfigureAwait(false);
        await folder.WriteAsync(ExportPaths.Events(index), text.WrittenMemory, cancellationToken).ConfigureAwait(false);
        return new Bundle(hashes);
    }

    // Goes over the leaves once more, to say between which two signed sizes the history stopped being the signed one.
    private async Task<ExportRefusedException> WhereAsync(PublishedLog log, MerkleHash root, CancellationToken cancellationToken)
    {
        var signed = new SortedDictionary<long, MerkleHash>();
        await using (var command = _reader.CreateCommand("SELECT size, root FROM ledger_checkpoint WHERE epoch = $1 AND size <= $2"))
        {
            command.Parameters.Add(new() { Value = log.Epoch });
            command.Parameters.Add(new() { Value = log.Checkpoint.Size });
            await using var row = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            while (await row.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                signed[row.GetInt64(0)] = new MerkleHash(row.GetFieldValue<byte[]>(1));
            }
        }

        var (tree, good) = (new MerkleFrontier(), 0L);
        await foreach (var entry in StoredEntries.ReadAsync(_reader, log.Checkpoint.Size, cancellationToken).ConfigureAwait(false))
        {
            tree.Append(MerkleTree.LeafHash(entry.Bytes.Span));
            if (signed.TryGetValue(tree.Size, out var then))
            {
                if (tree.Root() != then)
                {
                    return new ExportRefusedException(
                        $"The leaves do not lead to the signed root: an entry between positions {good + 1} and {tree.Size} is not the one that was signed (root {tree.Root()} at size {tree.Size}, signed {then}).",
                        good + 1);
                }

                good = tree.Size;
            }
        }

        return new ExportRefusedException($"The leaves lead to the root {root}, signed is {log.Checkpoint.Root}; every older checkpoint of ledger_checkpoint holds, up to size {good}.", good + 1);
    }

    private async Task WriteCheckpointsAsync(PublishedLog log, ExportFolder folder, CancellationToken cancellationToken)
    {
        var notes = new List<(long Size, SignedNote Note)>();
        await using (var command = _reader.CreateCommand(
            """
            SELECT size, note FROM ledger_checkpoint c WHERE epoch = $1 AND size < $2
            AND (EXISTS (SELECT FROM ledger_cosignature s WHERE s.epoch = c.epoch AND s.size = c.size) OR EXISTS (SELECT FROM ledger_anchor a WHERE a.epoch = c.epoch AND a.size = c.size))
            ORDER BY size
            """))
        {
            command.Parameters.Add(new() { Value = log.Epoch });
            command.Parameters.Add(new() { Value = log.Checkpoint.Size });
            await using var row = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            while (await row.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                notes.Add((row.GetInt64(0), SignedNote.Parse(row.GetString(1))));
            }
        }

        var text = new StringBuilder();
        foreach (var (size, note) in notes)
        {
            var cosigned = note.With(await PublishedLog.CosignaturesAsync(_reader, log.Epoch, size, note, cancellationToken).ConfigureAwait(false));
            text.Append(JsonSerializer.Serialize(new { size, note = cosigned.Format() }, Json.LedgerJson.Options)).Append('\n');
        }

        if (text.Length > 0)
        {
            await folder.WriteAsync(ExportPaths.Checkpoints, text.ToString(), cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task WriteAnchorsAsync(PublishedLog log, ExportFolder folder, CancellationToken cancellationToken)
    {
        var index = new StringBuilder();
        await using var command = _reader.CreateCommand("SELECT size, kind, ref, receipt, at FROM ledger_anchor WHERE epoch = $1 AND size <= $2 ORDER BY size, kind, ref");
        command.Parameters.Add(new() { Value = log.Epoch });
        command.Parameters.Add(new() { Value = log.Checkpoint.Size });
        await using var row = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        for (var number = 1; await row.ReadAsync(cancellationToken).ConfigureAwait(false); number++)
        {
            var (size, kind) = (row.GetInt64(0), row.GetString(1));
            var name = string.Create(CultureInfo.InvariantCulture, $"anchors/{size}-{new string([.. kind.Where(char.IsAsciiLetterOrDigit)])}-{number}");
            await folder.WriteAsync(name, row.GetFieldValue<byte[]>(3), cancellationToken).ConfigureAwait(false);
            index.Append(JsonSerializer.Serialize(new { size, kind, @ref = row.GetString(2), at = row.GetDateTime(4).ToInstant(), file = name }, Json.LedgerJson.Options)).Append('\n');
        }

        if (index.Length > 0)
        {
            await folder.WriteAsync("anchors/index.jsonl", index.ToString(), cancellationToken).ConfigureAwait(false);
        }
    }

    private readonly record struct Line(StoredEntry Entry, ExportedEvent Event);

    private sealed record Bundle(MerkleHash[] Hashes);
}

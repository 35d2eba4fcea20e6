using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Npgsql;

namespace Mbp.Ledger.Postgres.Log;

/// <summary>What a rebuild found.</summary>
/// <param name="Size">The leaves that it went through.</param>
/// <param name="Checkpoints">Checkpoints compared.</param>
/// <param name="Tiles">Full tiles compared.</param>
/// <param name="Resigned">Signatures made again, byte by byte the same; those of keys that are gone are only verified.</param>
/// <param name="Differences">What does not hold, by size, tile or position; the first of many.</param>
/// <param name="Epochs">The logs whose checkpoints were compared.</param>
/// <param name="EvidenceOnly">Heads of logs that were given up which only the evidence has: this ledger cannot bear them out.</param>
public sealed record LogRebuildReport(
    long Size, long Checkpoints, long Tiles, long Resigned, IReadOnlyList<string> Differences, int Epochs = 1, IReadOnlyList<string>? EvidenceOnly = null)
{
    public bool Holds => Differences.Count == 0;
}

/// <summary>
/// Makes the whole log again out of its leaves, in one pass, and compares: the root at every checkpoint, the bytes of every full tile, and every
/// note, signed again where the key is here (Ed25519 is deterministic). It writes nothing.
/// </summary>
public sealed class LogRebuild(PublicLog log, RoleConnections connections)
{
    private const int MostDifferences = 20;
    private const int CheckpointsAtATime = 1_000;

    private readonly List<string> _differences = [];
    private readonly List<string> _evidenceOnly = [];
    private readonly List<Epoch> _epochs = [];
    private long _compared;
    private long _tiles;
    private long _resigned;
    private long _signed;

    /// <summary>The last position that was gone through.</summary>
    public long Position { get; private set; }

    public async Task<LogRebuildReport> RunAsync(CancellationToken cancellationToken)
    {
        var builder = new TileBuilder();
        foreach (var record in await log.Store.LogsAsync(cancellationToken).ConfigureAwait(false))
        {
            // The log may grow meanwhile: what was signed at the start is compared, and everything under it was stored by then.
            var signed = (await log.Store.NewestAsync(record.Epoch, cancellationToken).ConfigureAwait(false))?.Size ?? 0;
            _epochs.Add(new Epoch(record, await log.Store.KeysAsync(record.Epoch, cancellationToken).ConfigureAwait(false), signed));
            _signed = Math.Max(_signed, signed);
        }

        await using var pool = RoleConnections.Pool("mbp_rebuild", connections.Reader, c =>
        {
            c.Pooling = false;
            c.Options = $"{c.Options} -c enable_seqscan=off -c enable_sort=off -c jit=off".Trim();
        });
        await using var session = await pool.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using var tiles = await StoredTiles.OpenAsync(pool, cancellationToken).ConfigureAwait(false);
        var last = TryLastSigned();
        foreach (var epoch in _epochs)
        {
            await NextCheckpointsAsync(epoch, cancellationToken).ConfigureAwait(false);
        }

        try
        {
            await foreach (var (_, hashes) in new LeafRows().ReadAsync(session, 0, int.MaxValue, cancellationToken).ConfigureAwait(false))
            {
                for (var taken = 0; taken < hashes.Length;)
                {
                    // Up to the next size that was signed, wherever within a commit it lies.
                    var stop = Math.Min(_epochs.Min(epoch => epoch.Next), last is not null && last.Size > builder.Size ? last.Size : long.MaxValue);
                    var take = (int)Math.Min(hashes.Length - taken, stop - builder.Size);
                    foreach (var tile in builder.Append(hashes.Span.Slice(taken, take)))
                    {
                        await CompareAsync(tile, tiles, cancellationToken).ConfigureAwait(false);
                    }

                    taken += take;
                    Position = builder.Size;
                    if (last is not null && last.Size == builder.Size && last.Root != builder.Root())
                    {
                        Differ($"size {last.Size}: the last signed head has the root {last.Root}, the leaves have {builder.Root()}");
                    }

                    foreach (var epoch in _epochs.Where(epoch => epoch.Next == builder.Size))
                    {
                        Compare(epoch, epoch.Checkpoints.Dequeue(), builder.Root());
                        await NextCheckpointsAsync(epoch, cancellationToken).ConfigureAwait(false);
                    }
                }
            }
        }
        catch (LogHaltException e)
        {
            Differ($"position {e.Fault.Position}: {e.Fault.What}");
            return Report(builder.Size);
        }

        foreach (var beyond in _epochs.SelectMany(epoch => epoch.Checkpoints))
        {
            Differ($"size {beyond.Size}: a checkpoint was signed, and the ledger ends at {builder.Size}");
        }

        await EvidenceAsync(cancellationToken).ConfigureAwait(false);

        if (last is not null && last.Size > builder.Size && last.Size >= _signed)
        {
            Differ($"size {last.Size}: the last signed head is beyond the ledger's end, {builder.Size}");
        }

        foreach (var left in await tiles.LeftAsync(cancellationToken).ConfigureAwait(false))
        {
            Differ($"{left}: stored, and the leaves do not fill it");
        }

        return Report(builder.Size);
    }

    private LogRebuildReport Report(long size) => new(size, _compared, _tiles, _resigned, _differences, _epochs.Count, _evidenceOnly);

    private void Differ(string what)
    {
        if (_differences.Count < MostDifferences)
        {
            _differences.Add(what);
        }
    }

    private Checkpoint? TryLastSigned()
    {
        try
        {
            return log.LastSigned.Read() is { } note && Checkpoint.Of(note) is var head && head.Origin == log.Origin ? head : null;
        }
        catch (LogHaltException e)
        {
            Differ(e.Message);
            return null;
        }
    }

    // What a log that was given up has signed and this database does not have.
    private async Task EvidenceAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<(string File, SignedNote Note)> notes;
        try
        {
            notes = log.Evidence.Notes();
        }
        catch (LogFormatException e)
        {
            Differ($"{log.Evidence.Folder}: a note is none: {e.Message}");
            return;
        }

        foreach (var (file, note) in notes)
        {
            var head = Checkpoint.Of(note);
            var epoch = _epochs.Find(known => known.Record.Origin == head.Origin);
            if (epoch is not null && !epoch.Keys.Any(key => note.Verify(key.Key) == SignatureState.Valid))
            {
                Differ($"{file}: no key of {head.Origin} has signed it");
            }
            else if (epoch is null || (await log.Store.AtAsync(epoch.Record.Epoch, head.Size, cancellationToken).ConfigureAwait(false))?.Root != head.Root)
            {
                _evidenceOnly.Add($"{head.Origin}, size {head.Size}: only in {file}; the database does not have it");
            }
        }
    }

    private async Task NextCheckpointsAsync(Epoch epoch, CancellationToken cancellationToken)
    {
        if (epoch.Checkpoints.Count > 0)
        {
            return;
        }

        IReadOnlyList<StoredCheckpoint> page;
        try
        {
            page = await log.Store.ListAsync(epoch.Record.Epoch, epoch.Listed, CheckpointsAtATime, cancellationToken).ConfigureAwait(false);
        }
        catch (LogFormatException e)
        {
            Differ($"beyond size {epoch.Listed}: a stored note is none: {e.Message}");
            return;
        }

        foreach (var checkpoint in page.TakeWhile(checkpoint => checkpoint.Size <= epoch.Signed))
        {
            epoch.Checkpoints.Enqueue(checkpoint);
            epoch.Listed = checkpoint.Size;
        }
    }

    private async Task CompareAsync(FullTile tile, StoredTiles stored, CancellationToken cancellationToken)
    {
        _tiles++;
        switch (await stored.NextAsync(tile.Level, tile.Index, cancellationToken).ConfigureAwait(false))
        {
            case null when (tile.Index + 1) << (8 * (tile.Level + 1)) > _signed:
                // Full since then: stored with a later checkpoint.
                _tiles--;
                break;
            case null:
                Differ($"{tile.Path}: missing");
                break;
            case var (hashes, root):
                if (!hashes.AsSpan().SequenceEqual(tile.Hashes.Span))
                {
                    var at = Enumerable.Range(0, TilePath.FullWidth).First(i => !hashes.AsSpan(i * MerkleHash.Size, MerkleHash.Size).SequenceEqual(tile.Hashes.Span.Slice(i * MerkleHash.Size, MerkleHash.Size)));
                    Differ($"{tile.Path}: the stored hash {at} is not the one of the leaves (from position {(((tile.Index * TilePath.FullWidth) + at) << (8 * tile.Level)) + 1} on)");
                }
                else if (!root.AsSpan().SequenceEqual(tile.Root.ToArray()))
                {
                    Differ($"{tile.Path}: the stored root is not the one of its hashes");
                }

                break;
        }
    }

    private void Compare(Epoch epoch, StoredCheckpoint stored, MerkleHash root)
    {
        _compared++;
        if (stored.Root != root)
        {
            Differ($"size {stored.Size}: {stored.Root} was recorded, the leaves have the root {root}");
        }

        var text = new Checkpoint(epoch.Record.Origin, stored.Size, root).ToText();
        if (stored.Note.Text != text)
        {
            Differ($"size {stored.Size}: the note is not of this size and root");
            return;
        }

        foreach (var signature in stored.Note.Signatures)
        {
            if (epoch.Keys.FirstOrDefault(key => signature.IsOf(key.Key)) is not { } key || stored.Size < key.From || stored.Size > (key.Until ?? long.MaxValue))
            {
                Differ($"size {stored.Size}: signed by {signature.KeyId:x8}, which is no key of the log for this size");
            }
            else if (log.Keys.Find(key.Key) is { } signer)
            {
                _resigned++;
                if (SignedNote.Sign(text, signer).Signatures[0].Line != signature.Line)
                {
                    Differ($"size {stored.Size}: signed again with {key.Id}, the note has other bytes");
                }
            }
            else if (stored.Note.Verify(key.Key) != SignatureState.Valid)
            {
                Differ($"size {stored.Size}: the signature is not that of {key.Id}");
            }
        }
    }

    /// <summary>One log, and where the comparison is in its checkpoints.</summary>
    private sealed class Epoch(LogRecord record, IReadOnlyList<LogKeyRecord> keys, long signed)
    {
        public LogRecord Record => record;

        public IReadOnlyList<LogKeyRecord> Keys => keys;

        /// <summary>The largest size at the start of the comparison.</summary>
        public long Signed => signed;

        public Queue<StoredCheckpoint> Checkpoints { get; } = new();

        public long Listed { get; set; }

        /// <summary>The next size to be compared.</summary>
        public long Next => Checkpoints.TryPeek(out var next) ? next.Size : long.MaxValue;
    }

    /// <summary>The stored tiles, a cursor for each level: the builder completes the tiles of a level in order.</summary>
    private sealed class StoredTiles(NpgsqlDataSource pool) : IAsyncDisposable
    {
        private readonly List<(NpgsqlConnection Session, NpgsqlCommand Command, NpgsqlDataReader Reader, long? Index)> _levels = [];

        public static async Task<StoredTiles> OpenAsync(NpgsqlDataSource pool, CancellationToken cancellationToken)
        {
            var tiles = new StoredTiles(pool);
            await using var command = pool.CreateCommand("SELECT coalesce(max(level), -1) FROM ledger_tile");
            var top = (int)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
            for (var level = 0; level <= top; level++)
            {
                await tiles.AddAsync(level, cancellationToken).ConfigureAwait(false);
            }

            return tiles;
        }

        /// <summary>The stored tile; null where it is missing. Those before it that nobody asked for are forgotten: the next answer of theirs is missing too.</summary>
        public async Task<(byte[] Hashes, byte[] Root)?> NextAsync(int level, long index, CancellationToken cancellationToken)
        {
            if (level >= _levels.Count || _levels[level].Index is not { } at || at > index)
            {
                return null;
            }

            var reader = _levels[level].Reader;
            var found = at == index ? (reader.GetFieldValue<byte[]>(1), reader.GetFieldValue<byte[]>(2)) : ((byte[], byte[])?)null;
            _levels[level] = _levels[level] with { Index = await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? reader.GetInt64(0) : null };
            return found ?? await NextAsync(level, index, cancellationToken).ConfigureAwait(false);
        }

        /// <summary>The first tile of each level that was not asked for.</summary>
        public Task<IReadOnlyList<TilePath>> LeftAsync(CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<TilePath>>(
            [.. _levels.Select((level, i) => (level.Index, i)).Where(level => level.Index is not null).Select(level => TilePath.Tile(level.i, level.Index!.Value))]);

        public async ValueTask DisposeAsync()
        {
            foreach (var (session, command, reader, _) in _levels)
            {
                command.Cancel();
                await reader.DisposeAsync().ConfigureAwait(false);
                await command.DisposeAsync().ConfigureAwait(false);
                await session.DisposeAsync().ConfigureAwait(false);
            }
        }

        private async Task AddAsync(int level, CancellationToken cancellationToken)
        {
            var session = await pool.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            var command = new NpgsqlCommand("SELECT idx, hashes, root FROM ledger_tile WHERE level = $1 ORDER BY idx", session) { CommandTimeout = 0, Parameters = { new() { Value = level } } };
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            _levels.Add((session, command, reader, await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? reader.GetInt64(0) : null));
        }
    }
}

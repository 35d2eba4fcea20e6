using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Npgsql;

namespace Mbp.Ledger.Postgres.Log;

/// <summary>An event's entry in the log.</summary>
/// <param name="Bytes">The entry.</param>
/// <param name="Hash">Its leaf hash, computed from the bytes.</param>
/// <param name="Salt">What opens its commitments; null where it was erased.</param>
public sealed record LogEntry(ReadOnlyMemory<byte> Bytes, MerkleHash Hash, ReadOnlyMemory<byte>? Salt);

/// <summary>
/// The log's tiles and entry bundles out of the tables: full tiles as they are stored, partial ones made of what is below them. It serves any
/// that the ledger has; which of them are signed is the caller's question.
/// </summary>
public sealed class LogTiles(LogStore store) : ITileReader
{
    // From the row that holds a position to the row that holds another: two look-ups, and no row beyond.
    private const string RowsBetween =
        "FROM ledger_leaf WHERE last_position >= $1 AND last_position <= (SELECT l.last_position FROM ledger_leaf l WHERE l.last_position >= $2 ORDER BY l.last_position LIMIT 1) ORDER BY last_position";

    /// <exception cref="LogFaultException">The tables do not have it.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> ReadAsync(TilePath path, CancellationToken ct) =>
        path.IsEntries ? await EntriesAsync(path, ct).ConfigureAwait(false)
        : await FullAsync(path, ct).ConfigureAwait(false) is { } full ? full.AsMemory(0, path.Width * MerkleHash.Size)
        : path.IsFull ? throw Missing(path)
        : path.Level == 0 ? await HashesAsync(path, ct).ConfigureAwait(false)
        : await RootsAsync(path, ct).ConfigureAwait(false);

    /// <summary>A builder that goes on where a tree of the given size ended.</summary>
    public async Task<TileBuilder> ContinueAsync(long size, CancellationToken cancellationToken)
    {
        var edge = new List<MerkleHash>();
        foreach (var path in TilePath.Edge(size))
        {
            var hashes = await ReadAsync(path, cancellationToken).ConfigureAwait(false);
            for (var i = 0; i < path.Width; i++)
            {
                edge.Add(new MerkleHash(hashes.Span.Slice(i * MerkleHash.Size, MerkleHash.Size)));
            }
        }

        return new TileBuilder(size, edge);
    }

    /// <summary>The entry of a position; null where the ledger has none.</summary>
    public async Task<LogEntry?> EntryAsync(long position, CancellationToken cancellationToken)
    {
        await using var command = store.Readers.CreateCommand(
            """
            SELECT l.first_position, l.leaves, s.salts
            FROM (SELECT * FROM ledger_leaf WHERE last_position >= $1 ORDER BY last_position LIMIT 1) l JOIN ledger_salt s USING (last_position)
            """);
        command.Parameters.Add(new() { Value = position });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        if (!await reader.ReadAsync(cancellationToken).ConfigureAwait(false) || reader.GetInt64(0) > position)
        {
            return null;
        }

        var index = (int)(position - reader.GetInt64(0));
        var entry = LeafBatch.Entry(reader.GetFieldValue<byte[]>(1), index);
        var salt = LeafBatch.Salt(reader.GetFieldValue<byte[]>(2), index);
        return new LogEntry(entry, MerkleTree.LeafHash(entry.Span), salt.Span.ContainsAnyExcept((byte)0) ? salt : null);
    }

    private async Task<byte[]?> FullAsync(TilePath path, CancellationToken cancellationToken)
    {
        await using var command = store.Readers.CreateCommand("SELECT hashes FROM ledger_tile WHERE level = $1 AND idx = $2");
        command.Parameters.AddRange(new NpgsqlParameter[] { new() { Value = path.Level }, new() { Value = path.Index } });
        return (byte[]?)await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task<ReadOnlyMemory<byte>> HashesAsync(TilePath path, CancellationToken cancellationToken)
    {
        var (first, tile) = ((path.Index * TilePath.FullWidth) + 1, new byte[path.Width * MerkleHash.Size]);
        var next = first;
        await using var command = Between("hashes", first, first + path.Width - 1);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            var (start, end, hashes) = (reader.GetInt64(0), reader.GetInt64(1), reader.GetFieldValue<byte[]>(2));
            var upTo = Math.Min(end, first + path.Width - 1);
            if (start > next || hashes.Length != (end - start + 1) * MerkleHash.Size)
            {
                throw Missing(path);
            }

            hashes.AsSpan((int)(next - start) * MerkleHash.Size, (int)(upTo - next + 1) * MerkleHash.Size).CopyTo(tile.AsSpan((int)(next - first) * MerkleHash.Size));
            next = upTo + 1;
        }

        return next == first + path.Width ? tile : throw Missing(path);
    }

    private async Task<ReadOnlyMemory<byte>> RootsAsync(TilePath path, CancellationToken cancellationToken)
    {
        var tile = new byte[path.Width * MerkleHash.Size];
        await using var command = store.Readers.CreateCommand("SELECT root FROM ledger_tile WHERE level = $1 AND idx >= $2 AND idx < $3 ORDER BY idx");
        var first = path.Index * TilePath.FullWidth;
        command.Parameters.AddRange(new NpgsqlParameter[] { new() { Value = path.Level - 1 }, new() { Value = first }, new() { Value = first + path.Width } });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var count = 0;
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            reader.GetFieldValue<byte[]>(0).CopyTo(tile, MerkleHash.Size * count++);
        }

        return count == path.Width ? tile : throw Missing(path);
    }

    private async Task<ReadOnlyMemory<byte>> EntriesAsync(TilePath path, CancellationToken cancellationToken)
    {
        // The rows are bundles themselves: what of them is asked for is copied as it is.
        using var bundle = new MemoryStream();
        var first = (path.Index * TilePath.FullWidth) + 1;
        var next = first;
        await using var command = Between("leaves", first, first + path.Width - 1);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            var position = reader.GetInt64(0);
            if (position > next)
            {
                throw Missing(path);
            }

            foreach (var entry in LeafBatch.Entries(reader.GetFieldValue<byte[]>(2)))
            {
                if (position == next && next < first + path.Width)
                {
                    bundle.WriteByte((byte)(entry.Length >> 8));
                    bundle.WriteByte((byte)(entry.Length & 0xff));
                    bundle.Write(entry.Span);
                    next++;
                }

                position++;
            }
        }

        return next == first + path.Width ? bundle.ToArray() : throw Missing(path);
    }

    private NpgsqlCommand Between(string column, long first, long last)
    {
        var command = store.Readers.CreateCommand($"SELECT first_position, last_position, {column} {RowsBetween}");
        command.Parameters.AddRange(new NpgsqlParameter[] { new() { Value = first }, new() { Value = last } });
        return command;
    }

    private static LogFaultException Missing(TilePath path) => new(
        path.IsEntries ? LogFaultKind.Entry : LogFaultKind.Tile, $"The tables do not have {path}.", path, path.IsEntries || path.Level == 0 ? (path.Index * TilePath.FullWidth) + 1 : null);
}

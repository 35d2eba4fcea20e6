using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Npgsql;

namespace Mbp.Ledger.Postgres.Log;

/// <summary>An entry with all that proves it: what stands behind it, its bytes, and the path to the signed root.</summary>
public sealed record ProvenEvent(ExportedEvent Event, ReadOnlyMemory<byte> Entry, IReadOnlyList<MerkleHash> Path);

/// <summary>Proves many entries at once, in one pass over the leaves; only the tiles that lie beside their paths are kept.</summary>
public static class LogProofs
{
    /// <summary>The events with their proofs, in order.</summary>
    /// <param name="events">In order of position, all of them covered by the checkpoint.</param>
    /// <exception cref="ExportRefusedException">What is stored is not what was signed.</exception>
    public static async Task<IReadOnlyList<ProvenEvent>> OfAsync(
        NpgsqlDataSource reader, Checkpoint checkpoint, IReadOnlyList<StoredEvent> events, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(events);
        var needed = events.SelectMany(e => Above(e.Position - 1)).ToHashSet();
        var (tiles, builder, entries) = (new Tiles(), new TileBuilder(), new List<StoredEntry>(events.Count));
        await foreach (var entry in StoredEntries.ReadAsync(reader, checkpoint.Size, cancellationToken).ConfigureAwait(false))
        {
            if (entries.Count < events.Count && events[entries.Count].Position == entry.Position)
            {
                // The row's bytes are shared by a whole commit: what is kept is copied out.
                entries.Add(entry with { Bytes = entry.Bytes.ToArray(), Salt = entry.Salt.ToArray() });
            }

            foreach (var tile in builder.Append(MerkleTree.LeafHash(entry.Bytes.Span)))
            {
                if (needed.Contains((tile.Level, tile.Index)))
                {
                    tiles.Add(tile.Path, tile.Hashes);
                }
            }
        }

        foreach (var (path, hashes) in builder.PartialTiles())
        {
            tiles.Add(path, hashes);
        }

        try
        {
            var tree = TileTree.For(checkpoint, tiles);
            var proven = new List<ProvenEvent>(events.Count);
            for (var i = 0; i < events.Count; i++)
            {
                var salt = ExportedEvent.IsErasedSalt(entries[i].Salt.Span) ? default : entries[i].Salt;
                proven.Add(new ProvenEvent(
                    new ExportedEvent(events[i].Position, events[i], salt), entries[i].Bytes, await tree.InclusionAsync(events[i].Position - 1, cancellationToken).ConfigureAwait(false)));
            }

            return proven;
        }
        catch (LogFaultException e)
        {
            throw new ExportRefusedException($"The leaves do not lead to the signed root: {e.Message} A full export says where.", e.Position, e);
        }
    }

    private static IEnumerable<(int Level, long Index)> Above(long leaf)
    {
        for (var (level, index) = (0, leaf >> 8); ; (level, index) = (level + 1, index >> 8))
        {
            yield return (level, index);
            if (index == 0)
            {
                yield break;
            }
        }
    }

    private sealed class Tiles : ITileReader
    {
        private readonly Dictionary<TilePath, ReadOnlyMemory<byte>> _tiles = [];

        public void Add(TilePath path, ReadOnlyMemory<byte> hashes) => _tiles[path] = hashes;

        public ValueTask<ReadOnlyMemory<byte>> ReadAsync(TilePath path, CancellationToken ct) => ValueTask.FromResult(_tiles[path]);
    }
}

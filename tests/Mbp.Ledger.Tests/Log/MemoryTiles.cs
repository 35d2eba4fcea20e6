using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;

namespace Mbp.Ledger.Tests.Log;

/// <summary>The tiles of a tree as a builder gives them.</summary>
internal sealed class MemoryTiles : ITileReader
{
    private readonly Dictionary<TilePath, ReadOnlyMemory<byte>> _tiles = [];

    public MemoryTiles(int size, MerkleHash[] leaves)
    {
        var builder = new TileBuilder();
        foreach (var tile in builder.Append(leaves.AsSpan(0, size)))
        {
            _tiles.Add(tile.Path, tile.Hashes);
        }

        foreach (var (path, hashes) in builder.PartialTiles())
        {
            _tiles.Add(path, hashes);
        }
    }

    public List<TilePath> Read { get; } = [];

    public IEnumerable<TilePath> Paths => _tiles.Keys;

    public ValueTask<ReadOnlyMemory<byte>> ReadAsync(TilePath path, CancellationToken ct)
    {
        Read.Add(path);
        return ValueTask.FromResult(_tiles[path]);
    }

    public void Damage(TilePath path, int bit) => _tiles[path] = Keys.Damaged(_tiles[path].Span, bit);

    public void Replace(TilePath path, byte[] bytes) => _tiles[path] = bytes;
}

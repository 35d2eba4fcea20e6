using Mbp.Ledger.Merkle;

namespace Mbp.Ledger.Log;

/// <summary>A tile and the nodes of the tree between its hashes and its root.</summary>
internal sealed class HashTile
{
    private readonly List<MerkleHash[]> _levels;

    /// <param name="bytes">As many hashes as the tile is wide, or those of the wider tile that took its place.</param>
    public HashTile(TilePath path, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < path.Width * MerkleHash.Size || bytes.Length > TilePath.FullWidth * MerkleHash.Size || bytes.Length % MerkleHash.Size != 0)
        {
            throw new LogFaultException(LogFaultKind.Tile, $"{path} has {bytes.Length} bytes, not {path.Width * MerkleHash.Size}.", path, FirstPosition(path));
        }

        var hashes = new MerkleHash[path.Width];
        for (var i = 0; i < hashes.Length; i++)
        {
            hashes[i] = new MerkleHash(bytes.Slice(i * MerkleHash.Size, MerkleHash.Size));
        }

        _levels = [hashes];
        while (_levels[^1] is { Length: > 1 } below)
        {
            // A last one without a sibling stands in no full subtree.
            var above = new MerkleHash[below.Length / 2];
            for (var i = 0; i < above.Length; i++)
            {
                above[i] = MerkleTree.NodeHash(below[2 * i], below[(2 * i) + 1]);
            }

            _levels.Add(above);
        }
    }

    /// <summary>The root of a full tile.</summary>
    public MerkleHash Root => _levels[^1][0];

    /// <summary>The root of the full subtree of 2^<paramref name="height"/> hashes.</summary>
    public MerkleHash Node(int height, int index) => _levels[height][index];

    /// <summary>The roots of the largest full subtrees, largest first.</summary>
    public IEnumerable<MerkleHash> Subtrees => Enumerable.Reverse(_levels).Where(level => level.Length % 2 == 1).Select(level => level[^1]);

    /// <summary>The position of the first event under a tile; null where no position is so large.</summary>
    public static long? FirstPosition(TilePath path)
    {
        var bits = 8 * (path.IsEntries ? 1 : path.Level + 1);
        return bits < 63 && path.Index <= long.MaxValue >> bits ? (path.Index << bits) + 1 : null;
    }
}

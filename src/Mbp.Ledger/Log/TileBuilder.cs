using System.Numerics;
using Mbp.Ledger.Merkle;

namespace Mbp.Ledger.Log;

/// <summary>A tile that no later leaf changes.</summary>
/// <param name="Level">From 0, the leaf hashes.</param>
/// <param name="Index">Which one on its level, from 0.</param>
/// <param name="Hashes">8,192 bytes: 256 hashes.</param>
/// <param name="Root">The hash that stands for the tile on the level above.</param>
public sealed record FullTile(int Level, long Index, ReadOnlyMemory<byte> Hashes, MerkleHash Root)
{
    public TilePath Path => TilePath.Tile(Level, Index);
}

/// <summary>
/// A growing tree cut into tiles: full ones are handed over as they are completed, and only the right edge (at most 255 hashes a level) is kept.
/// One thread at a time.
/// </summary>
public sealed class TileBuilder
{
    // The tree's levels that a tile spans.
    private const int Height = 8;

    // The hashes of the partial tile of each level, and the roots of the tree's full subtrees, largest first: one for each bit of the size.
    private readonly List<List<MerkleHash>> _edge = [];
    private readonly List<MerkleHash> _roots = [];

    /// <summary>The empty tree.</summary>
    public TileBuilder()
    {
    }

    /// <summary>Continues a tree.</summary>
    /// <param name="size">Its leaves.</param>
    /// <param name="edge">What <see cref="Edge"/> gave: the hashes of the partial tiles of <see cref="TilePath.Edge"/>, one tile after the other.</param>
    /// <exception cref="ArgumentException">A tree of this size has more or fewer hashes on its edge.</exception>
    public TileBuilder(long size, IReadOnlyList<MerkleHash> edge)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        ArgumentNullException.ThrowIfNull(edge);
        Size = size;
        var taken = 0;
        for (var rest = size; rest > 0; rest /= TilePath.FullWidth)
        {
            var width = (int)(rest % TilePath.FullWidth);
            _edge.Add([.. edge.Skip(taken).Take(width)]);
            taken += width;
        }

        if (taken != edge.Count)
        {
            throw new ArgumentException($"The edge of a tree of {size} leaves has {taken} hashes, not {edge.Count}.", nameof(edge));
        }

        foreach (var tile in Enumerable.Reverse(_edge))
        {
            var subtrees = new MerkleFrontier();
            tile.ForEach(subtrees.Append);
            _roots.AddRange(subtrees.Roots);
        }
    }

    /// <summary>The leaves so far.</summary>
    public long Size { get; private set; }

    /// <summary>What a builder needs to continue from here.</summary>
    public IReadOnlyList<MerkleHash> Edge => [.. _edge.SelectMany(tile => tile)];

    /// <summary>The RFC 6962 root of all leaves so far.</summary>
    public MerkleHash Root() => new MerkleFrontier(Size, _roots).Root();

    /// <summary>The partial tiles of the tree as it is now, from the leaves up.</summary>
    public IReadOnlyList<(TilePath Path, byte[] Hashes)> PartialTiles() =>
        [.. TilePath.Edge(Size).Select(path => (path, Bytes(_edge[path.Level])))];

    /// <summary>Appends leaf hashes.</summary>
    /// <returns>The tiles that they completed, of every level, each before the one that holds its root.</returns>
    public IReadOnlyList<FullTile> Append(params ReadOnlySpan<MerkleHash> leaves)
    {
        var completed = new List<FullTile>();
        foreach (var leaf in leaves)
        {
            Append(leaf, completed);
        }

        return completed;
    }

    private void Append(MerkleHash leaf, List<FullTile> completed)
    {
        var node = leaf;
        Put(0, node);
        // Adding one carries through the low 1-bits of the size; every eighth carry completes a tile.
        var carries = BitOperations.TrailingZeroCount(~Size);
        for (var carry = 1; carry <= carries; carry++)
        {
            node = MerkleTree.NodeHash(_roots[^1], node);
            _roots.RemoveAt(_roots.Count - 1);
            if (carry % Height == 0)
            {
                var level = (carry / Height) - 1;
                completed.Add(new FullTile(level, Size >> carry, Bytes(_edge[level]), node));
                _edge[level].Clear();
                Put(level + 1, node);
            }
        }

        _roots.Add(node);
        Size++;
    }

    private void Put(int level, MerkleHash hash)
    {
        if (level == _edge.Count)
        {
            _edge.Add(new List<MerkleHash>(TilePath.FullWidth));
        }

        _edge[level].Add(hash);
    }

    private static byte[] Bytes(List<MerkleHash> hashes)
    {
        var bytes = new byte[hashes.Count * MerkleHash.Size];
        for (var i = 0; i < hashes.Count; i++)
        {
            hashes[i].CopyTo(bytes.AsSpan(i * MerkleHash.Size));
        }

        return bytes;
    }
}

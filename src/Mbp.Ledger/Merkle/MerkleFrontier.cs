using System.Numerics;

namespace Mbp.Ledger.Merkle;

/// <summary>
/// A growing tree of which only the roots of its full subtrees are kept, one for each bit of its size: appending and the root cost O(log n),
/// whatever its length.
/// </summary>
public sealed class MerkleFrontier
{
    private readonly List<MerkleHash> _roots;

    public MerkleFrontier()
        : this(0, [])
    {
    }

    /// <summary>Continues a tree from what <see cref="Roots"/> gave.</summary>
    public MerkleFrontier(long size, IEnumerable<MerkleHash> roots)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        Size = size;
        _roots = [.. roots];
        if (_roots.Count != BitOperations.PopCount((ulong)size))
        {
            throw new ArgumentException($"A tree of {size} leaves has {BitOperations.PopCount((ulong)size)} full subtrees, not {_roots.Count}.", nameof(roots));
        }
    }

    public long Size { get; private set; }

    /// <summary>The roots of the full subtrees, largest first.</summary>
    public IReadOnlyList<MerkleHash> Roots => _roots;

    public void Append(MerkleHash leaf)
    {
        // Adding one carries through the low 1-bits of the size: each of them is a subtree as large as what is being added.
        var node = leaf;
        for (var bits = Size; (bits & 1) == 1; bits >>= 1)
        {
            node = MerkleTree.NodeHash(_roots[^1], node);
            _roots.RemoveAt(_roots.Count - 1);
        }

        _roots.Add(node);
        Size++;
    }

    public MerkleHash Root()
    {
        if (_roots.Count == 0)
        {
            return MerkleTree.Empty;
        }

        var root = _roots[^1];
        for (var i = _roots.Count - 2; i >= 0; i--)
        {
            root = MerkleTree.NodeHash(_roots[i], root);
        }

        return root;
    }
}

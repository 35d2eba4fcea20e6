namespace Mbp.Ledger.Merkle;

/// <summary>
/// The whole tree over a batch's leaves, for many inclusion paths at the price of one root: a path is then a look-up on each level. A last node
/// without a sibling goes up as it is, which is the tree of RFC 6962 built from below.
/// </summary>
internal sealed class MerkleLevels
{
    private readonly List<MerkleHash[]> _levels;

    public MerkleLevels(IReadOnlyList<MerkleHash> leaves)
    {
        _levels = [[.. leaves]];
        while (_levels[^1] is { Length: > 1 } below)
        {
            var above = new MerkleHash[(below.Length + 1) / 2];
            for (var i = 0; i < above.Length; i++)
            {
                above[i] = (2 * i) + 1 < below.Length ? MerkleTree.NodeHash(below[2 * i], below[(2 * i) + 1]) : below[2 * i];
            }

            _levels.Add(above);
        }
    }

    public int Count => _levels[0].Length;

    public MerkleHash Root => Count == 0 ? MerkleTree.Empty : _levels[^1][0];

    public MerkleHash Leaf(int index) => _levels[0][index];

    /// <summary>The siblings on the way from a leaf to the root, from the bottom: the same as <see cref="MerkleProof.Inclusion"/>.</summary>
    public IReadOnlyList<MerkleHash> Path(int index)
    {
        var path = new List<MerkleHash>(_levels.Count);
        foreach (var level in _levels)
        {
            var sibling = index ^ 1;
            if (sibling < level.Length)
            {
                path.Add(level[sibling]);
            }

            index /= 2;
        }

        return path;
    }
}

using System.Numerics;

namespace Mbp.Ledger.Merkle;

/// <summary>Inclusion and consistency proofs of RFC 6962, sections 2.1.1 and 2.1.2; verified as in RFC 9162, sections 2.1.3.2 and 2.1.4.2.</summary>
public static class MerkleProof
{
    /// <summary>The siblings on the way from a leaf to the root, from the bottom.</summary>
    public static IReadOnlyList<MerkleHash> Inclusion(ReadOnlySpan<MerkleHash> leaves, int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, leaves.Length);
        var path = new List<MerkleHash>();
        Path(leaves, index, path);
        return path;
    }

    /// <summary>What proves that the tree of the first <paramref name="first"/> leaves is a prefix of the tree of all.</summary>
    public static IReadOnlyList<MerkleHash> Consistency(ReadOnlySpan<MerkleHash> leaves, int first)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first, leaves.Length);
        var proof = new List<MerkleHash>();
        if (first > 0 && first < leaves.Length)
        {
            Subproof(leaves, first, whole: true, proof);
        }

        return proof;
    }

    public static bool VerifyInclusion(MerkleHash leaf, long index, long size, IReadOnlyList<MerkleHash> path, MerkleHash root)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (index < 0 || index >= size)
        {
            return false;
        }

        var (node, last, hash) = (index, size - 1, leaf);
        foreach (var sibling in path)
        {
            if (last == 0)
            {
                return false;
            }

            if ((node & 1) == 1 || node == last)
            {
                hash = MerkleTree.NodeHash(sibling, hash);
                // A last node without a sibling goes up unchanged until it is a right child.
                var up = (node & 1) == 1 ? 0 : BitOperations.TrailingZeroCount(node);
                (node, last) = (node >> up, last >> up);
            }
            else
            {
                hash = MerkleTree.NodeHash(hash, sibling);
            }

            (node, last) = (node >> 1, last >> 1);
        }

        return last == 0 && hash == root;
    }

    public static bool VerifyConsistency(long first, long second, MerkleHash firstRoot, MerkleHash secondRoot, IReadOnlyList<MerkleHash> proof)
    {
        ArgumentNullException.ThrowIfNull(proof);
        if (first < 0 || first > second)
        {
            return false;
        }

        if (first == second)
        {
            return proof.Count == 0 && firstRoot == secondRoot;
        }

        if (first == 0)
        {
            // Everything extends the empty tree.
            return proof.Count == 0 && firstRoot == MerkleTree.Empty;
        }

        return proof.Count > 0 && Walk(first, second, firstRoot, secondRoot, proof);
    }

    private static bool Walk(long first, long second, MerkleHash firstRoot, MerkleHash secondRoot, IReadOnlyList<MerkleHash> proof)
    {
        // A first tree that is full is its own first node, so the proof leaves it out.
        var next = BitOperations.IsPow2(first) ? 0 : 1;
        var start = next == 0 ? firstRoot : proof[0];
        var skip = BitOperations.TrailingZeroCount(~(first - 1));
        var (node, last) = ((first - 1) >> skip, (second - 1) >> skip);
        var (old, @new) = (start, start);
        for (; next < proof.Count; next++)
        {
            if (last == 0)
            {
                return false;
            }

            if ((node & 1) == 1 || node == last)
            {
                old = MerkleTree.NodeHash(proof[next], old);
                @new = MerkleTree.NodeHash(proof[next], @new);
                var up = (node & 1) == 1 || node == 0 ? 0 : BitOperations.TrailingZeroCount(node);
                (node, last) = (node >> up, last >> up);
            }
            else
            {
                @new = MerkleTree.NodeHash(@new, proof[next]);
            }

            (node, last) = (node >> 1, last >> 1);
        }

        return last == 0 && old == firstRoot && @new == secondRoot;
    }

    private static void Path(ReadOnlySpan<MerkleHash> leaves, int index, List<MerkleHash> path)
    {
        if (leaves.Length == 1)
        {
            return;
        }

        var split = MerkleTree.Split(leaves.Length);
        Path(index < split ? leaves[..split] : leaves[split..], index < split ? index : index - split, path);
        path.Add(MerkleTree.Root(index < split ? leaves[split..] : leaves[..split]));
    }

    private static void Subproof(ReadOnlySpan<MerkleHash> leaves, int first, bool whole, List<MerkleHash> proof)
    {
        if (first == leaves.Length)
        {
            // The verifier knows the first tree's root, and needs the root of every other part.
            if (!whole)
            {
                proof.Add(MerkleTree.Root(leaves));
            }

            return;
        }

        var split = MerkleTree.Split(leaves.Length);
        if (first <= split)
        {
            Subproof(leaves[..split], first, whole, proof);
            proof.Add(MerkleTree.Root(leaves[split..]));
        }
        else
        {
            Subproof(leaves[split..], first - split, whole: false, proof);
            proof.Add(MerkleTree.Root(leaves[..split]));
        }
    }
}

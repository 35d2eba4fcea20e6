using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Mbp.Ledger.Merkle;

namespace Mbp.Domain.Tests.Merkle;

public sealed class MerkleTests
{
    private const int Largest = 40;

    private static readonly MerkleHash[] Leaves = [.. Enumerable.Range(0, Largest).Select(i => MerkleTree.LeafHash(Encoding.UTF8.GetBytes($"entry {i}")))];

    [Fact]
    public void The_empty_root_is_the_hash_of_nothing() =>
        Assert.Equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", MerkleTree.Root([]).ToString());

    [Fact]
    public void The_leaf_of_nothing_is_the_hash_of_its_prefix() =>
        Assert.Equal("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d", MerkleTree.LeafHash([]).ToString());

    [Fact]
    public void A_long_entry_hashes_as_a_short_one_does()
    {
        foreach (var length in (int[])[1022, 1023, 1024, 5000])
        {
            var entry = Enumerable.Range(0, length).Select(i => (byte)(i % 251)).ToArray();
            Assert.Equal(System.Security.Cryptography.SHA256.HashData([0, .. entry]), MerkleTree.LeafHash(entry).ToArray());
        }
    }

    [Fact]
    public void A_frontier_has_the_root_of_all_it_was_given()
    {
        var frontier = new MerkleFrontier();
        for (var size = 0; size <= Largest; size++)
        {
            Assert.Equal(MerkleTree.Root(Leaves.AsSpan(0, size)), frontier.Root());
            frontier = new MerkleFrontier(frontier.Size, frontier.Roots);
            frontier.Append(Leaves[size % Largest]);
        }

        Assert.Throws<ArgumentException>(() => new MerkleFrontier(3, [Leaves[0]]));
    }

    [Fact]
    public void Two_lists_never_share_a_root() =>
        Assert.NotEqual(MerkleTree.Root(Leaves.AsSpan(0, 3)), MerkleTree.Root([.. Leaves[..3], Leaves[2]]));

    [Fact]
    public void Every_inclusion_proof_verifies_and_no_other_index_size_or_leaf_does()
    {
        for (var size = 1; size <= Largest; size++)
        {
            var root = MerkleTree.Root(Leaves.AsSpan(0, size));
            for (var index = 0; index < size; index++)
            {
                var path = MerkleProof.Inclusion(Leaves.AsSpan(0, size), index);
                Assert.True(MerkleProof.VerifyInclusion(Leaves[index], index, size, path, root));
                Assert.False(MerkleProof.VerifyInclusion(Leaves[(index + 1) % Largest], index, size, path, root));
                Assert.False(MerkleProof.VerifyInclusion(Leaves[index], index, size, [.. path, root], root));
                Assert.False(MerkleProof.VerifyInclusion(Leaves[index], size, size, path, root));
                Assert.False(MerkleProof.VerifyInclusion(Leaves[index], -1, size, path, root));
                if (index + 1 < size)
                {
                    Assert.False(MerkleProof.VerifyInclusion(Leaves[index], index + 1, size, path, root));
                }

                if (path.Count > 0)
                {
                    Assert.False(MerkleProof.VerifyInclusion(Leaves[index], index, size, [.. path.Skip(1)], root));
                }
            }
        }
    }

    [Fact]
    public void Every_consistency_proof_verifies_and_no_other_root_does()
    {
        for (var second = 0; second <= Largest; second++)
        {
            for (var first = 0; first <= second; first++)
            {
                var proof = MerkleProof.Consistency(Leaves.AsSpan(0, second), first);
                var (old, @new) = (MerkleTree.Root(Leaves.AsSpan(0, first)), MerkleTree.Root(Leaves.AsSpan(0, second)));
                Assert.True(MerkleProof.VerifyConsistency(first, second, old, @new, proof), $"{first} to {second}");
                Assert.False(MerkleProof.VerifyConsistency(first, second, Leaves[^1], @new, proof));
                Assert.False(MerkleProof.VerifyConsistency(first, second, old, @new, [.. proof, old]));
                Assert.False(MerkleProof.VerifyConsistency(second + 1, second, old, @new, proof));
                if (first > 0 && first < second)
                {
                    Assert.False(MerkleProof.VerifyConsistency(first, second, old, Leaves[^1], proof));
                    Assert.False(MerkleProof.VerifyConsistency(first, second, old, @new, []));
                }
            }
        }
    }

    [Fact]
    public void A_tampered_proof_does_not_verify() => Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes =>
    {
        var (size, bit) = (2 + bytes.Length % (Largest - 1), bytes.Sum(b => b));
        var (index, first) = (bit % size, 1 + bit % (size - 1));
        var root = MerkleTree.Root(Leaves.AsSpan(0, size));
        var path = MerkleProof.Inclusion(Leaves.AsSpan(0, size), index);
        Assert.False(MerkleProof.VerifyInclusion(Leaves[index], index, size, Flip(path, bit), root));
        var proof = MerkleProof.Consistency(Leaves.AsSpan(0, size), first);
        Assert.False(MerkleProof.VerifyConsistency(first, size, MerkleTree.Root(Leaves.AsSpan(0, first)), root, Flip(proof, bit)));
    }).QuickCheckThrowOnFailure();

    private static MerkleHash[] Flip(IReadOnlyList<MerkleHash> hashes, int bit)
    {
        var at = bit % hashes.Count;
        var bytes = hashes[at].ToArray();
        bytes[bit % MerkleHash.Size] ^= (byte)(1 << bit % 8);
        return [.. hashes.Take(at), new MerkleHash(bytes), .. hashes.Skip(at + 1)];
    }
}

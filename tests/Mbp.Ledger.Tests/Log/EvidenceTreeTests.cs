using System.Security.Cryptography;
using System.Text;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Xunit;

namespace Mbp.Ledger.Tests.Log;

public sealed class EvidenceTreeTests
{
    [Fact]
    public void Three_files_and_the_last_one_twice_have_two_roots()
    {
        // The pairing of an odd node with itself makes these two one.
        var three = EvidenceTree.Root([File("a"), File("b"), File("c")]);
        var leaves = new[] { File("a"), File("b"), File("c"), File("c") }.Select(EvidenceTree.Leaf).ToArray();
        Assert.Equal(three, MerkleTree.Root(leaves.AsSpan(0, 3)));
        Assert.NotEqual(three, MerkleTree.Root(leaves));
        Assert.Throws<ArgumentException>(() => EvidenceTree.Root([File("a"), File("b"), File("c"), File("c")]));
    }

    [Fact]
    public void A_leaf_is_the_path_a_nul_and_the_hash() => Assert.Equal(
        SHA256.HashData([0, .. Encoding.UTF8.GetBytes("gates/\u00e7.txt"), 0, .. SHA256.HashData("body"u8)]),
        EvidenceTree.Leaf(new EvidenceFile("gates/\u00e7.txt", new MerkleHash(SHA256.HashData("body"u8)))).ToArray());

    [Fact]
    public void The_order_of_the_files_does_not_matter_and_is_not_a_language_s() => Assert.Equal(
        MerkleTree.Root([EvidenceTree.Leaf(File("B")), EvidenceTree.Leaf(File("a")), EvidenceTree.Leaf(File("\u00e1"))]),
        EvidenceTree.Root([File("\u00e1"), File("a"), File("B")]));

    [Fact]
    public void Every_path_and_every_content_matters()
    {
        var root = EvidenceTree.Root([File("a"), File("b")]);
        Assert.NotEqual(root, EvidenceTree.Root([File("a"), File("b", "other")]));
        Assert.NotEqual(root, EvidenceTree.Root([File("a"), File("c", "b")]));
        Assert.NotEqual(root, EvidenceTree.Root([File("a")]));
        Assert.Equal(MerkleTree.Empty, EvidenceTree.Root([]));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a\0b")]
    public void A_path_that_is_none_is_refused(string path) => Assert.Throws<ArgumentException>(() => EvidenceTree.Root([File(path, "x")]));

    private static EvidenceFile File(string path, string? content = null) => new(path, new MerkleHash(SHA256.HashData(Encoding.UTF8.GetBytes(content ?? path))));
}

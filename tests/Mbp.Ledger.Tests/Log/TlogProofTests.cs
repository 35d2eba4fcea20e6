using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Xunit;

namespace Mbp.Ledger.Tests.Log;

public sealed class TlogProofTests
{
    private static readonly MerkleHash[] Leaves = Keys.Leaves(300);
    private static readonly Checkpoint Tree = new(Keys.Origin, 300, MerkleTree.Root(Leaves));

    [Theory]
    [InlineData(0)]
    [InlineData(255)]
    [InlineData(299)]
    public void A_proof_comes_back_from_its_text_and_verifies(int index)
    {
        var proof = TlogProof.Parse(Proof(index).Format());
        Assert.Equal(Proof(index).Format(), proof.Format());
        Assert.StartsWith($"c2sp.org/tlog-proof@v1\nindex {index}\n", proof.Format(), StringComparison.Ordinal);
        Assert.EndsWith($"\n\n{Keys.Signed(Tree).Format()}", proof.Format(), StringComparison.Ordinal);
        Assert.Equal(Verdict.Good.ToString(), proof.Verify(Leaves[index], Keys.Log.Key).ToString());
    }

    [Fact]
    public void A_proof_of_the_only_entry_has_no_path()
    {
        var proof = new TlogProof(0, [], Keys.Signed(new Checkpoint(Keys.Origin, 1, Leaves[0])));
        Assert.StartsWith($"c2sp.org/tlog-proof@v1\nindex 0\n\n{Keys.Origin}\n1\n", proof.Format(), StringComparison.Ordinal);
        Assert.True(TlogProof.Parse(proof.Format()).Verify(Leaves[0], Keys.Log.Key).Holds);
    }

    [Fact]
    public void Extra_data_is_carried()
    {
        var text = (Proof(7) with { Extra = "a salt"u8.ToArray() }).Format();
        Assert.StartsWith("c2sp.org/tlog-proof@v1\nextra YSBzYWx0\nindex 7\n", text, StringComparison.Ordinal);
        Assert.Equal("a salt"u8.ToArray(), TlogProof.Parse(text).Extra!.Value.ToArray());
        Assert.Null(TlogProof.Parse(Proof(7).Format()).Extra);
    }

    [Fact]
    public void Another_leaf_index_path_tree_or_key_does_not_verify()
    {
        var proof = Proof(7);
        Assert.False(proof.Verify(Leaves[8], Keys.Log.Key).Holds);
        Assert.False((proof with { Index = 8 }).Verify(Leaves[7], Keys.Log.Key).Holds);
        Assert.False((proof with { Path = [.. proof.Path.Skip(1)] }).Verify(Leaves[7], Keys.Log.Key).Holds);
        Assert.False((proof with { Note = Keys.Signed(new Checkpoint(Keys.Origin, 299, MerkleTree.Root(Leaves.AsSpan(0, 299)))) }).Verify(Leaves[7], Keys.Log.Key).Holds);
        using var other = Keys.Private(2);
        Assert.False(proof.Verify(Leaves[7], new Ed25519Signer(Keys.Origin, other).Key).Holds);
        // The log's key under a checkpoint of another origin.
        Assert.False((proof with { Note = Keys.Signed(Tree with { Origin = "elsewhere.example" }) }).Verify(Leaves[7], Keys.Log.Key).Holds);
    }

    [Fact]
    public void Another_spelling_is_no_proof()
    {
        var text = Proof(7).Format();
        Assert.NotNull(TlogProof.Parse(text));
        foreach (var (what, by) in new[]
        {
            ("proof@v1", "proof@v2"), ("index 7", "index 07"), ("index 7", "index -7"), ("index 7", "index"), ("index 7\n", ""), ("index 7", "extra AAA\nindex 7"),
            ("index 7", "index 7\nindex 7"), ("index 7\n", "index 7\nAAAA\n"), ("\n\n", "\n"), ("index 7", "extra AAAA\nextra AAAA\nindex 7"), ("\u2014", "-"),
        })
        {
            var changed = text.Replace(what, by, StringComparison.Ordinal);
            Assert.NotEqual(text, changed);
            Assert.Throws<LogFormatException>(() => TlogProof.Parse(changed));
        }
    }

    private static TlogProof Proof(int index) => new(index, MerkleProof.Inclusion(Leaves, index), Keys.Signed(Tree));
}

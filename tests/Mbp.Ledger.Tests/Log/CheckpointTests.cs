using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using NodaTime;
using Xunit;

namespace Mbp.Ledger.Tests.Log;

public sealed class CheckpointTests
{
    // The example of C2SP tlog-checkpoint and tlog-cosignature, without a key to check it by.
    private const string Foreign = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    private static readonly Checkpoint Ours = new(Keys.Origin, 3, MerkleTree.Root(Keys.Leaves(3)));

    [Fact]
    public void The_example_of_the_specification_is_read_and_written_back()
    {
        var checkpoint = Checkpoint.Parse(Foreign);
        Assert.Equal(("example.com/behind-the-sofa", 20852163L, Foreign), (checkpoint.Origin, checkpoint.Size, checkpoint.ToText()));
        Assert.Equal("0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62", checkpoint.Root.ToString());
        Assert.Equal(checkpoint, Checkpoint.Parse(Foreign));
        Assert.Equal("", checkpoint.Extensions);
    }

    [Fact]
    public void Extension_lines_are_kept_as_they_are_signed() => Assert.Equal(Foreign + "more\nand more\n", Checkpoint.Parse(Foreign + "more\nand more\n").ToText());

    [Theory]
    [InlineData("")]
    [InlineData("o\n3\n")]
    [InlineData("o\n3\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")]
    [InlineData("\n3\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")]
    [InlineData("o\n03\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")]
    [InlineData("o\n+3\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")]
    [InlineData("o\n-3\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")]
    [InlineData("o\n 3\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")]
    [InlineData("o\n\u0663\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")]
    [InlineData("o\n9223372036854775808\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")]
    [InlineData("o\n3\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I\n")]
    [InlineData("o\n3\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n")]
    [InlineData("o\n3\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxqw==\n")]
    [InlineData("o\n3\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n")]
    [InlineData("o\n3\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\na\n\nb\n")]
    [InlineData("o\n3\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\na")]
    public void Another_spelling_is_no_checkpoint(string text) => Assert.Throws<LogFormatException>(() => Checkpoint.Parse(text));

    [Fact]
    public void A_witness_signs_the_time_and_the_text()
    {
        using var witness = Keys.Private(9);
        var key = Cosignature.KeyOf("witness.example/w", witness);
        var at = Instant.FromUnixTimeSeconds(1679315147);
        var line = Cosignature.Sign("witness.example/w", witness, Foreign, at + Duration.FromMilliseconds(900));
        Assert.Equal((at, 72), (Cosignature.Verify(key, Foreign, line), line.Signature.Length));
        Assert.True(Ed25519.Verify(key.PublicKey.Span, System.Text.Encoding.UTF8.GetBytes("cosignature/v1\ntime 1679315147\n" + Foreign), line.Signature.Span[8..]));
        Assert.Equal([0, 0, 0, 0, 0x64, 0x18, 0x50, 0xcb], line.Signature.Span[..8].ToArray());

        var damagedTime = line with { Signature = Keys.Damaged(line.Signature.Span, 63) };
        Assert.Null(Cosignature.Verify(key, Foreign, damagedTime));
        Assert.Null(Cosignature.Verify(key, Ours.ToText(), line));
        Assert.Null(Cosignature.Verify(Keys.Log.Key, Foreign, line));
        Assert.Null(Cosignature.Verify(key, Foreign, line with { Signature = line.Signature[8..] }));
    }

    [Fact]
    public void A_cosignature_stands_in_a_note_beside_the_logs_own()
    {
        using var witness = Keys.Private(9);
        var key = Cosignature.KeyOf("witness.example/w", witness);
        var early = Instant.FromUnixTimeSeconds(1679315147);
        var note = Keys.Signed(Ours);
        Assert.Null(Cosignature.Verify(key, note));
        note = note.With(
            Cosignature.Sign("witness.example/w", witness, note.Text, early + Duration.FromHours(1)), Cosignature.Sign("witness.example/w", witness, note.Text, early));
        Assert.Equal([SignatureState.Valid, SignatureState.Valid], [note.Verify(Keys.Log.Key), note.Verify(key)]);
        Assert.Equal(early + Duration.FromHours(1), Cosignature.Verify(key, SignedNote.Parse(note.Format())));
        Assert.Equal(Ours, Checkpoint.Of(note));
    }
}

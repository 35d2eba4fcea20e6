using System.Text;
using Mbp.Ledger.Log;
using Xunit;

namespace Mbp.Ledger.Tests.Log;

public sealed class SignedNoteTests
{
    private const string Foreign = "This is an example message.\n\n"
        + "\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

    private static readonly VerifierKey ForeignKey = VerifierKey.Parse("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k");

    [Fact]
    public void The_example_of_the_specification_verifies()
    {
        var note = SignedNote.Parse(Encoding.UTF8.GetBytes(Foreign));
        Assert.Equal("This is an example message.\n", note.Text);
        Assert.Equal(SignatureState.Valid, note.Verify(ForeignKey));
        Assert.Equal(Foreign, note.Format());
        Assert.Equal(SignatureState.Absent, note.Verify(Keys.Log.Key));
    }

    [Fact]
    public void A_changed_text_is_invalid_and_not_merely_unsigned() =>
        Assert.Equal(SignatureState.Invalid, SignedNote.Parse(Foreign.Replace("example message", "Example message", StringComparison.Ordinal)).Verify(ForeignKey));

    [Fact]
    public void What_is_signed_here_comes_back_with_all_its_signatures()
    {
        using var second = Keys.Private(2);
        var other = new Ed25519Signer("other.example", second);
        var note = SignedNote.Parse(SignedNote.Sign("Ognuno sta solo\n\ned \u00e8 subito sera.\n", Keys.Log, other).ToUtf8());
        Assert.Equal("Ognuno sta solo\n\ned \u00e8 subito sera.\n", note.Text);
        Assert.Equal([SignatureState.Valid, SignatureState.Valid], [note.Verify(Keys.Log.Key), note.Verify(other.Key)]);
        Assert.Equal([Keys.Origin, "other.example"], note.Signatures.Select(line => line.Name));
    }

    [Fact]
    public void A_key_is_found_by_its_name_and_its_id_together()
    {
        using var second = Keys.Private(2);
        var rotated = new Ed25519Signer(Keys.Origin, second);
        var note = SignedNote.Sign("text\n", Keys.Log);
        Assert.Equal(SignatureState.Absent, note.Verify(rotated.Key));
        // Two lines a note while the key is rotated.
        var both = SignedNote.Sign("text\n", Keys.Log, rotated);
        Assert.Equal([SignatureState.Valid, SignatureState.Valid], [both.Verify(Keys.Log.Key), both.Verify(rotated.Key)]);
        // Under the known name and id, what another key signed.
        var forged = new SignedNote("text\n", [new NoteSignature(Keys.Origin, Keys.Log.Key.KeyId, rotated.Sign("text\n"u8))]);
        Assert.Equal(SignatureState.Invalid, forged.Verify(Keys.Log.Key));
        // A good line does not excuse a bad one.
        Assert.Equal(SignatureState.Invalid, note.With(forged.Signatures).Verify(Keys.Log.Key));
    }

    [Theory]
    [InlineData("")]
    [InlineData("text\n")]
    [InlineData("text\n\n")]
    [InlineData("text\n\n\n")]
    // No blank line, no newline at the end, a hyphen, two spaces, a name with a plus, no base64, nothing but the key's id, a blank line among them.
    [InlineData("text\n\u2014 a AAAAAAA=\n")]
    [InlineData("text\n\n\u2014 a AAAAAAA=")]
    [InlineData("text\n\n- a AAAAAAA=\n")]
    [InlineData("text\n\n\u2014 a  AAAAAAA=\n")]
    [InlineData("text\n\n\u2014 a+b AAAAAAA=\n")]
    [InlineData("text\n\n\u2014 a AAAAAAA\n")]
    [InlineData("text\n\n\u2014 a AAAAAA==\n")]
    [InlineData("text\n\n\u2014 a AAAAAAA=\n\n")]
    [InlineData("text\n\n\u2014 a AAAAAAA=\ntext\n")]
    // Control characters: a return, a tab, NUL.
    [InlineData("text\r\n\n\u2014 a AAAAAAA=\n")]
    [InlineData("te\txt\n\n\u2014 a AAAAAAA=\n")]
    [InlineData("te\0xt\n\n\u2014 a AAAAAAA=\n")]
    [InlineData("text\n\n\u2014 a AAAAAAA=\r\n")]
    // A bit that base64 would drop.
    [InlineData("text\n\n\u2014 a AAAAAAB=\n")]
    public void What_is_not_a_note_is_refused(string note) => Assert.Throws<LogFormatException>(() => SignedNote.Parse(note));

    [Fact]
    public void The_form_of_those_is_otherwise_right() => Assert.Single(SignedNote.Parse("text\n\n\u2014 a AAAAAAA=\n").Signatures);

    [Fact]
    public void Bytes_that_are_not_utf8_are_refused()
    {
        var bytes = Encoding.UTF8.GetBytes(Foreign);
        bytes[3] = 0xff;
        Assert.Throws<LogFormatException>(() => SignedNote.Parse(bytes));
    }

    [Fact]
    public void There_is_a_most_of_signatures_and_of_bytes()
    {
        var line = "\u2014 a AAAAAAA=\n";
        Assert.Equal(SignedNote.MaxSignatures, SignedNote.Parse("text\n\n" + string.Concat(Enumerable.Repeat(line, SignedNote.MaxSignatures))).Signatures.Count);
        Assert.Throws<LogFormatException>(() => SignedNote.Parse("text\n\n" + string.Concat(Enumerable.Repeat(line, SignedNote.MaxSignatures + 1))));
        Assert.Throws<LogFormatException>(() => SignedNote.Parse(new byte[SignedNote.MaxBytes + 1]));
    }
}

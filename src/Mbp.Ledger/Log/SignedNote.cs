using System.Text;

namespace Mbp.Ledger.Log;

/// <summary>What a note has from one key.</summary>
public enum SignatureState
{
    /// <summary>At least one line, and all of them good.</summary>
    Valid,

    /// <summary>No line with the key's name and id.</summary>
    Absent,

    /// <summary>A line with the key's name and id that the key did not make: the whole note is to be refused.</summary>
    Invalid,
}

/// <summary>
/// A text and the signatures under it, by C2SP signed-note. The text means nothing until a trusted key's signature was found good. Signatures of
/// keys that the reader does not know are carried along and ignored, so that keys can be rotated and witnesses added.
/// </summary>
public sealed record SignedNote
{
    /// <summary>The most bytes that a note may have. Ours have some hundred.</summary>
    public const int MaxBytes = 1_000_000;

    /// <summary>The most signatures; C2SP asks for at least 16.</summary>
    public const int MaxSignatures = 100;

    /// <param name="text">Ends with a newline; no other control character.</param>
    /// <exception cref="LogFormatException">The text is not one for a note, or there are too many signatures.</exception>
    public SignedNote(string text, IReadOnlyList<NoteSignature> signatures)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(signatures);
        if (!text.EndsWith('\n') || text.Any(c => c < ' ' && c != '\n'))
        {
            throw new LogFormatException("The text of a note ends with a newline and has no other control character.");
        }

        if (signatures.Count is 0 or > MaxSignatures)
        {
            throw new LogFormatException($"A note has 1 to {MaxSignatures} signatures, not {signatures.Count}.");
        }

        (Text, Signatures) = (text, signatures);
    }

    /// <summary>What is signed: all lines, with the last newline, without the blank line before the signatures.</summary>
    public string Text { get; }

    public IReadOnlyList<NoteSignature> Signatures { get; }

    /// <exception cref="LogFormatException">It is not a note.</exception>
    public static SignedNote Parse(ReadOnlySpan<byte> utf8) => utf8.Length <= MaxBytes
        ? Parse(LogText.Decode(utf8))
        : throw new LogFormatException($"A note has at most {MaxBytes} bytes.");

    /// <exception cref="LogFormatException">It is not a note.</exception>
    public static SignedNote Parse(string note)
    {
        ArgumentNullException.ThrowIfNull(note);
        // A text may have empty lines: the last one is the border.
        var border = note.LastIndexOf("\n\n", StringComparison.Ordinal);
        if (note.Length > MaxBytes || border < 0 || !note.EndsWith('\n') || border + 2 == note.Length)
        {
            throw new LogFormatException($"A note is a text, a blank line and signature lines that end with a newline; at most {MaxBytes} bytes.");
        }

        var lines = note[(border + 2)..^1].Split('\n', MaxSignatures + 1);
        return new SignedNote(note[..(border + 1)], [.. lines.Select(NoteSignature.Parse)]);
    }

    /// <summary>Signs a text.</summary>
    /// <inheritdoc cref="SignedNote(string, IReadOnlyList{NoteSignature})" path="/exception"/>
    public static SignedNote Sign(string text, params IReadOnlyList<ICheckpointSigner> signers)
    {
        ArgumentNullException.ThrowIfNull(text);
        var message = LogText.Utf8.GetBytes(text);
        return new SignedNote(text, [.. signers.Select(signer => new NoteSignature(signer.Key.Name, signer.Key.KeyId, signer.Sign(message)))]);
    }

    /// <summary>The note with more signatures: a witness's, say.</summary>
    public SignedNote With(params IEnumerable<NoteSignature> more) => new(Text, [.. Signatures, .. more]);

    /// <summary>What the note has from a key: over the text for the log's type, over the time and the text for a cosignature.</summary>
    public SignatureState Verify(VerifierKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        var state = SignatureState.Absent;
        var message = LogText.Utf8.GetBytes(Text);
        foreach (var signature in Signatures.Where(line => line.IsOf(key)))
        {
            var good = key.Type == VerifierKey.CosignatureType
                ? Cosignature.Verify(key, Text, signature) is not null
                : Ed25519.Verify(key.PublicKey.Span, message, signature.Signature.Span);
            if (!good)
            {
                return SignatureState.Invalid;
            }

            state = SignatureState.Valid;
        }

        return state;
    }

    /// <summary>The note as it is published.</summary>
    public string Format()
    {
        var note = new StringBuilder(Text).Append('\n');
        foreach (var signature in Signatures)
        {
            note.Append(signature.Line).Append('\n');
        }

        return note.ToString();
    }

    public byte[] ToUtf8() => LogText.Utf8.GetBytes(Format());

    public bool Equals(SignedNote? other) => other?.Format() == Format();

    public override int GetHashCode() => Text.GetHashCode(StringComparison.Ordinal);

    public override string ToString() => Format();
}

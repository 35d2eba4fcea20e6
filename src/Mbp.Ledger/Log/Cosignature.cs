using System.Buffers.Binary;
using NodaTime;

namespace Mbp.Ledger.Log;

/// <summary>
/// A witness's statement that a checkpoint extends all that it has seen of the log, and when, by C2SP tlog-cosignature (Ed25519, type 0x04). It
/// is the only time in the format, and whole seconds.
/// </summary>
public static class Cosignature
{
    private const int TimeSize = sizeof(ulong);
    private const int Size = TimeSize + Ed25519.SignatureSize;

    /// <summary>The verifier key of a witness.</summary>
    public static VerifierKey KeyOf(string name, Ed25519PrivateKey privateKey)
    {
        ArgumentNullException.ThrowIfNull(privateKey);
        return new VerifierKey(name, VerifierKey.CosignatureType, privateKey.PublicKey);
    }

    /// <summary>Signs the text of a checkpoint.</summary>
    /// <param name="name">The witness's name.</param>
    /// <param name="at">Cut to the second before it; not before 1970.</param>
    public static NoteSignature Sign(string name, Ed25519PrivateKey privateKey, string text, Instant at)
    {
        var key = KeyOf(name, privateKey);
        var seconds = at.ToUnixTimeSeconds();
        ArgumentOutOfRangeException.ThrowIfNegative(seconds, nameof(at));
        var signature = new byte[Size];
        BinaryPrimitives.WriteInt64BigEndian(signature, seconds);
        privateKey.Sign(Message(seconds, text)).CopyTo(signature, TimeSize);
        return new NoteSignature(key.Name, key.KeyId, signature);
    }

    /// <summary>The time at which the witness signed the text; null where it did not.</summary>
    public static Instant? Verify(VerifierKey key, string text, NoteSignature signature)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(signature);
        if (key.Type != VerifierKey.CosignatureType || !signature.IsOf(key) || signature.Signature.Length != Size)
        {
            return null;
        }

        var bytes = signature.Signature.Span;
        var seconds = BinaryPrimitives.ReadInt64BigEndian(bytes);
        return seconds >= 0 && seconds <= Instant.MaxValue.ToUnixTimeSeconds() && Ed25519.Verify(key.PublicKey.Span, Message(seconds, text), bytes[TimeSize..])
            ? Instant.FromUnixTimeSeconds(seconds)
            : null;
    }

    /// <summary>The latest time at which the witness signed the note; null where it did not.</summary>
    public static Instant? Verify(VerifierKey key, SignedNote note)
    {
        ArgumentNullException.ThrowIfNull(note);
        return note.Signatures.Max(signature => Verify(key, note.Text, signature));
    }

    private static byte[] Message(long seconds, string text) => LogText.Utf8.GetBytes($"cosignature/v1\ntime {LogText.Number(seconds)}\n{text}");
}

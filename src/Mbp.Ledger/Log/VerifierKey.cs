using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Mbp.Ledger.Merkle;

namespace Mbp.Ledger.Log;

/// <summary>
/// The public half of a key that signs notes, by C2SP signed-note: <c>name+id+base64(type || key)</c>. The name and the id together say which
/// signature line is the key's; the id is short, so it finds a key and proves nothing.
/// </summary>
public sealed record VerifierKey
{
    /// <summary>The type of a key that signs the text of a note: the log's own.</summary>
    public const byte Ed25519Type = 0x01;

    /// <summary>The type of a witness's key, which signs a time and a checkpoint (C2SP tlog-cosignature).</summary>
    public const byte CosignatureType = 0x04;

    private readonly string _text;

    /// <summary>A key by what it is made of; its id follows.</summary>
    /// <exception cref="LogFormatException">The name is not one, the type is not known, or the key is no point that an Ed25519 key can be.</exception>
    public VerifierKey(string name, byte type, ReadOnlyMemory<byte> publicKey)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (!LogText.IsKeyName(name))
        {
            throw new LogFormatException("A key's name is not empty and has neither spaces nor '+'.");
        }

        if (type is not (Ed25519Type or CosignatureType) || publicKey.Length != Ed25519.PublicKeySize)
        {
            throw new LogFormatException($"{name}: a key of type 0x{type:x2} with {publicKey.Length} bytes is none of Ed25519 (0x01, 0x04; 32 bytes).");
        }

        if (!Ed25519Bytes.ArePublicKey(publicKey.Span))
        {
            throw new LogFormatException($"{name}: the bytes are no Ed25519 key that can be trusted.");
        }

        (Name, Type, PublicKey) = (name, type, publicKey.ToArray());
        byte[] typed = [type, .. publicKey.Span];
        Span<byte> id = stackalloc byte[Sha256.Size];
        Sha256.Hash([.. LogText.Utf8.GetBytes(name), (byte)'\n', .. typed], id);
        KeyId = BinaryPrimitives.ReadUInt32BigEndian(id);
        _text = $"{name}+{KeyId:x8}+{Convert.ToBase64String(typed)}";
    }

    public string Name { get; }

    /// <summary>The first four bytes, big-endian, of SHA-256(name || LF || type || key).</summary>
    public uint KeyId { get; }

    public byte Type { get; }

    /// <summary>32 bytes, as RFC 8032 writes a point.</summary>
    public ReadOnlyMemory<byte> PublicKey { get; }

    /// <exception cref="LogFormatException">It is not a key of a known type, or its id is not its own.</exception>
    public static VerifierKey Parse(string vkey)
    {
        ArgumentNullException.ThrowIfNull(vkey);
        // Base64 has a plus too, a name has none.
        var parts = vkey.Split('+', 3);
        if (parts.Length != 3 || parts[1].Length != 8 || !LogText.TryBase64(parts[2], out var typed) || typed.Length == 0)
        {
            throw new LogFormatException("A verifier key is name+id+base64, the id in 8 hexadecimal digits.");
        }

        var key = new VerifierKey(parts[0], typed[0], typed.AsMemory(1));
        return key._text == vkey
            ? key
            : throw new LogFormatException(string.Create(CultureInfo.InvariantCulture, $"{key.Name}: the key's id is {key.KeyId:x8}, not {parts[1]}."));
    }

    public static bool TryParse(string vkey, [NotNullWhen(true)] out VerifierKey? key)
    {
        try
        {
            key = Parse(vkey);
            return true;
        }
        catch (LogFormatException)
        {
            key = null;
            return false;
        }
    }

    public bool Equals(VerifierKey? other) => other?._text == _text;

    public override int GetHashCode() => _text.GetHashCode(StringComparison.Ordinal);

    /// <summary>The key in the form that <see cref="Parse"/> reads.</summary>
    public override string ToString() => _text;
}

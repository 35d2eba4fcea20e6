using System.Buffers.Binary;

namespace Mbp.Ledger.Log;

/// <summary>One signature line of a note: <c>— name base64(id || signature)</c>.</summary>
/// <param name="Signature">The bytes after the key's id: 64 for Ed25519, 72 for a cosignature.</param>
public sealed record NoteSignature(string Name, uint KeyId, ReadOnlyMemory<byte> Signature)
{
    private const string Dash = "\u2014 ";
    private const int KeyIdSize = sizeof(uint);

    /// <summary>The line as it stands in a note, without its newline.</summary>
    public string Line
    {
        get
        {
            var bytes = new byte[KeyIdSize + Signature.Length];
            BinaryPrimitives.WriteUInt32BigEndian(bytes, KeyId);
            Signature.CopyTo(bytes.AsMemory(KeyIdSize));
            return $"{Dash}{Name} {Convert.ToBase64String(bytes)}";
        }
    }

    /// <exception cref="LogFormatException">It is not a signature line.</exception>
    public static NoteSignature Parse(string line)
    {
        ArgumentNullException.ThrowIfNull(line);
        var parts = line.StartsWith(Dash, StringComparison.Ordinal) ? line[Dash.Length..].Split(' ') : [];
        return parts.Length == 2 && LogText.IsKeyName(parts[0]) && LogText.TryBase64(parts[1], out var bytes) && bytes.Length > KeyIdSize
            ? new NoteSignature(parts[0], BinaryPrimitives.ReadUInt32BigEndian(bytes), bytes.AsMemory(KeyIdSize))
            : throw new LogFormatException("A signature line is an em dash, a key's name and base64 of more than 4 bytes.");
    }

    /// <summary>Whether the line says that it is this key's.</summary>
    public bool IsOf(VerifierKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return Name == key.Name && KeyId == key.KeyId;
    }

    public bool Equals(NoteSignature? other) => other?.Line == Line;

    public override int GetHashCode() => HashCode.Combine(Name, KeyId);

    public override string ToString() => Line;
}

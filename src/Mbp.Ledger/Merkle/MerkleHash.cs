using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Mbp.Ledger.Merkle;

/// <summary>A SHA-256 value of 32 bytes, held without an allocation. In JSON and as text: 64 lower-case hexadecimal digits.</summary>
[JsonConverter(typeof(MerkleHashConverter))]
public readonly record struct MerkleHash
{
    public const int Size = 32;

    private readonly Words _words;

    public MerkleHash(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Size)
        {
            throw new ArgumentException($"A hash has {Size} bytes, not {bytes.Length}.", nameof(bytes));
        }

        for (var i = 0; i < 4; i++)
        {
            _words[i] = BinaryPrimitives.ReadUInt64BigEndian(bytes[(i * 8)..]);
        }
    }

    public void CopyTo(Span<byte> target)
    {
        for (var i = 0; i < 4; i++)
        {
            BinaryPrimitives.WriteUInt64BigEndian(target[(i * 8)..], _words[i]);
        }
    }

    public byte[] ToArray()
    {
        var bytes = new byte[Size];
        CopyTo(bytes);
        return bytes;
    }

    public bool Equals(MerkleHash other) => ((ReadOnlySpan<ulong>)_words).SequenceEqual(other._words);

    public override int GetHashCode() => _words[0].GetHashCode();

    public override string ToString() => Convert.ToHexStringLower(ToArray());

    internal static MerkleHash Of(ReadOnlySpan<byte> data)
    {
        Span<byte> hash = stackalloc byte[Size];
        Sha256.Hash(data, hash);
        return new MerkleHash(hash);
    }

    [InlineArray(4)]
    private struct Words
    {
        private ulong _first;
    }
}

internal sealed class MerkleHashConverter : JsonConverter<MerkleHash>
{
    public override MerkleHash Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        Span<byte> bytes = stackalloc byte[MerkleHash.Size];
        return reader.GetString() is { Length: 2 * MerkleHash.Size } text
            && Convert.FromHexString(text, bytes, out _, out _) == OperationStatus.Done
            ? new MerkleHash(bytes)
            : throw new JsonException("A hash is 64 hexadecimal digits.");
    }

    public override void Write(Utf8JsonWriter writer, MerkleHash value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}

namespace Mbp.Ledger.Merkle;

/// <summary>
/// HMAC-SHA-256 (RFC 2104) of a short message under a short key, as two plain hashes: the runtime's own looks its algorithm up for each call, which
/// takes as long as hashing, and every event is committed to twice.
/// </summary>
internal static class HmacSha256
{
    public const int Size = Sha256.Size;

    /// <summary>The room that the caller leaves before the message: a block, for the key.</summary>
    public const int Before = 64;

    private const byte Inner = 0x36, Outer = 0x5C;

    /// <param name="key">At most a block.</param>
    /// <param name="room">The message behind <see cref="Before"/> bytes, which are written over.</param>
    /// <param name="mac">Of <see cref="Size"/> bytes.</param>
    public static void Compute(ReadOnlySpan<byte> key, Span<byte> room, Span<byte> mac)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(key.Length, Before, nameof(key));
        Pad(key, room[..Before], Inner);
        Span<byte> outer = stackalloc byte[Before + Size];
        Sha256.Hash(room, outer[Before..]);
        Pad(key, outer[..Before], Outer);
        Sha256.Hash(outer, mac);
    }

    private static void Pad(ReadOnlySpan<byte> key, Span<byte> block, byte with)
    {
        block.Fill(with);
        for (var i = 0; i < key.Length; i++)
        {
            block[i] ^= key[i];
        }
    }
}

namespace Mbp.Ledger.Log;

/// <summary>
/// What bytes can be a key and a signature of Ed25519, before any arithmetic is done with them: else one of them could be written in two ways, or be signed
/// for without a private key. Numbers are compared as they are written, in little-endian order.
/// </summary>
internal static class Ed25519Bytes
{
    // The field's prime, 2^255 - 19.
    private static ReadOnlySpan<byte> Prime =>
    [
        0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ];

    // The group's order, 2^252 + 27742317777372353535851937790883648493.
    private static ReadOnlySpan<byte> Order =>
    [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10,
    ];

    // The y of all eight points whose eightfold is zero.
    private static readonly byte[][] SmallOrder =
    [
        Convert.FromHexString("0000000000000000000000000000000000000000000000000000000000000000"),
        Convert.FromHexString("0100000000000000000000000000000000000000000000000000000000000000"),
        Convert.FromHexString("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        Convert.FromHexString("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
        Convert.FromHexString("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ];

    /// <summary>Lengths, a scalar below the group's order and coordinates below the field's: else one signature or key could be written in two ways.</summary>
    public static bool AreWellFormed(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> signature) =>
        publicKey.Length == Ed25519.PublicKeySize
        && signature.Length == Ed25519.SignatureSize
        && IsBelow(signature[32..], Order)
        && IsCoordinate(publicKey)
        && IsCoordinate(signature[..32]);

    /// <summary>
    /// Whether the bytes can be a key under which nothing is signed without its private one: a point of a small order accepts made-up signatures. That
    /// they are a point at all is not looked at: those that are none verify nothing.
    /// </summary>
    public static bool ArePublicKey(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Ed25519.PublicKeySize || !IsCoordinate(bytes))
        {
            return false;
        }

        Span<byte> y = stackalloc byte[Ed25519.PublicKeySize];
        Coordinate(bytes, y);
        foreach (var small in SmallOrder)
        {
            if (y.SequenceEqual(small))
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsCoordinate(ReadOnlySpan<byte> point)
    {
        Span<byte> y = stackalloc byte[Ed25519.PublicKeySize];
        Coordinate(point, y);
        return IsBelow(y, Prime);
    }

    // The highest bit is the sign of x.
    private static void Coordinate(ReadOnlySpan<byte> point, Span<byte> y)
    {
        point.CopyTo(y);
        y[^1] &= 0x7F;
    }

    private static bool IsBelow(ReadOnlySpan<byte> number, ReadOnlySpan<byte> limit)
    {
        for (var i = limit.Length - 1; i >= 0; i--)
        {
            if (number[i] != limit[i])
            {
                return number[i] < limit[i];
            }
        }

        return false;
    }
}

using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;

namespace Mbp.Ledger.Log;

/// <summary>
/// Verification by RFC 8032, section 5.1.7, in plain integers, for machines without libcrypto. It takes time that depends on its input, which is
/// public; for that reason it can never sign. Some 40 times slower than libcrypto.
/// </summary>
public static class ManagedEd25519
{
    private static readonly BigInteger P = BigInteger.Pow(2, 255) - 19;

    // The order of the group.
    private static readonly BigInteger L = BigInteger.Pow(2, 252) + BigInteger.Parse("27742317777372353535851937790883648493", CultureInfo.InvariantCulture);

    /// <summary>Whether the key signed the message. False too for bytes that are no key or no signature.</summary>
    public static bool Verify(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        if (!Ed25519Bytes.AreWellFormed(publicKey, signature) || Decode(publicKey) is not { } key || Decode(signature[..32]) is not { } r)
        {
            return false;
        }

        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA512);
        sha.AppendData(signature[..32]);
        sha.AppendData(publicKey);
        sha.AppendData(message);
        var k = Integer(sha.GetHashAndReset()) % L;
        return Curve.Base.Times(Integer(signature[32..])).Same(r.Plus(key.Times(k)));
    }

    private static Point? Decode(ReadOnlySpan<byte> bytes)
    {
        var y = Y(bytes);
        var odd = bytes[31] >> 7 == 1;
        var (u, v) = (Mod((y * y) - 1), Mod((Curve.D * y * y) + 1));
        var x2 = Mod(u * Inverse(v));
        var x = BigInteger.ModPow(x2, (P + 3) / 8, P);
        if (Mod((x * x) - x2) != 0)
        {
            x = Mod(x * Curve.RootOfMinusOne);
        }

        if (y >= P || Mod((x * x) - x2) != 0 || (x.IsZero && odd))
        {
            return null;
        }

        x = x.IsEven == odd ? P - x : x;
        return new Point(x, y, 1, Mod(x * y));
    }

    private static byte[] Encoded(BigInteger y)
    {
        var bytes = new byte[32];
        return y.TryWriteBytes(bytes, out _, isUnsigned: true) ? bytes : throw new ArgumentOutOfRangeException(nameof(y));
    }

    private static BigInteger Y(ReadOnlySpan<byte> point) => Integer(point) & ((BigInteger.One << 255) - 1);

    private static BigInteger Integer(ReadOnlySpan<byte> littleEndian) => new(littleEndian, isUnsigned: true);

    private static BigInteger Inverse(BigInteger value) => BigInteger.ModPow(value, P - 2, P);

    private static BigInteger Mod(BigInteger value) => BigInteger.Remainder(value, P) is var rest && rest.Sign < 0 ? rest + P : rest;

    // Apart, as they take milliseconds that nobody with libcrypto needs to spend.
    private static class Curve
    {
        public static readonly BigInteger D = Mod(-121665 * Inverse(121666));
        public static readonly BigInteger RootOfMinusOne = BigInteger.ModPow(2, (P - 1) / 4, P);
        public static readonly Point Base = Decode(Encoded(Mod(4 * Inverse(5))))!.Value;
    }

    // Extended coordinates (RFC 8032, section 5.1.4): x = X/Z, y = Y/Z, x * y = T/Z; one formula for every pair of points.
    private readonly record struct Point(BigInteger X, BigInteger Y, BigInteger Z, BigInteger T)
    {
        public static readonly Point Zero = new(0, 1, 1, 0);

        public Point Plus(Point other)
        {
            var a = Mod((Y - X) * (other.Y - other.X));
            var b = Mod((Y + X) * (other.Y + other.X));
            var c = Mod(2 * T * Curve.D * other.T);
            var d = Mod(2 * Z * other.Z);
            var (e, f, g, h) = (b - a, d - c, d + c, b + a);
            return new Point(Mod(e * f), Mod(g * h), Mod(f * g), Mod(e * h));
        }

        public Point Times(BigInteger factor)
        {
            var sum = Zero;
            for (var bit = (long)factor.GetBitLength() - 1; bit >= 0; bit--)
            {
                sum = sum.Plus(sum);
                sum = ((factor >> (int)bit) & 1).IsZero ? sum : sum.Plus(this);
            }

            return sum;
        }

        public bool Same(Point other) => Mod((X * other.Z) - (other.X * Z)).IsZero && Mod((Y * other.Z) - (other.Y * Z)).IsZero;
    }
}

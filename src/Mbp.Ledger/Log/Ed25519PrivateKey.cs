using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Mbp.Ledger.Log;

/// <summary>
/// A private key, held by libcrypto and wiped when disposed of. Safe to use from many threads. As text it is PKCS#8, as `openssl genpkey
/// -algorithm ed25519` writes it.
/// </summary>
public sealed class Ed25519PrivateKey : IDisposable
{
    public const int SeedSize = 32;

    private const string Label = "PRIVATE KEY";

    // RFC 8410: an OCTET STRING of the seed within an OCTET STRING, after the algorithm 1.3.101.112; all of fixed length.
    private static readonly byte[] Pkcs8Prefix = Convert.FromHexString("302e020100300506032b657004220420");

    private readonly LibCrypto.KeyHandle _key;

    private Ed25519PrivateKey(ReadOnlySpan<byte> seed)
    {
        if (!LibCrypto.IsPresent)
        {
            throw new Ed25519UnavailableException(LibCrypto.Missing);
        }

        _key = LibCrypto.EVP_PKEY_new_raw_private_key(LibCrypto.Ed25519, 0, in MemoryMarshal.GetReference(seed), SeedSize);
        var publicKey = new byte[Ed25519.PublicKeySize];
        var length = (nuint)publicKey.Length;
        if (_key.IsInvalid || LibCrypto.EVP_PKEY_get_raw_public_key(_key, ref publicKey[0], ref length) != 1)
        {
            throw new Ed25519UnavailableException("libcrypto did not take the key");
        }

        PublicKey = publicKey;
    }

    /// <summary>32 bytes, as RFC 8032 writes a point.</summary>
    public ReadOnlyMemory<byte> PublicKey { get; }

    /// <summary>A new key that nobody can guess.</summary>
    /// <exception cref="Ed25519UnavailableException">There is no libcrypto here.</exception>
    public static Ed25519PrivateKey Create()
    {
        Span<byte> seed = stackalloc byte[SeedSize];
        RandomNumberGenerator.Fill(seed);
        var key = new Ed25519PrivateKey(seed);
        CryptographicOperations.ZeroMemory(seed);
        return key;
    }

    /// <summary>The key with a given seed, which RFC 8032 calls the private key.</summary>
    /// <exception cref="ArgumentException">The seed does not have 32 bytes.</exception>
    /// <exception cref="Ed25519UnavailableException">There is no libcrypto here.</exception>
    public static Ed25519PrivateKey FromSeed(ReadOnlySpan<byte> seed) => seed.Length == SeedSize
        ? new Ed25519PrivateKey(seed)
        : throw new ArgumentException($"A seed has {SeedSize} bytes, not {seed.Length}.", nameof(seed));

    /// <summary>Reads an unencrypted PKCS#8 key.</summary>
    /// <exception cref="LogFormatException">It is not such a key of Ed25519. The message never quotes it.</exception>
    /// <exception cref="Ed25519UnavailableException">There is no libcrypto here.</exception>
    public static Ed25519PrivateKey FromPem(ReadOnlySpan<char> pkcs8)
    {
        Span<byte> der = stackalloc byte[Pkcs8Prefix.Length + SeedSize];
        try
        {
            var good = PemEncoding.TryFind(pkcs8, out var fields)
                && pkcs8[fields.Label] is Label
                && fields.DecodedDataLength == der.Length
                && Convert.TryFromBase64Chars(pkcs8[fields.Base64Data], der, out _)
                && der.StartsWith(Pkcs8Prefix);
            return good
                ? new Ed25519PrivateKey(der[Pkcs8Prefix.Length..])
                : throw new LogFormatException($"The key is not an unencrypted PKCS#8 key of Ed25519 (BEGIN {Label}).");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(der);
        }
    }

    /// <summary>The key in the form that <see cref="FromPem"/> reads: a secret, for a file that only its owner may read.</summary>
    public string ToPem()
    {
        Span<byte> der = stackalloc byte[Pkcs8Prefix.Length + SeedSize];
        Pkcs8Prefix.CopyTo(der);
        var length = (nuint)SeedSize;
        try
        {
            return LibCrypto.EVP_PKEY_get_raw_private_key(_key, ref der[Pkcs8Prefix.Length], ref length) == 1
                ? $"{PemEncoding.WriteString(Label, der)}\n"
                : throw new Ed25519UnavailableException("libcrypto did not give the key");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(der);
        }
    }

    /// <summary>Signs a message. The same message has the same signature always.</summary>
    /// <returns>64 bytes.</returns>
    /// <exception cref="ObjectDisposedException">The key is gone.</exception>
    public byte[] Sign(ReadOnlySpan<byte> message)
    {
        var signature = new byte[Ed25519.SignatureSize];
        var length = (nuint)signature.Length;
        using var context = LibCrypto.EVP_MD_CTX_new();
        var good = LibCrypto.EVP_DigestSignInit(context, 0, 0, 0, _key) == 1
            && LibCrypto.EVP_DigestSign(context, ref signature[0], ref length, in MemoryMarshal.GetReference(message), (nuint)message.Length) == 1
            && length == Ed25519.SignatureSize;
        if (!good)
        {
            LibCrypto.ERR_clear_error();
            throw new Ed25519UnavailableException("libcrypto did not sign");
        }

        return signature;
    }

    public void Dispose() => _key.Dispose();
}

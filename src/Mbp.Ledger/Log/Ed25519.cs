using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Mbp.Ledger.Log;

/// <summary>
/// Ed25519 (RFC 8032), which a public log must sign with (C2SP tlog-tiles) and the runtime does not have: over the machine's libcrypto, and where
/// that is absent, verified and never signed in managed code.
/// </summary>
public static class Ed25519
{
    public const int PublicKeySize = 32;
    public const int SignatureSize = 64;

    // A log has a few keys and a few witnesses: only what a stranger sends could be more, and then the cache starts anew.
    private const int MostKeys = 64;

    private static readonly ConcurrentDictionary<string, LibCrypto.KeyHandle> Keys = new(StringComparer.Ordinal);

    /// <summary>Whether signing is possible here. <see cref="Probe"/> says what is missing.</summary>
    public static bool CanSign => LibCrypto.IsPresent;

    /// <summary>To be called once at start by whoever signs: signs and verifies a test vector of RFC 8032, so that a host without a signature does not start.</summary>
    /// <exception cref="Ed25519UnavailableException">There is no library to sign with, or it does not sign as the RFC says.</exception>
    public static void Probe()
    {
        // RFC 8032, section 7.1, test 2.
        using var key = Ed25519PrivateKey.FromSeed(Convert.FromHexString("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"));
        var expected = Convert.FromHexString(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
        var signature = key.Sign([0x72]);
        if (!signature.AsSpan().SequenceEqual(expected) || !Verify(key.PublicKey.Span, [0x72], signature) || Verify(key.PublicKey.Span, [0x73], signature))
        {
            throw new Ed25519UnavailableException("libcrypto does not sign as RFC 8032 says");
        }
    }

    /// <summary>Whether the key signed the message. False too for bytes that are no key or no signature; none throws.</summary>
    public static bool Verify(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        if (!Ed25519Bytes.AreWellFormed(publicKey, signature))
        {
            return false;
        }

        if (!LibCrypto.IsPresent)
        {
            return ManagedEd25519.Verify(publicKey, message, signature);
        }

        using var context = LibCrypto.EVP_MD_CTX_new();
        var good = LibCrypto.EVP_DigestVerifyInit(context, 0, 0, 0, KeyOf(publicKey)) == 1 && LibCrypto.EVP_DigestVerify(
            context, in MemoryMarshal.GetReference(signature), (nuint)signature.Length, in MemoryMarshal.GetReference(message), (nuint)message.Length) == 1;
        if (!good)
        {
            LibCrypto.ERR_clear_error();
        }

        return good;
    }

    private static LibCrypto.KeyHandle KeyOf(ReadOnlySpan<byte> publicKey)
    {
        var name = Convert.ToHexString(publicKey);
        if (Keys.TryGetValue(name, out var known))
        {
            return known;
        }

        if (Keys.Count >= MostKeys)
        {
            // A handle in use lives on until its user lets go of it.
            Keys.Clear();
        }

        return Keys.GetOrAdd(name, LibCrypto.EVP_PKEY_new_raw_public_key(LibCrypto.Ed25519, 0, in MemoryMarshal.GetReference(publicKey), PublicKeySize));
    }
}

/// <summary>This machine cannot sign. Nothing that should be signed may be published.</summary>
/// <param name="what">What is missing, for whoever runs the host.</param>
public sealed class Ed25519UnavailableException(string what) : CryptographicException($"Ed25519 signatures are not possible here: {what}.");

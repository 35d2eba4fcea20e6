using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Mbp.Ledger.Log;

namespace Mbp.Ledger.Merkle;

/// <summary>
/// SHA-256 of the short texts that a log is made of. The runtime asks OpenSSL to look the algorithm up and to allocate for each of them, which takes several
/// times as long as hashing a few hundred bytes, and every event is hashed five times: here it is three plain calls on a state that lies on the stack.
/// </summary>
internal static class Sha256
{
    public const int Size = SHA256.HashSizeInBytes;

    // Beyond this the runtime's way costs little in comparison, and the collector should not wait for it.
    private const int Short = 4 * 1024;

    /// <param name="data">Of any length.</param>
    /// <param name="hash">Of <see cref="Size"/> bytes.</param>
    public static void Hash(ReadOnlySpan<byte> data, Span<byte> hash)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(hash.Length, Size);
        if (data.Length > Short || !LibCrypto.HasSha256)
        {
            SHA256.HashData(data, hash);
        }
        else
        {
            Plain(data, hash);
        }
    }

    // By itself: code that was compiled ahead of time looks for the functions when the method that calls them begins, and HasSha256 must have been asked before.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Plain(ReadOnlySpan<byte> data, Span<byte> hash)
    {
        Span<byte> state = stackalloc byte[LibCrypto.Sha256Context];
        ref var context = ref MemoryMarshal.GetReference(state);
        _ = LibCrypto.SHA256_Init(ref context);
        _ = LibCrypto.SHA256_Update(ref context, in MemoryMarshal.GetReference(data), (nuint)data.Length);
        _ = LibCrypto.SHA256_Final(ref MemoryMarshal.GetReference(hash), ref context);
    }
}

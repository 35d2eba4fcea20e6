using System.Reflection;
using System.Runtime.InteropServices;

namespace Mbp.Ledger.Log;

/// <summary>
/// The few functions of OpenSSL's libcrypto, from version 1.1.1 on, that make and check Ed25519 signatures, which the runtime has none of, and that hash
/// a short text, which takes the runtime several times as long.
/// </summary>
internal static partial class LibCrypto
{
    /// <summary>The bytes of a SHA256_CTX: 112 in every version that has been.</summary>
    public const int Sha256Context = 128;

    /// <summary>EVP_PKEY_ED25519.</summary>
    public const int Ed25519 = 1087;

    private const string Library = "mbp-libcrypto";

    // The newest first. No path: where the loader finds the library of the machine, nothing beside this assembly.
    private static readonly string[] Names = ["libcrypto.so.3", "libcrypto.so", "libcrypto.3.dylib", "libcrypto-3-x64.dll"];

    private static readonly nint Loaded = Load();

    /// <summary>Whether the machine has the library, with Ed25519 in it.</summary>
    public static bool IsPresent => Loaded != 0;

    /// <summary>Whether it still has the functions of SHA-256 that a build of OpenSSL may leave out.</summary>
    public static bool HasSha256 { get; } = Loaded != 0 && NativeLibrary.TryGetExport(Loaded, nameof(SHA256_Init), out _);

    public static string Missing => $"no libcrypto with Ed25519 was found (tried {string.Join(", ", Names)}): install OpenSSL 3";

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    public static partial KeyHandle EVP_PKEY_new_raw_private_key(int type, nint engine, in byte key, nuint length);

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    public static partial KeyHandle EVP_PKEY_new_raw_public_key(int type, nint engine, in byte key, nuint length);

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    public static partial int EVP_PKEY_get_raw_private_key(KeyHandle key, ref byte bytes, ref nuint length);

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    public static partial int EVP_PKEY_get_raw_public_key(KeyHandle key, ref byte bytes, ref nuint length);

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial void EVP_PKEY_free(nint key);

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    public static partial ContextHandle EVP_MD_CTX_new();

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial void EVP_MD_CTX_free(nint context);

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    public static partial int EVP_DigestSignInit(ContextHandle context, nint keyContext, nint digest, nint engine, KeyHandle key);

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    public static partial int EVP_DigestSign(ContextHandle context, ref byte signature, ref nuint signatureLength, in byte message, nuint length);

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    public static partial int EVP_DigestVerifyInit(ContextHandle context, nint keyContext, nint digest, nint engine, KeyHandle key);

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    public static partial int EVP_DigestVerify(ContextHandle context, in byte signature, nuint signatureLength, in byte message, nuint length);

    // A refused signature leaves an error on the thread, where the runtime's own TLS would find it.
    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    public static partial void ERR_clear_error();

    // They allocate nothing, look nothing up and return within the time that it takes to tell the collector of a call.
    [LibraryImport(Library), SuppressGCTransition]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    public static partial int SHA256_Init(ref byte context);

    [LibraryImport(Library), SuppressGCTransition]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    public static partial int SHA256_Update(ref byte context, in byte data, nuint length);

    [LibraryImport(Library), SuppressGCTransition]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    public static partial int SHA256_Final(ref byte hash, ref byte context);

    private static nint Load()
    {
        var assembly = typeof(LibCrypto).Assembly;
        foreach (var name in Names)
        {
            if (NativeLibrary.TryLoad(name, assembly, DllImportSearchPath.SafeDirectories, out var handle)
                && NativeLibrary.TryGetExport(handle, nameof(EVP_PKEY_new_raw_private_key), out _))
            {
                NativeLibrary.SetDllImportResolver(assembly, Resolve);
                return handle;
            }
        }

        return 0;
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path) => name == Library ? Loaded : 0;

    /// <summary>An EVP_PKEY. It may be used by many threads at once.</summary>
    internal sealed class KeyHandle() : SafeHandle(invalidHandleValue: 0, ownsHandle: true)
    {
        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle()
        {
            EVP_PKEY_free(handle);
            return true;
        }
    }

    /// <summary>An EVP_MD_CTX, for one signature.</summary>
    internal sealed class ContextHandle() : SafeHandle(invalidHandleValue: 0, ownsHandle: true)
    {
        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle()
        {
            EVP_MD_CTX_free(handle);
            return true;
        }
    }
}

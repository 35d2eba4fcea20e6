using System.Buffers;
using System.Security.Cryptography;

namespace Mbp.Ledger.Merkle;

/// <summary>
/// What stays of an event whose texts were erased (ADR 0011), as both the one who erases and a stranger's verifier see it: two answers to the same
/// question would convict an honest log.
/// </summary>
public static class Erased
{
    /// <summary>What stands where a text was.</summary>
    public const string Mark = "[erased]";

    /// <summary>SHA-256, lower-case hex, of the canonical JSON of <c>{"data":...,"headers":...}</c>; no headers are empty ones, as in a <see cref="Leaf"/>.</summary>
    /// <exception cref="CanonicalJsonException">One of them has no canonical form.</exception>
    public static string RestOf(ReadOnlySpan<byte> data, ReadOnlySpan<byte> headers)
    {
        var text = new ArrayBufferWriter<byte>();
        text.Write("{\"data\":"u8);
        CanonicalJson.Write(data, text);
        text.Write(",\"headers\":"u8);
        CanonicalJson.Write(headers.IsEmpty ? "{}"u8 : headers, text);
        text.Write("}"u8);
        return Convert.ToHexStringLower(SHA256.HashData(text.WrittenSpan));
    }
}

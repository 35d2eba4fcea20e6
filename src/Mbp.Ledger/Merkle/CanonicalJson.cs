using System.Buffers;
using System.Text.Unicode;

namespace Mbp.Ledger.Merkle;

/// <summary>
/// The one byte form of a JSON value, by RFC 8785 (JCS), for the profile that the ledger commits to (integrity.md, section 1.2): a body that
/// jsonb has reordered and spaced out, or that any other serializer wrote, comes back to the same bytes. In the profile every number is an
/// integer within ±<see cref="MaxInteger"/>; money and prices are strings. What different readers of JSON understand differently is refused:
/// a fraction, an exponent, -0, a key that is there twice, half a surrogate pair, U+0000.
/// </summary>
public static class CanonicalJson
{
    /// <summary>How many objects and arrays may be open at once.</summary>
    public const int MaxDepth = 64;

    /// <summary>2^53 - 1: up to here a reader that knows only doubles (JavaScript) sees the same integer.</summary>
    public const long MaxInteger = (1L << 53) - 1;

    // By RFC 8785, section 3.2.2.2, these and no others: what is above ASCII, the slash and U+007F stay as they are.
    private static readonly SearchValues<byte> Escaped = SearchValues.Create([.. Enumerable.Range(0, 0x20).Select(b => (byte)b), (byte)'"', (byte)'\\']);

    /// <summary>Writes the canonical form of one JSON value, which is never longer than the value was; after a refusal, nothing is written.</summary>
    /// <param name="json">UTF-8 without a byte order mark; white space around the value is allowed.</param>
    /// <exception cref="CanonicalJsonException">It is not JSON, or outside of the profile.</exception>
    public static void Write(ReadOnlySpan<byte> json, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        output.Advance(Write(json, output.GetSpan(json.Length)));
    }

    /// <summary>As above, into a span at least as long as <paramref name="json"/>.</summary>
    /// <returns>The bytes written.</returns>
    internal static int Write(ReadOnlySpan<byte> json, Span<byte> output)
    {
        const int OnStack = 1024;
        var rented = json.Length <= OnStack ? null : ArrayPool<byte>.Shared.Rent(json.Length);
        try
        {
            return new CanonicalWriter(json, output, rented ?? stackalloc byte[OnStack], stackalloc CanonicalWriter.Member[32]).Write();
        }
        finally
        {
            if (rented is not null)
            {
                ArrayPool<byte>.Shared.Return(rented);
            }
        }
    }

    /// <summary>Writes a string with its quotes: at most <see cref="MaxLength"/> bytes.</summary>
    /// <exception cref="CanonicalJsonException">It holds U+0000 or half a surrogate pair.</exception>
    internal static int WriteString(string text, Span<byte> output)
    {
        var body = output[1..];
        if (Utf8.FromUtf16(text, body, out _, out var length, replaceInvalidSequences: false) != OperationStatus.Done)
        {
            throw new CanonicalJsonException("half a surrogate pair", length);
        }

        if (body[..length].ContainsAny(Escaped))
        {
            length = Escape(body[..length].ToArray(), body, offset: 0);
        }

        output[0] = body[length] = (byte)'"';
        return length + 2;
    }

    /// <summary>The bytes that <see cref="WriteString"/> may need: a control character becomes six.</summary>
    internal static int MaxLength(string text) => (6 * text.Length) + 2;

    /// <summary>Writes the inside of a string.</summary>
    /// <param name="utf8">Whole characters.</param>
    /// <param name="offset">Where the string was found, for the refusal.</param>
    internal static int Escape(ReadOnlySpan<byte> utf8, Span<byte> output, long offset)
    {
        var length = 0;
        for (int at; (at = utf8.IndexOfAny(Escaped)) >= 0; utf8 = utf8[(at + 1)..])
        {
            utf8[..at].CopyTo(output[length..]);
            var escape = EscapeOf(utf8[at], offset);
            escape.CopyTo(output[(length + at)..]);
            length += at + escape.Length;
            if (escape.Length == HexPrefix)
            {
                output[length++] = (byte)('0' + (utf8[at] >> 4));
                output[length++] = (byte)"0123456789abcdef"[utf8[at] & 15];
            }
        }

        utf8.CopyTo(output[length..]);
        return length + utf8.Length;
    }

    private const int HexPrefix = 4;

    private static ReadOnlySpan<byte> EscapeOf(byte character, long offset) => character switch
    {
        0 => throw new CanonicalJsonException("U+0000, which PostgreSQL cannot keep", offset),
        (byte)'"' => "\\\""u8,
        (byte)'\\' => "\\\\"u8,
        (byte)'\b' => "\\b"u8,
        (byte)'\t' => "\\t"u8,
        (byte)'\n' => "\\n"u8,
        (byte)'\f' => "\\f"u8,
        (byte)'\r' => "\\r"u8,
        _ => "\\u00"u8,
    };
}

/// <summary>A value without a canonical form.</summary>
/// <param name="rule">What it holds that the profile refuses.</param>
/// <param name="offset">Where: in bytes of the input, at or shortly before the place.</param>
public sealed class CanonicalJsonException(string rule, long offset, Exception? cause = null)
    : FormatException($"No canonical JSON: {rule} (at byte {offset}).", cause)
{
    public long Offset { get; } = offset;
}

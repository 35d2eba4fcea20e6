using System.Globalization;
using System.Text;
using Mbp.Ledger.Merkle;

namespace Mbp.Ledger.Log;

/// <summary>
/// The spellings that the formats of a public log share. One value has one spelling: bytes that two readers could understand differently, or
/// that could be changed without changing what they mean, are refused.
/// </summary>
internal static class LogText
{
    // Throws on what is not UTF-8, and neither writes nor skips a byte order mark.
    public static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static string Decode(ReadOnlySpan<byte> utf8)
    {
        try
        {
            return Utf8.GetString(utf8);
        }
        catch (DecoderFallbackException e)
        {
            throw new LogFormatException("The text is not UTF-8.", e);
        }
    }

    /// <summary>Standard base64 with padding, without white space and with zero bits at its end.</summary>
    public static bool TryBase64(string text, out byte[] bytes)
    {
        bytes = new byte[text.Length / 4 * 3];
        if (text.Length % 4 != 0 || !Convert.TryFromBase64String(text, bytes, out var length))
        {
            return false;
        }

        bytes = bytes[..length];
        return Convert.ToBase64String(bytes) == text;
    }

    public static bool TryHash(string text, out MerkleHash hash)
    {
        var good = TryBase64(text, out var bytes) && bytes.Length == MerkleHash.Size;
        hash = good ? new MerkleHash(bytes) : default;
        return good;
    }

    public static string Base64(MerkleHash hash) => Convert.ToBase64String(hash.ToArray());

    /// <summary>A number from 0, in ASCII digits, without a sign or a leading zero.</summary>
    public static bool TryNumber(string text, out long number) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number)
        && (text.Length == 1 || text[0] != '0')
        && !text.Contains('\0', StringComparison.Ordinal);

    public static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>A key's name, by signed-note: not empty, no white space of any script, no plus; and no control character, which no note may hold.</summary>
    public static bool IsKeyName(string name) => name.Length > 0 && !name.Any(c => char.IsWhiteSpace(c) || char.IsControl(c) || c == '+');
}

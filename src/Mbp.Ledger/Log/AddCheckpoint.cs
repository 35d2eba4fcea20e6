using System.Text;
using Mbp.Ledger.Merkle;

namespace Mbp.Ledger.Log;

/// <summary>What a log asks of a witness, by C2SP tlog-witness: a checkpoint, and the proof that it extends the one that the witness signed last.</summary>
/// <param name="OldSize">The size that the witness signed last, as far as the log knows; 0 for never.</param>
/// <param name="Proof">The consistency proof from there; empty from 0.</param>
/// <param name="Note">The checkpoint, signed by the log.</param>
public sealed record AddCheckpoint(long OldSize, IReadOnlyList<MerkleHash> Proof, SignedNote Note)
{
    /// <summary>The type of an answer whose body is the size that the witness signed last.</summary>
    public const string SizeType = "text/x.tlog.size";

    /// <summary>The most hashes of a proof: one for each bit of a size.</summary>
    public const int MostHashes = 63;

    private const string Old = "old ";

    /// <summary>Reads a request, of which it trusts nothing: no signature is verified and no proof.</summary>
    /// <exception cref="LogFormatException">It is not such a request.</exception>
    public static AddCheckpoint Parse(ReadOnlySpan<byte> utf8)
    {
        var text = LogText.Decode(utf8);
        var border = text.IndexOf("\n\n", StringComparison.Ordinal);
        var lines = border < 0 ? [] : text[..border].Split('\n', MostHashes + 2);
        if (lines.Length is 0 or > MostHashes + 1 || !lines[0].StartsWith(Old, StringComparison.Ordinal) || !LogText.TryNumber(lines[0][Old.Length..], out var size))
        {
            throw new LogFormatException($"A request is 'old' with a size, at most {MostHashes} hashes in base64, an empty line and a checkpoint.");
        }

        var proof = lines[1..].Select(line => LogText.TryHash(line, out var hash) ? hash : throw new LogFormatException("A line of the proof is no hash in base64."));
        return new AddCheckpoint(size, [.. proof], SignedNote.Parse(text[(border + 2)..]));
    }

    public byte[] ToUtf8()
    {
        var text = new StringBuilder(Old).Append(LogText.Number(OldSize)).Append('\n');
        foreach (var hash in Proof)
        {
            text.Append(LogText.Base64(hash)).Append('\n');
        }

        return LogText.Utf8.GetBytes(text.Append('\n').Append(Note.Format()).ToString());
    }

    /// <summary>The body of an answer of the type <see cref="SizeType"/>.</summary>
    public static string SizeText(long size) => $"{LogText.Number(size)}\n";

    /// <summary>Reads the body of an answer of the type <see cref="SizeType"/>; null where it is none.</summary>
    public static long? SizeOf(string body)
    {
        ArgumentNullException.ThrowIfNull(body);
        return body.EndsWith('\n') && LogText.TryNumber(body[..^1], out var size) ? size : null;
    }
}

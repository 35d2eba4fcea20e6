using System.Text;
using Mbp.Ledger.Merkle;

namespace Mbp.Ledger.Log;

/// <summary>
/// A proof that a log holds an entry, to be checked by anybody without the log: <c>c2sp.org/tlog-proof@v1</c>. The entry itself travels beside it.
/// </summary>
/// <param name="Index">The entry's index: the event's position - 1.</param>
/// <param name="Path">From the leaf's sibling up.</param>
/// <param name="Note">The signed checkpoint whose tree the path leads to.</param>
public sealed record TlogProof(long Index, IReadOnlyList<MerkleHash> Path, SignedNote Note)
{
    private const string Version = "c2sp.org/tlog-proof@v1";
    private const string ExtraName = "extra ";
    private const string IndexName = "index ";

    // A tree with an index of 63 bits is no deeper.
    private const int LongestPath = 63;

    /// <summary>Bytes of the application's, which nothing vouches for; null where there are none.</summary>
    public ReadOnlyMemory<byte>? Extra { get; init; }

    /// <exception cref="LogFormatException">It is not such a proof.</exception>
    public static TlogProof Parse(string proof)
    {
        ArgumentNullException.ThrowIfNull(proof);
        // No line of the proof is empty, so the first empty one ends it.
        var border = proof.IndexOf("\n\n", StringComparison.Ordinal);
        if (proof.Length > SignedNote.MaxBytes || border < 0)
        {
            throw new LogFormatException($"A proof is lines, an empty line and a checkpoint; at most {SignedNote.MaxBytes} characters.");
        }

        var lines = new Queue<string>(proof[..border].Split('\n'));
        if (lines.Dequeue() != Version)
        {
            throw new LogFormatException($"A proof begins with {Version}.");
        }

        ReadOnlyMemory<byte>? extra = null;
        if (lines.TryPeek(out var line) && line.StartsWith(ExtraName, StringComparison.Ordinal))
        {
            extra = LogText.TryBase64(lines.Dequeue()[ExtraName.Length..], out var bytes) ? bytes : throw new LogFormatException("The extra data is not base64.");
        }

        if (!lines.TryDequeue(out line) || !line.StartsWith(IndexName, StringComparison.Ordinal) || !LogText.TryNumber(line[IndexName.Length..], out var index))
        {
            throw new LogFormatException("A proof has the entry's index, in decimal.");
        }

        return lines.Count <= LongestPath
            ? new TlogProof(index, [.. lines.Select(Hash)], SignedNote.Parse(proof[(border + 2)..])) { Extra = extra }
            : throw new LogFormatException($"The path of a proof has at most {LongestPath} hashes.");
    }

    public string Format()
    {
        var text = new StringBuilder(Version).Append('\n');
        if (Extra is { } extra)
        {
            text.Append(ExtraName).Append(Convert.ToBase64String(extra.Span)).Append('\n');
        }

        text.Append(IndexName).Append(LogText.Number(Index)).Append('\n');
        foreach (var hash in Path)
        {
            text.Append(LogText.Base64(hash)).Append('\n');
        }

        return text.Append('\n').Append(Note.Format()).ToString();
    }

    /// <summary>Whether a log of the policy, with the witnesses that it asks for, has signed a tree with this leaf at this index.</summary>
    /// <param name="leaf">The hash of the entry, which the caller has computed from the entry itself.</param>
    /// <exception cref="LogFormatException">The signed text is not a checkpoint.</exception>
    public Verdict Verify(MerkleHash leaf, LogPolicy policy)
    {
        ArgumentNullException.ThrowIfNull(policy);
        var faults = policy.Check(Note).Missing.ToList();
        var checkpoint = Checkpoint.Of(Note);
        if (!MerkleProof.VerifyInclusion(leaf, Index, checkpoint.Size, Path, checkpoint.Root))
        {
            faults.Add($"The path does not lead from the entry at index {Index} to the root of the {checkpoint.Size} entries.");
        }

        return new Verdict(faults);
    }

    /// <inheritdoc cref="Verify(MerkleHash, LogPolicy)"/>
    /// <param name="key">The log's own key, where no witness is asked for.</param>
    public Verdict Verify(MerkleHash leaf, VerifierKey key) => Verify(leaf, LogPolicy.Of(key));

    private static MerkleHash Hash(string line) =>
        LogText.TryHash(line, out var hash) ? hash : throw new LogFormatException("A line of the path is not 32 bytes in base64.");
}

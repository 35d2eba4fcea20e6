using System.Text;
using Mbp.Ledger.Merkle;

namespace Mbp.Ledger.Log;

/// <summary>
/// The list of the files of a folder with their hashes, and one hash over them all (<see cref="EvidenceTree"/>) in its first line. The other
/// lines are those of sha256sum, so that <c>sha256sum -c</c> reads it, too. A file's own place is not in the list.
/// </summary>
public static class FolderManifest
{
    private const string Version = "# mbp-manifest@v1 ";
    private const int HexSize = 2 * MerkleHash.Size;

    /// <summary>The manifest of files in any order.</summary>
    public static byte[] Format(IEnumerable<EvidenceFile> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        var sorted = files.OrderBy(file => file.Path, StringComparer.Ordinal).ToArray();
        var text = new StringBuilder(Version).Append(EvidenceTree.Root(sorted)).Append(' ').Append(LogText.Number(sorted.Length)).Append('\n');
        foreach (var file in sorted)
        {
            if (file.Path.Contains('\n', StringComparison.Ordinal))
            {
                throw new ArgumentException($"A path within a manifest has no line feed: '{file.Path}'.", nameof(files));
            }

            text.Append(file.Content).Append("  ").Append(file.Path).Append('\n');
        }

        return LogText.Utf8.GetBytes(text.ToString());
    }

    /// <summary>Reads a manifest, and holds its lines against its root.</summary>
    /// <exception cref="LogFormatException">It is not a manifest, not in its one spelling, or its root is not that of its lines.</exception>
    public static (MerkleHash Root, IReadOnlyList<EvidenceFile> Files) Parse(ReadOnlySpan<byte> manifest)
    {
        var lines = LogText.Decode(manifest).Split('\n');
        if (lines.Length < 2 || lines[^1].Length > 0 || lines[0].Split(' ') is not ["#", "mbp-manifest@v1", var rootHex, var countText])
        {
            throw new LogFormatException("A manifest begins with '# mbp-manifest@v1', its root and how many files it lists, and ends with a line feed.");
        }

        var root = Hash(rootHex);
        var files = new List<EvidenceFile>(lines.Length - 2);
        foreach (var line in lines.AsSpan(1, lines.Length - 2))
        {
            if (line.Length <= HexSize + 2 || line[HexSize..(HexSize + 2)] != "  ")
            {
                throw new LogFormatException($"Line {files.Count + 2} of the manifest is not a hash, two spaces and a path.");
            }

            files.Add(new EvidenceFile(line[(HexSize + 2)..], Hash(line[..HexSize])));
            if (files.Count > 1 && string.CompareOrdinal(files[^2].Path, files[^1].Path) >= 0)
            {
                throw new LogFormatException($"Line {files.Count + 1} of the manifest is not in order.");
            }
        }

        return LogText.TryNumber(countText, out var count) && count == files.Count && EvidenceTree.Root(files) == root
            ? (root, files)
            : throw new LogFormatException("The root in the manifest's first line is not the root of its files: a line was changed, added or taken away.");
    }

    private static MerkleHash Hash(string hex) => hex.Length == HexSize && hex.All(char.IsAsciiHexDigitLower)
        ? new MerkleHash(Convert.FromHexString(hex))
        : throw new LogFormatException("A hash in a manifest is 64 hexadecimal digits in lower case.");
}

using Mbp.Ledger.Merkle;

namespace Mbp.Ledger.Log;

/// <summary>A file of an evidence bundle.</summary>
/// <param name="Path">Within the bundle, with slashes.</param>
/// <param name="Content">SHA-256 of its bytes, without a prefix.</param>
public readonly record struct EvidenceFile(string Path, MerkleHash Content);

/// <summary>
/// One hash for a set of files, by the tree of the log (integrity.md): a leaf is the path in UTF-8, NUL and the hash of the content. A tree that
/// pairs an odd node with itself gives [a, b, c] and [a, b, c, c] one root; this one does not.
/// </summary>
public static class EvidenceTree
{
    /// <summary>The root over the files in the ordinal order of their paths, whatever order they come in.</summary>
    /// <exception cref="ArgumentException">A path is empty, is there twice, or holds NUL.</exception>
    public static MerkleHash Root(IEnumerable<EvidenceFile> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        var sorted = files.OrderBy(file => file.Path, StringComparer.Ordinal).ToArray();
        for (var i = 0; i < sorted.Length; i++)
        {
            if (sorted[i].Path is "" || sorted[i].Path.Contains('\0', StringComparison.Ordinal) || (i > 0 && sorted[i].Path == sorted[i - 1].Path))
            {
                throw new ArgumentException($"A path is empty, is there twice, or holds NUL: '{sorted[i].Path}'.", nameof(files));
            }
        }

        return MerkleTree.Root([.. sorted.Select(Leaf)]);
    }

    /// <summary>The hash of one file's leaf.</summary>
    public static MerkleHash Leaf(EvidenceFile file) => MerkleTree.LeafHash([.. LogText.Utf8.GetBytes(file.Path), 0, .. file.Content.ToArray()]);
}

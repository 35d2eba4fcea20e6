using Mbp.Ledger.Log;

namespace Mbp.Ledger.Postgres.Log;

/// <summary>
/// What was signed by logs that were given up, kept outside of the database: their last heads are in no row of it, and somebody may hold them. A note each,
/// named after epoch and size.
/// </summary>
/// <param name="folder"><c>log/evidence</c> in the data folder.</param>
public sealed class LogEvidence(string folder)
{
    public string Folder => folder;

    /// <summary>Keeps a file; the same again is the same file.</summary>
    public void Keep(string name, ReadOnlySpan<byte> content)
    {
        Directory.CreateDirectory(folder);
        SecretFile.Write(Path.Combine(folder, name), content);
    }

    /// <summary>Keeps a signed head.</summary>
    /// <param name="epoch">Whose.</param>
    /// <param name="where">Where it was found: <c>last-signed</c> or <c>stored</c>.</param>
    /// <param name="note">The head.</param>
    public void Keep(int epoch, string where, SignedNote note)
    {
        ArgumentNullException.ThrowIfNull(note);
        Keep(FormattableString.Invariant($"epoch-{epoch}-{where}-{Checkpoint.Of(note).Size}.note"), note.ToUtf8());
    }

    /// <summary>The signed heads that are kept.</summary>
    public IReadOnlyList<(string File, SignedNote Note)> Notes() => !Directory.Exists(folder)
        ? []
        : [.. Directory.GetFiles(folder, "*.note").Order(StringComparer.Ordinal).Select(file => (Path.GetFileName(file), SignedNote.Parse(File.ReadAllBytes(file))))];
}

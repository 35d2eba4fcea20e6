using Mbp.Ledger.Merkle;

namespace Mbp.Ledger.Log;

/// <summary>A tree of a log, by C2SP tlog-checkpoint: what is signed in a note under it.</summary>
/// <param name="Origin">Whose log: the name of the log's key too.</param>
/// <param name="Size">How many leaves, which is the position of the last event.</param>
/// <param name="Root">The RFC 6962 root over them.</param>
public sealed record Checkpoint(string Origin, long Size, MerkleHash Root)
{
    /// <summary>The lines after the third as they were read, each with its newline. Ours has none: nobody could audit them.</summary>
    public string Extensions { get; private init; } = "";

    /// <summary>Reads the text of a note, of which it trusts nothing: the caller verifies the note's signature.</summary>
    /// <exception cref="LogFormatException">It is not the text of a checkpoint.</exception>
    public static Checkpoint Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var lines = text.Split('\n', 4);
        if (lines.Length != 4 || lines[0].Length == 0 || !LogText.TryNumber(lines[1], out var size) || !LogText.TryHash(lines[2], out var root))
        {
            throw new LogFormatException("A checkpoint is a line of the origin, one of the size in decimal and one of the root in base64.");
        }

        var extensions = lines[3];
        var empty = extensions.StartsWith('\n') || extensions.Contains("\n\n", StringComparison.Ordinal);
        return !empty && (extensions.Length == 0 || extensions.EndsWith('\n'))
            ? new Checkpoint(lines[0], size, root) { Extensions = extensions }
            : throw new LogFormatException("The lines of a checkpoint are not empty, and the last one ends with a newline.");
    }

    /// <summary>Reads the text of a note. The signatures are not verified.</summary>
    /// <inheritdoc cref="Parse(string)" path="/exception"/>
    public static Checkpoint Of(SignedNote note)
    {
        ArgumentNullException.ThrowIfNull(note);
        return Parse(note.Text);
    }

    /// <summary>The text to be signed.</summary>
    public string ToText() => $"{Origin}\n{LogText.Number(Size)}\n{LogText.Base64(Root)}\n{Extensions}";
}

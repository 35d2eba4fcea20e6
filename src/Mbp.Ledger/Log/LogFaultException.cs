namespace Mbp.Ledger.Log;

/// <summary>What about a log does not hold.</summary>
public enum LogFaultKind
{
    /// <summary>A tile is not the one that the tree above it commits to.</summary>
    Tile,

    /// <summary>The right edge of the tree does not have the root that was signed.</summary>
    Root,

    /// <summary>An entry bundle does not have the entries that the tiles commit to.</summary>
    Entry,
}

/// <summary>The log is at fault: what it served is well formed or not, but it is not what it signed. Never thrown for a failure of transport.</summary>
/// <param name="kind">What does not hold.</param>
/// <param name="path">The tile or the bundle, where one can be blamed; a wrong root blames the whole right edge, which the message lists.</param>
/// <param name="position">The position (leaf index + 1) of the first event under it, where that is known.</param>
public sealed class LogFaultException(LogFaultKind kind, string message, TilePath? path = null, long? position = null) : Exception(message)
{
    public LogFaultKind Kind { get; } = kind;

    public TilePath? Path { get; } = path;

    public long? Position { get; } = position;
}

/// <summary>Bytes or text that are not in the form of a public log: a note, a key, a tile, a proof, a policy, a receipt.</summary>
public sealed class LogFormatException(string message, Exception? cause = null) : FormatException(message, cause);

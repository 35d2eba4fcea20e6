namespace Mbp.Ledger.Log;

/// <summary>Where the files of an exported log are, beside the tiles and the entries (ADR 0011). All with slashes, below the folder.</summary>
public static class ExportPaths
{
    public const string Checkpoint = "checkpoint";

    /// <summary>Older checkpoints that somebody else holds a word for: one JSON object a line, <c>size</c> and <c>note</c>.</summary>
    public const string Checkpoints = "checkpoints";

    public const string VerifierKeys = "vkeys";

    /// <summary>What belongs to each settled market, one JSON object a line.</summary>
    public const string MarketIndex = "markets/index.jsonl";

    /// <summary>The hashes of all other files. Written last: an export without it was not finished.</summary>
    public const string Manifest = "MANIFEST";

    private const string BundlePrefix = "tile/entries/";

    /// <summary>The file of the events in an entry bundle: the bundle's own path, below <c>events/</c>; one name whether it is full or not.</summary>
    public static string Events(long bundle) => $"events/{TilePath.Bundle(bundle).ToString()[BundlePrefix.Length..]}.jsonl";

    /// <summary>A market by itself: all that a stranger needs to decide it again.</summary>
    public static string Market(string id) => $"markets/{id}.json";

    public static string Ruleset(string name, string hash) => $"rulesets/{name}-{hash[..Math.Min(hash.Length, 12)]}.json";
}

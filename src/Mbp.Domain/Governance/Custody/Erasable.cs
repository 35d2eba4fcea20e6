using System.Collections.Frozen;

namespace Mbp.Domain.Governance.Custody;

/// <summary>
/// Which texts may be erased (ADR 0011). Only free ones that nothing is decided, folded into value, planned or hashed by: a market's question is
/// held to a length by its template and is what people traded on, evidence must be a URI and is copied into the decision (S3.INV1), a posting's
/// reference is the trade's id, and <c>market_voided</c> gives a reason of the decider's own. They stay.
/// </summary>
public static class Erasable
{
    private static readonly FrozenDictionary<string, string[]> Fields = new Dictionary<string, string[]>
    {
        ["credits_granted"] = ["reason"],
        ["market_halted"] = ["reason"],
        ["market_resumed"] = ["reason"],
        ["market_closed"] = ["reason"],
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>The wire names of events that have such texts.</summary>
    public static IEnumerable<string> Types => Fields.Keys;

    /// <summary>The names of the texts of an event that may be erased; none for an event of a type that is not listed.</summary>
    public static IReadOnlyList<string> Of(string type) => Fields.GetValueOrDefault(type, []);
}

using System.Text;
using System.Text.Json.Nodes;
using Mbp.Ledger.Merkle;

namespace Mbp.Cli.Conformance;

/// <summary>Kind rfc6962.</summary>
internal static class TreeCases
{
    public static JsonObject Root(JsonObject given)
    {
        var entries = Given.Array(given, "entries_utf8");
        var leaves = Enumerable.Range(0, entries.Count).Select(i => MerkleTree.LeafHash(Encoding.UTF8.GetBytes(Given.Text(entries, i))));
        return new JsonObject { ["root_hex"] = MerkleTree.Root([.. leaves]).ToString() };
    }
}

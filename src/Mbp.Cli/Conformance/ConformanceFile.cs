using System.Text.Json;
using System.Text.Json.Nodes;

namespace Mbp.Cli.Conformance;

/// <summary>
/// Runs a file of conformance cases against the domain's own code: a line for each case, then the totals. The cases were made by others from
/// the market rules, so agreement to the last unit is evidence.
/// </summary>
public static class ConformanceFile
{
    private const int Passed = 0;
    private const int Failed = 1;
    private const int Unreadable = 2;

    /// <summary>Every kind that is built. A kind that is missing here fails, and never counts as passed.</summary>
    private static readonly Dictionary<string, Func<JsonObject, JsonObject, JsonObject>> Kinds = new(StringComparer.Ordinal)
    {
        ["amm"] = (given, _) => PoolCases.Amm(given),
        ["amm_categorical"] = (given, _) => PoolCases.Amm(given),
        ["settlement"] = (given, _) => SettlementCases.Settle(given),
        ["scalar_vector"] = (given, _) => SettlementCases.ScalarVector(given),
        ["depth"] = (given, _) => PriceCases.Depth(given),
        ["spread"] = (given, _) => PriceCases.Spread(given),
        ["twap"] = PriceCases.Twap,
        ["halts"] = (given, _) => HaltCases.Halts(given),
        ["rate"] = (given, _) => HaltCases.Rate(given),
        ["consensus"] = (given, _) => OracleCases.Vote(given),
        ["failover"] = (given, _) => OracleCases.Failovers(given),
        ["bonds"] = (given, _) => OracleCases.Stakes(given),
        ["rfc6962"] = (given, _) => TreeCases.Root(given),
    };

    /// <returns>0: all passed, 1: one failed, 2: the file is no conformance file.</returns>
    public static int Run(string file, TextWriter output)
    {
        ArgumentNullException.ThrowIfNull(output);
        JsonArray cases;
        try
        {
            cases = JsonNode.Parse(File.ReadAllText(file)) is JsonObject root && root["cases"] is JsonArray array && Version(root) == "1"
                ? array
                : throw new JsonException("it is not {\"version\":1,\"cases\":[...]}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or ArgumentException or InvalidOperationException)
        {
            output.WriteLine($"{file} cannot be read: {e.Message}");
            return Unreadable;
        }

        var failed = 0;
        for (var i = 0; i < cases.Count; i++)
        {
            var id = IdOf(cases[i]) ?? $"case {i + 1}";
            var difference = Check(cases[i]);
            failed += difference is null ? 0 : 1;
            output.WriteLine(difference is null ? $"ok {id}" : $"FAIL {id}: {difference}");
        }

        output.WriteLine($"{cases.Count - failed} passed, {failed} failed");
        return failed == 0 ? Passed : Failed;
    }

    /// <summary>The first difference between what a case expects and what the product does; null if there is none.</summary>
    private static string? Check(JsonNode? node)
    {
        try
        {
            var test = Given.Object(node, "the case");
            var kind = Given.Text(test, "kind");
            if (!Kinds.TryGetValue(kind, out var run))
            {
                return $"kind '{kind}' is not built yet";
            }

            var expect = Given.Object(test["expect"], "expect");
            // An empty expectation would pass whatever the product does.
            return expect.Count == 0 ? "expect is empty" : Comparison.FirstDifference(expect, run(Given.Object(test["given"], "given"), expect));
        }
        // A case with a wrong shape is a failed case; the cases after it still run.
        catch (Exception e) when (e is JsonException or FormatException or OverflowException or ArgumentException or InvalidOperationException
            or KeyNotFoundException or IndexOutOfRangeException or DivideByZeroException)
        {
            return $"malformed case: {e.Message}";
        }
    }

    private static string? IdOf(JsonNode? node) => node is JsonObject test && test["id"] is JsonValue id ? id.ToString() : null;

    private static string? Version(JsonObject root) => root["version"] is JsonValue version ? version.ToString() : null;
}

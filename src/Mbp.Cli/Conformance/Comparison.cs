using System.Text.Json.Nodes;

namespace Mbp.Cli.Conformance;

/// <summary>
/// Compares what a case expects with what the product did. Fields that the expectation lacks are not compared; lists, and maps by user, match
/// exactly.
/// </summary>
internal static class Comparison
{
    private static readonly HashSet<string> ByUser = new(StringComparer.Ordinal) { "shares", "lp", "traders", "lp_fees" };

    public static string? FirstDifference(JsonObject expected, JsonObject actual) => Compare(expected, actual, "", exact: false);

    private static string? Compare(JsonNode? expected, JsonNode? actual, string path, bool exact) => (expected, actual) switch
    {
        (null, null) => null,
        (JsonObject e, JsonObject a) => CompareFields(e, a, path, exact),
        (JsonArray e, JsonArray a) => CompareItems(e, a, path),
        (JsonValue e, JsonValue a) when e.ToString() == a.ToString() => null,
        _ => $"{path.TrimStart('.')}: expected {Show(expected)}, got {Show(actual)}",
    };

    private static string? CompareFields(JsonObject expected, JsonObject actual, string path, bool exact)
    {
        foreach (var (name, value) in expected)
        {
            if (!actual.TryGetPropertyValue(name, out var found))
            {
                return $"{path.TrimStart('.')}{(path.Length == 0 ? "" : ".")}{name}: expected {Show(value)}, got nothing";
            }

            if (Compare(value, found, $"{path}.{name}", ByUser.Contains(name)) is { } difference)
            {
                return difference;
            }
        }

        return exact && actual.FirstOrDefault(field => !expected.ContainsKey(field.Key)) is { Key: { } extra }
            ? $"{path.TrimStart('.')}.{extra}: expected nothing, got {Show(actual[extra])}"
            : null;
    }

    private static string? CompareItems(JsonArray expected, JsonArray actual, string path)
    {
        for (var i = 0; i < Math.Min(expected.Count, actual.Count); i++)
        {
            if (Compare(expected[i], actual[i], $"{path}[{i}]", exact: false) is { } difference)
            {
                return difference;
            }
        }

        return expected.Count == actual.Count ? null : $"{path.TrimStart('.')}: expected {expected.Count} items, got {actual.Count}";
    }

    private static string Show(JsonNode? node) => node?.ToJsonString() ?? "null";
}

using System.Globalization;
using System.Numerics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Mbp.Cli.Conformance;

/// <summary>Reads a case's inputs: whole numbers are decimal strings (or JSON integers), and nothing has a default.</summary>
internal static class Given
{
    public static JsonObject Object(JsonNode? node, string what) => node as JsonObject ?? throw new JsonException($"{what} is not an object");

    public static JsonArray Array(JsonObject given, string name) => given[name] as JsonArray ?? throw new JsonException($"'{name}' is not a list");

    public static JsonArray Array(JsonNode? node, string what) => node as JsonArray ?? throw new JsonException($"{what} is not a list");

    public static string Text(JsonObject given, string name) =>
        given[name] is JsonValue value ? value.ToString() : throw new JsonException($"'{name}' is missing");

    public static string Text(JsonArray items, int index) =>
        index < items.Count && items[index] is JsonValue value ? value.ToString() : throw new JsonException($"item {index} is missing");

    public static long Units(JsonObject given, string name) => Units(Text(given, name));

    public static int Count(JsonObject given, string name) => checked((int)Units(given, name));

    public static long Units(JsonArray items, int index) => Units(Text(items, index));

    public static BigInteger Whole(JsonObject given, string name) =>
        BigInteger.Parse(Text(given, name), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);

    public static IEnumerable<long> List(JsonObject given, string name)
    {
        var items = Array(given, name);
        return Enumerable.Range(0, items.Count).Select(i => Units(items, i));
    }

    public static JsonArray Json<T>(IEnumerable<T> units, Func<T, long> value) => new([.. units.Select(unit => Json(value(unit)))]);

    public static JsonNode Json(long units) => JsonValue.Create(units.ToString(CultureInfo.InvariantCulture));

    private static long Units(string text) => long.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
}

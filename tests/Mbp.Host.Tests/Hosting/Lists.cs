using System.Globalization;
using System.Text.Json.Nodes;

namespace Mbp.Host.Tests.Hosting;

internal static class Lists
{
    /// <summary>All items of a list, page after page.</summary>
    public static async Task<IReadOnlyList<JsonObject>> AllAsync(this Api api, string path, int limit)
    {
        List<JsonObject> all = [];
        string? cursor = null;
        do
        {
            var page = (await api.GetAsync(string.Create(
                CultureInfo.InvariantCulture, $"{path}{(path.Contains('?', StringComparison.Ordinal) ? '&' : '?')}limit={limit}{(cursor is null ? "" : $"&cursor={cursor}")}"))).Ok().Json;
            var items = page["items"]!.AsArray().Select(item => item!.AsObject()).ToList();
            Assert.True(items.Count <= limit, $"{items.Count} items where {limit} were asked for.");
            all.AddRange(items);
            cursor = (string?)page["nextCursor"];
        }
        while (cursor is not null);
        return all;
    }

    public static string Text(this JsonObject item, string field) => (string?)item[field] ?? throw new InvalidDataException($"No '{field}' in {item.ToJsonString()}");
}

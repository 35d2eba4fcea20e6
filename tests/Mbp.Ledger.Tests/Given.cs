using System.Text;
using NodaTime;

namespace Mbp.Ledger.Tests;

/// <summary>Batches for tests, with as few words as possible.</summary>
internal static class Given
{
    public static readonly Instant Noon = Instant.FromUtc(2025, 9, 10, 12, 0);

    public static StreamId Stream(string? key = null) => StreamId.Of("market", key ?? Guid.NewGuid().ToString("n"));

    public static NewEvent Event(StreamId stream, long version, string body = """{"n": 1}""", Instant? at = null, string type = "thing_happened") => new(
        Guid.CreateVersion7(), stream, version, new EncodedEvent(type, "Mbp.Tests.ThingHappened, Mbp.Tests", Encoding.UTF8.GetBytes(body)),
        at ?? Noon, "trace-1", "command-1", Encoding.UTF8.GetBytes("""{"actor": "tester"}"""));

    public static IReadOnlyList<NewEvent> Events(StreamId stream, long from, int count) =>
        [.. Enumerable.Range(0, count).Select(i => Event(stream, from + i, $$"""{"n": {{i}}}"""))];

    public static NewCommand Command(string key, int first, int count) => new(new("alice", key), new byte[] { 1, 2, 3 }, first, count, Noon);

    public static async Task<List<StoredEvent>> AllAsync(this IAsyncEnumerable<StoredEvent> events)
    {
        List<StoredEvent> all = [];
        await foreach (var stored in events)
        {
            all.Add(stored);
        }

        return all;
    }

    public static string Text(this ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);
}

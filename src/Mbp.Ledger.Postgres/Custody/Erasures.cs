using System.Text.Json;
using System.Text.Json.Nodes;
using Mbp.Ledger.Json;
using Mbp.Ledger.Merkle;

namespace Mbp.Ledger.Postgres.Custody;

/// <summary>What the ledger says was erased at one position (ADR 0011).</summary>
/// <param name="Position">The erased event's.</param>
/// <param name="Stream">Its stream.</param>
/// <param name="Type">Its wire name.</param>
/// <param name="Fields">The texts.</param>
/// <param name="RestSha256">What was left.</param>
/// <param name="At">The position of the event that says so.</param>
public sealed record Erasure(long Position, string Stream, string Type, IReadOnlyList<string> Fields, string RestSha256, long At);

/// <summary>The erasures that the ledger announces: <c>payload_erased</c> on <c>custody</c>. The ledger's own function looks for the same names.</summary>
public static class Erasures
{
    private const string EventType = "payload_erased";

    private static readonly StreamId Custody = StreamId.Parse("custody");

    /// <summary>All of them, in order; for a position with two, one after the other.</summary>
    public static async Task<IReadOnlyList<Erasure>> ReadAsync(IEventStore store, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(store);
        var erasures = new List<Erasure>();
        await foreach (var stored in store.ReadStreamAsync(Custody, 0, cancellationToken).ConfigureAwait(false))
        {
            if (stored.Type == EventType)
            {
                var body = JsonSerializer.Deserialize<Body>(stored.Data.Span, LedgerJson.Options) ?? throw new JsonException("An erasure is null.");
                erasures.Add(new Erasure(body.Position, body.Stream, body.Type, body.Fields, body.RestSha256, stored.Position));
            }
        }

        return erasures;
    }

    /// <summary>The body with the texts taken out, and nothing else changed.</summary>
    public static byte[] Without(ReadOnlyMemory<byte> body, IEnumerable<string> fields)
    {
        ArgumentNullException.ThrowIfNull(fields);
        var json = JsonNode.Parse(body.Span)?.AsObject() ?? throw new JsonException("The event is null.");
        foreach (var field in fields)
        {
            json[field] = Erased.Mark;
        }

        return JsonSerializer.SerializeToUtf8Bytes(json);
    }

    private sealed record Body(long Position, string Stream, string Type, IReadOnlyList<string> Fields, string RestSha256);
}

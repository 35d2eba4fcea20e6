using System.Buffers;
using System.Security.Cryptography;
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
    /// <summary>What stands where a text was.</summary>
    public const string Mark = "[erased]";

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
            json[field] = Mark;
        }

        return JsonSerializer.SerializeToUtf8Bytes(json);
    }

    /// <summary>SHA-256, lower-case hex, of the canonical JSON of <c>{"data":...,"headers":...}</c>.</summary>
    /// <exception cref="CanonicalJsonException">One of them has no canonical form.</exception>
    public static string RestOf(ReadOnlySpan<byte> data, ReadOnlySpan<byte> headers)
    {
        var text = new ArrayBufferWriter<byte>();
        text.Write("{\"data\":"u8);
        CanonicalJson.Write(data, text);
        text.Write(",\"headers\":"u8);
        CanonicalJson.Write(headers.IsEmpty ? "{}"u8 : headers, text);
        text.Write("}"u8);
        return Convert.ToHexStringLower(SHA256.HashData(text.WrittenSpan));
    }

    private sealed record Body(long Position, string Stream, string Type, IReadOnlyList<string> Fields, string RestSha256);
}

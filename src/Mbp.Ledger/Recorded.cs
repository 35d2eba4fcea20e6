using System.Text.Json;
using NodaTime;

namespace Mbp.Ledger;

/// <summary>An event as the store holds it, body not yet decoded.</summary>
/// <param name="Position">Its place in the whole ledger: 1, 2, 3, ... without a gap, in commit order.</param>
/// <param name="Stream">Its stream.</param>
/// <param name="Version">Its place in the stream: 1, 2, 3, ...</param>
/// <param name="Id">UUIDv7.</param>
/// <param name="Type">Its wire name.</param>
/// <param name="Data">Its body, UTF-8 JSON. The store may have reordered keys and white space, never values.</param>
/// <param name="At">Ledger time, microseconds: grows with every command; the events of one command share it.</param>
/// <param name="CorrelationId">The trace that it belongs to.</param>
/// <param name="CausationId">The command that caused it; all events of one command share it.</param>
/// <param name="Headers">Who and by which policy, as JSON: <c>{"actor": ...}</c>.</param>
public sealed record StoredEvent(
    long Position,
    StreamId Stream,
    long Version,
    Guid Id,
    string Type,
    ReadOnlyMemory<byte> Data,
    Instant At,
    string CorrelationId,
    string CausationId,
    ReadOnlyMemory<byte> Headers)
{
    /// <summary>One header's value, or null.</summary>
    public string? Header(string name)
    {
        if (Headers.IsEmpty)
        {
            return null;
        }

        using var headers = JsonDocument.Parse(Headers);
        return headers.RootElement.ValueKind == JsonValueKind.Object && headers.RootElement.TryGetProperty(name, out var value)
            ? value.ToString()
            : null;
    }
}

/// <summary>An event with its decoded body.</summary>
public sealed record Recorded(StoredEvent Stored, object Data)
{
    public long Position => Stored.Position;

    public StreamId Stream => Stored.Stream;

    public long Version => Stored.Version;

    public Instant At => Stored.At;
}

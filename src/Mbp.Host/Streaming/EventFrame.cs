using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Mbp.Host.Markets;
using Mbp.Host.Platform;
using Mbp.Ledger;

namespace Mbp.Host.Streaming;

/// <summary>Of whom an event tells, which decides who sees it.</summary>
internal enum Subject
{
    /// <summary>A market: its life, trades, averages, resolution and settlement. Everybody sees them.</summary>
    Market,

    /// <summary>An account: its owner and operators see them.</summary>
    Account,

    /// <summary>Templates, tables of facts and whatever is added: operators see them.</summary>
    House,
}

/// <summary>An event as it goes out to everybody who follows: made once, shared by all.</summary>
/// <param name="Position">Its place in the ledger.</param>
/// <param name="Subject">Of whom it tells.</param>
/// <param name="Id">The market's or account's id.</param>
/// <param name="Bytes">One server-sent event, with the empty line that ends it.</param>
internal sealed record EventFrame(long Position, Subject Subject, string Id, byte[] Bytes)
{
    // Each thread writes one frame at a time.
    [ThreadStatic]
    private static ArrayBufferWriter<byte>? _buffer;

    [ThreadStatic]
    private static Utf8JsonWriter? _json;

    public static Subject SubjectOf(StreamId stream) => stream.Category switch
    {
        "market" or "quotes" or "resolution" => Subject.Market,
        "account" => Subject.Account,
        _ => Subject.House,
    };

    public static EventFrame Of(Recorded recorded)
    {
        var stored = recorded.Stored;
        var buffer = _buffer ??= new ArrayBufferWriter<byte>(2_048);
        var json = _json ??= new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = HostJson.Bodies.Encoder });
        buffer.ResetWrittenCount();
        json.Reset();
        buffer.Write(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"id: {stored.Position}\nevent: {stored.Type}\ndata: ")));
        WriteData(json, stored);
        buffer.Write("\n\n"u8);
        return new EventFrame(stored.Position, SubjectOf(stored.Stream), stored.Stream.Key, buffer.WrittenSpan.ToArray());
    }

    // The same fields as an item of a market's events, and the stream.
    private static void WriteData(Utf8JsonWriter json, StoredEvent stored)
    {
        json.WriteStartObject();
        json.WriteNumber("position"u8, stored.Position);
        json.WriteString("stream"u8, stored.Stream.Value);
        json.WriteString("type"u8, stored.Type);
        json.WriteNumber("version"u8, stored.Version);
        json.WriteString("at"u8, MarketPage.Text(stored.At));
        json.WritePropertyName("data"u8);
        // As it is stored: neither the writer nor jsonb puts a line break into a body.
        json.WriteRawValue(stored.Data.Span, skipInputValidation: true);
        if (stored.Header("actor") is { } actor)
        {
            json.WriteString("actor"u8, actor);
        }

        json.WriteString("traceId"u8, stored.CorrelationId);
        json.WriteString("commandId"u8, stored.CausationId);
        json.WriteEndObject();
        json.Flush();
    }
}

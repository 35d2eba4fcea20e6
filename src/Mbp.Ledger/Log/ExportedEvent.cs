using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using Mbp.Ledger.Json;
using Mbp.Ledger.Merkle;

namespace Mbp.Ledger.Log;

/// <summary>
/// What stands behind an entry of the public log, as a line of an exported <c>events/</c> file: the event with the salt that opens its entry's
/// commitments; an erased one, whose salt is gone; or nothing, where a position was used up by a transaction that failed.
/// </summary>
/// <param name="Position">The entry's index + 1.</param>
/// <param name="Event">Null for a void position. Correlation and causation are not in the log, and so not in the line: they are empty.</param>
/// <param name="Salt">Empty where the event was erased.</param>
public sealed record ExportedEvent(long Position, StoredEvent? Event, ReadOnlyMemory<byte> Salt)
{
    private static readonly byte[] VoidBytes = Merkle.Leaf.Void.ToArray();

    /// <summary>The entry of a position without an event (ADR 0011).</summary>
    public static ReadOnlyMemory<byte> VoidEntry => VoidBytes;

    public bool IsVoid => Event is null;

    public bool IsErased => Event is not null && Salt.IsEmpty;

    /// <summary>Whether the salt is the one that an erasure leaves behind.</summary>
    public static bool IsErasedSalt(ReadOnlySpan<byte> salt) => !salt.ContainsAnyExcept((byte)0);

    /// <summary>Writes the line, with its newline.</summary>
    public void Write(IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        Put(output, "{\"position\":"u8);
        Number(output, Position);
        if (Event is not { } e)
        {
            Put(output, ",\"void\":true}\n"u8);
            return;
        }

        Put(output, ",\"id\":\""u8);
        e.Id.TryFormat(output.GetSpan(36), out var written);
        output.Advance(written);
        Put(output, "\",\"stream\":"u8);
        Text(output, e.Stream.Value);
        Put(output, ",\"version\":"u8);
        Number(output, e.Version);
        Put(output, ",\"type\":"u8);
        Text(output, e.Type);
        Put(output, ",\"at\":\""u8);
        output.Advance(IsoInstant.Format(e.At, output.GetSpan(IsoInstant.LongestText)));
        Put(output, "\",\"data\":"u8);
        Json(output, e.Data.Span);
        Put(output, ",\"headers\":"u8);
        Json(output, e.Headers.IsEmpty ? "{}"u8 : e.Headers.Span);
        if (Salt.IsEmpty)
        {
            Put(output, ",\"erased\":true}\n"u8);
            return;
        }

        Put(output, ",\"salt\":\""u8);
        Base64.EncodeToUtf8(Salt.Span, output.GetSpan(Base64.GetMaxEncodedToUtf8Length(Salt.Length)), out _, out written);
        output.Advance(written);
        Put(output, "\"}\n"u8);
    }

    /// <summary>Reads a line (or the object by itself). The body and the headers stay parts of it.</summary>
    /// <param name="strict">Fields that it does not know are refused; a host's answer has more (the entry itself), which are passed over.</param>
    /// <exception cref="LogFormatException">It is not such a line.</exception>
    public static ExportedEvent Parse(ReadOnlyMemory<byte> line, bool strict = true)
    {
        try
        {
            return new Reader(line, strict).Read();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException || e is FormatException and not LogFormatException)
        {
            throw new LogFormatException($"The line of an event cannot be read: {e.Message}", e);
        }
    }

    /// <summary>The hash of the entry that the log must have for it.</summary>
    /// <exception cref="InvalidOperationException">It was erased: its commitments cannot be made again.</exception>
    public MerkleHash Leaf()
    {
        if (IsErased)
        {
            throw new InvalidOperationException($"The event at position {Position} was erased.");
        }

        var entry = new ArrayBufferWriter<byte>();
        return Event is { } e ? Compute(e, entry) : MerkleTree.LeafHash(VoidBytes);
    }

    /// <summary>Whether this is what the entry says.</summary>
    /// <param name="entry">The entry as the log has it.</param>
    /// <param name="scratch">A buffer to compute the entry in; it is cleared.</param>
    /// <returns>Null where it is; else a sentence on what differs. Of an erased event only what is not behind the commitments can be compared.</returns>
    public string? Differs(ReadOnlySpan<byte> entry, ArrayBufferWriter<byte> scratch)
    {
        ArgumentNullException.ThrowIfNull(scratch);
        if (Event is null)
        {
            return entry.SequenceEqual(VoidBytes) ? null : "the export has no event here, the log has one";
        }

        if (Salt.IsEmpty)
        {
            return OpenFields(entry) == OpenFields(Event) ? null : $"the event says {OpenFields(Event)}, the log's entry {OpenFields(entry) ?? "cannot be read"}";
        }

        scratch.ResetWrittenCount();
        Compute(Event, scratch);
        return entry.SequenceEqual(scratch.WrittenSpan) ? null
            : OpenFields(entry) is not { } open ? "the log's entry is no entry of an event"
            : open != OpenFields(Event) ? $"the event says {OpenFields(Event)}, the log's entry {open}"
            : "its content or its salt is not what the log committed to";
    }

    private MerkleHash Compute(StoredEvent e, ArrayBufferWriter<byte> entry)
    {
        try
        {
            return Merkle.Leaf.Write(e, Salt.Span, entry);
        }
        catch (CanonicalJsonException)
        {
            // A foreign event without a canonical form is committed to as the text that the database keeps.
            entry.ResetWrittenCount();
            return Merkle.Leaf.Write(e with { Data = AsText(e.Data), Headers = AsText(e.Headers) }, Salt.Span, entry);
        }
    }

    private static byte[] AsText(ReadOnlyMemory<byte> json) => JsonSerializer.SerializeToUtf8Bytes(Encoding.UTF8.GetString(json.Span));

    private static string OpenFields(StoredEvent e)
    {
        Span<byte> at = stackalloc byte[IsoInstant.LongestText];
        return $"{e.Type} {e.Stream} version {LogText.Number(e.Version)} at {Encoding.ASCII.GetString(at[..IsoInstant.Format(e.At, at)])} id {e.Id:D}";
    }

    // What an entry says in the open; null where it is none.
    private static string? OpenFields(ReadOnlySpan<byte> entry)
    {
        try
        {
            using var document = JsonDocument.Parse(entry.ToArray(), new JsonDocumentOptions { AllowDuplicateProperties = false });
            var root = document.RootElement;
            var at = Encoding.UTF8.GetBytes(root.GetProperty("at").GetString() ?? "");
            return IsoInstant.TryParse(at, out var instant)
                ? OpenFields(new StoredEvent(
                    0, StreamId.Parse(root.GetProperty("stream").GetString() ?? ""), root.GetProperty("version").GetInt64(), root.GetProperty("id").GetGuid(),
                    root.GetProperty("type").GetString() ?? "", default, instant, "", "", default))
                : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException or ArgumentException)
        {
            return null;
        }
    }

    private static void Put(IBufferWriter<byte> output, ReadOnlySpan<byte> bytes) => output.Write(bytes);

    private static void Number(IBufferWriter<byte> output, long number)
    {
        number.TryFormat(output.GetSpan(20), out var written);
        output.Advance(written);
    }

    private static void Text(IBufferWriter<byte> output, string text) => output.Advance(CanonicalJson.WriteString(text, output.GetSpan(CanonicalJson.MaxLength(text))));

    // As it is stored, which a foreign body's commitment may rest on; a line feed can only be white space between its parts.
    private static void Json(IBufferWriter<byte> output, ReadOnlySpan<byte> json)
    {
        if (!json.ContainsAny((byte)'\n', (byte)'\r'))
        {
            Put(output, json);
            return;
        }

        var line = output.GetSpan(json.Length);
        for (var i = 0; i < json.Length; i++)
        {
            line[i] = json[i] is (byte)'\n' or (byte)'\r' ? (byte)' ' : json[i];
        }

        output.Advance(json.Length);
    }

    private sealed class Reader(ReadOnlyMemory<byte> line, bool strict)
    {
        private static readonly LogFormatException NoObject = new("The line of an event is one JSON object.");

        private long? _position;
        private long _version;
        private Guid _id;
        private string _stream = "";
        private string _type = "";
        private NodaTime.Instant _at;
        private ReadOnlyMemory<byte> _data;
        private ReadOnlyMemory<byte> _headers;
        private byte[]? _salt;
        private bool _void;
        private int _seen;

        public ExportedEvent Read()
        {
            var reader = new Utf8JsonReader(line.Span, new JsonReaderOptions { MaxDepth = CanonicalJson.MaxDepth + 1 });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                throw NoObject;
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                Field(ref reader);
            }

            if (reader.TokenType != JsonTokenType.EndObject || reader.Read())
            {
                throw NoObject;
            }

            const int Common = 0xff;
            return _seen switch
            {
                1 | (1 << 10) when _void => new ExportedEvent(_position!.Value, Event: null, default),
                Common | (1 << 8) when _salt is { Length: Merkle.Leaf.SaltSize } => new ExportedEvent(_position!.Value, Event(), _salt),
                Common | (1 << 9) => new ExportedEvent(_position!.Value, Event(), default),
                _ => throw new LogFormatException("A field is missing, or the salt does not have 16 bytes."),
            };
        }

        private StoredEvent Event() => new(_position!.Value, StreamId.Parse(_stream), _version, _id, _type, _data, _at, "", "", _headers);

        private void Field(ref Utf8JsonReader reader)
        {
            if (reader.ValueTextEquals("position"u8))
            {
                Once(0);
                reader.Read();
                _position = reader.GetInt64();
            }
            else if (reader.ValueTextEquals("id"u8))
            {
                Once(1);
                reader.Read();
                _id = reader.GetGuid();
            }
            else if (reader.ValueTextEquals("stream"u8))
            {
                Once(2);
                _stream = Name(ref reader);
            }
            else if (reader.ValueTextEquals("version"u8))
            {
                Once(3);
                reader.Read();
                _version = reader.GetInt64();
            }
            else if (reader.ValueTextEquals("type"u8))
            {
                Once(4);
                _type = Name(ref reader);
            }
            else if (reader.ValueTextEquals("at"u8))
            {
                Once(5);
                reader.Read();
                _at = !reader.ValueIsEscaped && reader.TokenType == JsonTokenType.String && IsoInstant.TryParse(reader.ValueSpan, out var at)
                    ? at
                    : throw new LogFormatException("'at' is not a time in UTC.");
            }
            else if (reader.ValueTextEquals("data"u8))
            {
                Once(6);
                _data = Raw(ref reader);
            }
            else if (reader.ValueTextEquals("headers"u8))
            {
                Once(7);
                _headers = Raw(ref reader);
            }
            else if (reader.ValueTextEquals("salt"u8))
            {
                Once(8);
                reader.Read();
                _salt = reader.GetBytesFromBase64();
            }
            else if (reader.ValueTextEquals("erased"u8))
            {
                Once(9);
                True(ref reader);
            }
            else if (reader.ValueTextEquals("void"u8))
            {
                Once(10);
                True(ref reader);
                _void = true;
            }
            else if (!strict)
            {
                reader.Skip();
            }
            else
            {
                throw new LogFormatException($"The field '{reader.GetString()}' is none of an event's.");
            }
        }

        private void Once(int field)
        {
            if ((_seen & (1 << field)) != 0)
            {
                throw new LogFormatException("A field is there twice.");
            }

            _seen |= 1 << field;
        }

        private static void True(ref Utf8JsonReader reader)
        {
            reader.Read();
            if (reader.TokenType != JsonTokenType.True)
            {
                throw new LogFormatException("'erased' and 'void' are true or absent.");
            }
        }

        private static string Name(ref Utf8JsonReader reader)
        {
            reader.Read();
            return !reader.ValueIsEscaped && reader.TokenType == JsonTokenType.String && Ascii.IsValid(reader.ValueSpan)
                ? RecurringText.Of(reader.ValueSpan)
                : reader.GetString() ?? throw NoObject;
        }

        private ReadOnlyMemory<byte> Raw(ref Utf8JsonReader reader)
        {
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            return line[start..(int)reader.BytesConsumed];
        }
    }
}

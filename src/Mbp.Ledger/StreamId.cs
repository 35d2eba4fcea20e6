using System.Text.Json;
using System.Text.Json.Serialization;

namespace Mbp.Ledger;

/// <summary>
/// The name of an event stream: a category and a key, written <c>market-01j9x</c>. At most <see cref="MaxLength"/> characters;
/// the category is everything before the first hyphen.
/// </summary>
[JsonConverter(typeof(StreamIdConverter))]
public readonly record struct StreamId
{
    public const int MaxLength = 200;

    private readonly string? _value;

    private StreamId(string value) => _value = value;

    public static StreamId Of(string category, string key)
    {
        ArgumentException.ThrowIfNullOrEmpty(category);
        ArgumentException.ThrowIfNullOrEmpty(key);
        return category.Contains('-', StringComparison.Ordinal)
            ? throw new ArgumentException($"A stream category has no hyphen: '{category}'.", nameof(category))
            : Parse($"{category}-{key}");
    }

    /// <summary>Takes any stream name, our own or a foreign one: a ledger that others may append to holds names we did not make.</summary>
    public static StreamId Parse(string value)
    {
        ArgumentException.ThrowIfNullOrEmpty(value);
        return value.Length > MaxLength
            ? throw new ArgumentException($"A stream name has at most {MaxLength} characters, this one has {value.Length}.", nameof(value))
            : new StreamId(value);
    }

    public string Value => _value ?? throw new InvalidOperationException("An empty stream id was used.");

    public string Category => Value.IndexOf('-', StringComparison.Ordinal) is var at and >= 0 ? Value[..at] : Value;

    /// <summary>What follows the category; empty for a stream without one.</summary>
    public string Key => Value.IndexOf('-', StringComparison.Ordinal) is var at and >= 0 ? Value[(at + 1)..] : "";

    public StreamEvent With(object @event) => new(this, @event);

    public override string ToString() => _value ?? "";
}

/// <summary>An event on its way to one stream: what a decision over several streams is made of.</summary>
public readonly record struct StreamEvent(StreamId Stream, object Event);

internal sealed class StreamIdConverter : JsonConverter<StreamId>
{
    public override StreamId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => StreamId.Parse(reader.GetString() ?? "");

    public override void Write(Utf8JsonWriter writer, StreamId value, JsonSerializerOptions options) => writer.WriteStringValue(value.Value);
}

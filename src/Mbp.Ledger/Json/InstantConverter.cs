using System.Text.Json;
using System.Text.Json.Serialization;
using NodaTime;
using NodaTime.Text;

namespace Mbp.Ledger.Json;

/// <summary>ISO 8601 UTC with as many decimals as needed, at most six: PostgreSQL keeps microseconds, so the ledger does too.</summary>
public sealed class InstantConverter : JsonConverter<Instant>
{
    public override Instant Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.String)
        {
            throw new JsonException("An instant is a string such as \"2025-09-10T12:00:00Z\".");
        }

        if (!reader.HasValueSequence && IsoInstant.TryParse(reader.ValueSpan, out var instant))
        {
            return instant;
        }

        var parsed = InstantPattern.ExtendedIso.Parse(reader.GetString()!);
        return parsed.Success ? parsed.Value : throw new JsonException("An instant is a string such as \"2025-09-10T12:00:00Z\" (UTC).");
    }

    public override void Write(Utf8JsonWriter writer, Instant value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        Span<byte> text = stackalloc byte[IsoInstant.LongestText];
        writer.WriteStringValue(text[..IsoInstant.Format(value, text)]);
    }
}

/// <summary>A duration as whole milliseconds.</summary>
public sealed class DurationConverter : JsonConverter<Duration>
{
    public override Duration Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Duration.FromMilliseconds(reader.GetInt64());

    public override void Write(Utf8JsonWriter writer, Duration value, JsonSerializerOptions options) =>
        writer.WriteNumberValue((long)value.TotalMilliseconds);
}

using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Mbp.Domain.Units;

/// <summary>What an id may look like wherever somebody outside chooses it.</summary>
public static class Identifier
{
    public const int MaxLength = 64;

    public const string Rule = "1 to 64 letters, digits, '_', '.', ':' or '-', starting with a letter or digit";

    private static readonly SearchValues<char> Allowed =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-");

    public static bool IsValid(string? value) =>
        value is { Length: > 0 and <= MaxLength } && char.IsAsciiLetterOrDigit(value[0]) && !value.AsSpan().ContainsAnyExcept(Allowed);
}

/// <summary>An id as a JSON string, also as a property name.</summary>
internal abstract class IdConverter<TId>(Func<string, TId> make, Func<TId, string> value) : JsonConverter<TId>
{
    public override TId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var text = reader.GetString();
        return Identifier.IsValid(text) ? make(text!) : throw new JsonException($"An id is {Identifier.Rule}.");
    }

    public override void Write(Utf8JsonWriter writer, TId value1, JsonSerializerOptions options) => writer.WriteStringValue(value(value1));

    public override TId ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Read(ref reader, typeToConvert, options);

    public override void WriteAsPropertyName(Utf8JsonWriter writer, TId value1, JsonSerializerOptions options) => writer.WritePropertyName(value(value1));
}

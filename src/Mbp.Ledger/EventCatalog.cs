using System.Collections.Frozen;
using System.Text.Json;
using System.Text.Json.Nodes;
using Mbp.Ledger.Json;

namespace Mbp.Ledger;

/// <summary>
/// Every event by its wire name (snake_case, <c>_v2</c> for a second version) and, for names that are no longer written, the upcaster that
/// reads them. Built once from the slices, then frozen.
/// </summary>
public sealed class EventCatalog
{
    private readonly Dictionary<Type, EventType> _byType = [];
    private readonly Dictionary<string, Func<ReadOnlyMemory<byte>, object>> _readers = new(StringComparer.Ordinal);

    private FrozenDictionary<Type, EventType>? _frozenTypes;
    private FrozenDictionary<string, Func<ReadOnlyMemory<byte>, object>>? _frozenReaders;

    /// <summary>The names that are written, in the order they were added, with their types.</summary>
    public IEnumerable<(string Name, Type Type)> Names => _byType.Select(pair => (pair.Value.Name, pair.Key));

    /// <param name="name">Its wire name.</param>
    /// <param name="stored">A faster way for bodies in the database's own form; it reads what the serializer would, or leaves the body to it.</param>
    public EventCatalog Add<TEvent>(string name, StoredReader<TEvent>? stored = null)
        where TEvent : class
    {
        var type = typeof(TEvent);
        _byType.Add(type, new EventType(name, $"{type.FullName}, {type.Assembly.GetName().Name}"));
        _readers.Add(name, stored is null ? data => Read<TEvent>(data) : data => stored(new StoredBody(data.Span)) ?? Read<TEvent>(data));
        return this;
    }

    /// <summary>Reads events stored under <paramref name="name"/>, which is no longer written, as <typeparamref name="TEvent"/>.</summary>
    public EventCatalog Upcast<TEvent>(string name, Func<JsonObject, JsonObject> upcast)
        where TEvent : class
    {
        _readers.Add(name, data =>
        {
            var body = JsonNode.Parse(data.Span)?.AsObject() ?? throw new JsonException("The event is null.");
            return upcast(body).Deserialize<TEvent>(LedgerJson.Options) ?? throw new JsonException("The event is null.");
        });
        return this;
    }

    public EventCatalog Freeze()
    {
        _frozenTypes = _byType.ToFrozenDictionary();
        _frozenReaders = _readers.ToFrozenDictionary(StringComparer.Ordinal);
        return this;
    }

    public EncodedEvent Encode(object @event)
    {
        ArgumentNullException.ThrowIfNull(@event);
        var type = @event.GetType();
        return _frozenTypes is { } frozen && frozen.TryGetValue(type, out var known) || _byType.TryGetValue(type, out known)
            ? new EncodedEvent(known.Name, known.DotnetType, JsonSerializer.SerializeToUtf8Bytes(@event, type, LedgerJson.Options))
            : throw new InvalidOperationException($"{type.FullName} has no wire name: add it to its slice.");
    }

    /// <exception cref="UnknownEventTypeException">No slice knows the name.</exception>
    /// <exception cref="UnreadableEventException">The body is not what the name promises.</exception>
    public Recorded Decode(StoredEvent stored)
    {
        ArgumentNullException.ThrowIfNull(stored);
        try
        {
            return new Recorded(stored, Decode(stored.Type, stored.Data));
        }
        catch (UnknownEventTypeException)
        {
            throw new UnknownEventTypeException(stored.Type, stored.Position);
        }
        catch (Exception e) when (e is JsonException or FormatException or OverflowException or ArgumentException or InvalidOperationException)
        {
            throw new UnreadableEventException(stored, e);
        }
    }

    public object Decode(string type, ReadOnlyMemory<byte> data) =>
        _frozenReaders is { } frozen && frozen.TryGetValue(type, out var read) || _readers.TryGetValue(type, out read)
            ? read(data)
            : throw new UnknownEventTypeException(type, position: null);

    private static TEvent Read<TEvent>(ReadOnlyMemory<byte> data) =>
        JsonSerializer.Deserialize<TEvent>(data.Span, LedgerJson.Options) ?? throw new JsonException("The event is null.");

    private sealed record EventType(string Name, string DotnetType);
}

/// <summary>An event ready for the store.</summary>
/// <param name="Type">Its wire name.</param>
/// <param name="DotnetType">"Namespace.Type, Assembly", which a Marten that opens the database needs.</param>
/// <param name="Data">Its body, UTF-8 JSON.</param>
public readonly record struct EncodedEvent(string Type, string DotnetType, byte[] Data);

/// <summary>The ledger holds an event that this build does not know. It is never skipped: a fold without it would be wrong.</summary>
public sealed class UnknownEventTypeException(string type, long? position) : Exception(
    $"The event type '{type}'{(position is { } p ? $" at position {p}" : "")} is unknown to this build. Run a build that knows it, or register an upcaster.")
{
    public string Type { get; } = type;

    public long? Position { get; } = position;
}

/// <summary>An event whose body does not fit its type.</summary>
public sealed class UnreadableEventException(StoredEvent stored, Exception cause) : Exception(
    $"The event '{stored.Type}' at position {stored.Position} (stream {stored.Stream}, version {stored.Version}) cannot be read: {cause.Message}", cause)
{
    public long Position { get; } = stored.Position;
}

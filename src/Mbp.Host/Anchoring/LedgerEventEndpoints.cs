using System.Text.Json;
using Mbp.Host.Platform;
using Mbp.Ledger;
using NodaTime.Text;

namespace Mbp.Host.Anchoring;

/// <summary>
/// <c>/events/{position}</c>: an event with the salt that opens its entry in the log. Public like the log, as a commitment that nobody may open
/// proves little; with <c>--events operators</c> it takes an operator's key.
/// </summary>
internal static class LedgerEventEndpoints
{
    // As the entry spells it (Leaf): always six decimals.
    private static readonly InstantPattern At = InstantPattern.CreateWithInvariantCulture("uuuu-MM-ddTHH:mm:ss.ffffff'Z'");

    public static void Map(WebApplication app, bool operatorsOnly)
    {
        var route = app.MapGet("/events/{position}", GetAsync).WithName("getLedgerEvent").WithSummary("An event, its salt, and its entry in the public log").Produces<LedgerEventResponse>();
        if (operatorsOnly)
        {
            route.OperatorsOnly();
        }
    }

    private static async Task<IResult> GetAsync(string position, HttpContext http, Database database, IEventStore store, CancellationToken cancellationToken)
    {
        if (LogEndpoints.Position(position, "position", out var at) is { } invalid)
        {
            return invalid;
        }

        if (await database.Log.Tiles.EntryAsync(at, cancellationToken) is not { } entry)
        {
            return LogEndpoints.Beyond(at, await store.HeadAsync(cancellationToken));
        }

        StoredEvent? stored = null;
        await foreach (var found in store.ReadRangeAsync(at - 1, at, cancellationToken))
        {
            stored = found;
        }

        // An erasure may still come: the answer is not for ever.
        http.Response.Headers.CacheControl = "no-cache";
        var (leaf, hash) = (Convert.ToBase64String(entry.Bytes.Span), Convert.ToBase64String(entry.Hash.ToArray()));
        return stored is null
            ? TypedResults.Ok(new LedgerEventResponse(at, null, "void", null, null, null, null, null, null, leaf, hash))
            : TypedResults.Ok(new LedgerEventResponse(
                at, stored.Stream.Value, stored.Type, stored.Version, At.Format(stored.At), stored.Id.ToString("D"),
                entry.Salt is null ? null : Json(stored.Data), entry.Salt is null ? null : Json(stored.Headers),
                entry.Salt is { } salt ? Convert.ToBase64String(salt.Span) : null, leaf, hash, entry.Salt is null ? true : null));
    }

    private static JsonElement Json(ReadOnlyMemory<byte> json)
    {
        using var document = JsonDocument.Parse(json.IsEmpty ? "{}"u8.ToArray() : json);
        return document.RootElement.Clone();
    }
}

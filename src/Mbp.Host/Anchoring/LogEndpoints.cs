using System.Globalization;
using System.Text;
using Mbp.Host.Platform;
using Mbp.Ledger;
using Mbp.Ledger.Log;
using Mbp.Ledger.Postgres.Log;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Mbp.Host.Anchoring;

/// <summary>
/// The public log: no key needed, for anybody's verifier. Paths and bytes are C2SP's (tlog-tiles, tlog-checkpoint, tlog-proof); what is not
/// signed yet is not served.
/// </summary>
internal static class LogEndpoints
{
    private const string Text = "text/plain; charset=utf-8";
    private const string ForEver = "public, max-age=31536000, immutable";

    public static void Map(WebApplication app)
    {
        // A public site, for pages of other origins, too.
        var log = app.MapGroup("/log").AddEndpointFilter(static (context, next) =>
        {
            context.HttpContext.Response.Headers.AccessControlAllowOrigin = "*";
            return next(context);
        });
        Get("/checkpoint", CheckpointAsync).WithName("logCheckpoint").WithSummary("The newest signed tree head, with what witnesses said of it").Produces<string>(200, "text/plain");
        Get("/tile/{**path}", TileAsync).WithName("logTile").WithSummary("A tile or an entry bundle").Produces(200, contentType: "application/octet-stream");
        Get("/vkeys", KeysAsync).WithName("logKeys").WithSummary("The log's verifier keys, retired ones too").Produces<string>(200, "text/plain");
        Get("/proof/{position}", ProofAsync).WithName("logProof").WithSummary("That the log holds an event: an offline proof").Produces<string>(200, "text/plain");
        Get("/consistency", ConsistencyAsync).WithName("logConsistency").WithSummary("That a tree is the beginning of a larger one");

        // Whoever mirrors the log asks first whether there is something new. It goes without saying in the contract.
        RouteHandlerBuilder Get(string pattern, Delegate handler)
        {
            log.MapMethods(pattern, [HttpMethods.Head], handler).ExcludeFromDescription();
            return log.MapGet(pattern, handler);
        }
    }

    private static async Task<IResult> CheckpointAsync(HttpContext http, Database database, CancellationToken cancellationToken)
    {
        if (await database.Log.NewestAsync(cancellationToken) is not { } newest)
        {
            return NotYet(http, "Nothing is signed yet; the first events are about to be.");
        }

        http.Response.Headers.CacheControl = "public, max-age=1";
        return Results.Bytes(newest.Note.ToUtf8(), Text);
    }

    private static async Task<IResult> TileAsync(string path, HttpContext http, Database database, CancellationToken cancellationToken)
    {
        // As it was sent: the one spelling of a path has nothing to be decoded.
        if (!TilePath.TryParse($"tile/{path}", out var tile))
        {
            return Problems.Make(
                400, "request.invalid", "path: Is a tile's by C2SP tlog-tiles: LEVEL/INDEX or entries/INDEX, with .p/WIDTH where it is partial.",
                new FieldError("path", "Is a tile's by C2SP tlog-tiles: LEVEL/INDEX or entries/INDEX, with .p/WIDTH where it is partial."));
        }

        var log = database.Log;
        var signed = (await log.Store.NewestAsync(log.Epoch, cancellationToken))?.Size ?? 0;
        if (!await IsPublishedAsync(log, tile, signed, cancellationToken))
        {
            return Problems.Make(404, "log.no_such_tile", string.Create(CultureInfo.InvariantCulture, $"No checkpoint so far has {tile}; the newest has {signed} entries."));
        }

        var bytes = await log.Tiles.ReadAsync(tile, cancellationToken);
        http.Response.Headers.CacheControl = ForEver;
        return Results.Bytes(bytes, "application/octet-stream");
    }

    // A full tile once it is signed; a partial one at exactly the widths that checkpoints had.
    private static async Task<bool> IsPublishedAsync(PublicLog log, TilePath tile, long signed, CancellationToken cancellationToken)
    {
        var shift = 8 * tile.Level;
        if (shift >= 62 || tile.Index > signed >> shift)
        {
            return false;
        }

        var (unit, hashes) = (1L << shift, (tile.Index * TilePath.FullWidth) + tile.Width);
        return hashes <= signed >> shift && (tile.IsFull || await log.Store.IsPublishedAsync(log.Epoch, hashes * unit, (hashes + 1) * unit, cancellationToken));
    }

    private static async Task<IResult> KeysAsync(HttpContext http, Database database, CancellationToken cancellationToken)
    {
        // The one that signs now first, and of several the newest; retired ones, and those of logs that were given up, verify what they signed.
        var keys = new List<LogKeyRecord>();
        for (var epoch = database.Log.Epoch; epoch > 0; epoch--)
        {
            keys.AddRange((await database.Log.Store.KeysAsync(epoch, cancellationToken)).Reverse().OrderBy(key => key.Until is not null));
        }

        http.Response.Headers.CacheControl = "public, max-age=60";
        return Results.Text(string.Concat(keys.Select(key => $"{key.Key}\n")), Text, Encoding.UTF8);
    }

    private static async Task<IResult> ProofAsync(string position, HttpContext http, Database database, IEventStore store, CancellationToken cancellationToken)
    {
        if (Position(position, "position", out var at) is { } invalid)
        {
            return invalid;
        }

        if (await database.Log.NewestAsync(cancellationToken) is not { } newest || newest.Checkpoint.Size < at)
        {
            var head = await store.HeadAsync(cancellationToken);
            return at > head ? Beyond(at, head) : NotYet(http, string.Create(CultureInfo.InvariantCulture, $"Position {at} is in the ledger and under no checkpoint yet; it will be within seconds."));
        }

        var path = await TileTree.For(Checkpoint.Of(newest.Note), database.Log.Tiles).InclusionAsync(at - 1, cancellationToken);
        http.Response.Headers.CacheControl = "no-store";
        return Results.Text(new TlogProof(at - 1, path, newest.Note).Format(), Text, Encoding.UTF8);
    }

    private static async Task<Results<Ok<ConsistencyResponse>, ProblemHttpResult>> ConsistencyAsync(
        HttpContext http, Database database, string? from, string? to, CancellationToken cancellationToken)
    {
        var newest = await database.Log.Store.NewestAsync(database.Log.Epoch, cancellationToken);
        var signed = newest?.Size ?? 0;
        var fields = new Fields();
        var first = Size(fields, "from", from, signed);
        var second = to is null ? signed : Size(fields, "to", to, signed);
        if (first > second)
        {
            fields.Fail("from", "Is not larger than 'to'.");
        }

        if (fields.Problem() is { } problem)
        {
            return problem;
        }

        var proof = await TileTree.Of(second, database.Log.Tiles).ConsistencyAsync(first, cancellationToken);
        // To the newest tree, whichever that is, is another question a second later.
        http.Response.Headers.CacheControl = to is null ? "public, max-age=1" : ForEver;
        return TypedResults.Ok(new ConsistencyResponse(first, second, [.. proof.Select(hash => Convert.ToBase64String(hash.ToArray()))]));
    }

    private static long Size(Fields fields, string field, string? text, long signed)
    {
        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var size) || size > signed)
        {
            fields.Fail(field, string.Create(CultureInfo.InvariantCulture, $"Is a tree size from 0 to {signed}, the newest that is signed."));
        }

        return size;
    }

    /// <summary>Reads a position.</summary>
    internal static ProblemHttpResult? Position(string text, string field, out long position) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out position) && position > 0
            ? null
            : Problems.Make(400, "request.invalid", $"{field}: Is a whole number from 1.", new FieldError(field, "Is a whole number from 1."));

    internal static ProblemHttpResult Beyond(long position, long head) => Problems.Make(
        404, "log.beyond", string.Create(CultureInfo.InvariantCulture, $"The ledger ends at position {head}; there is no {position} yet."));

    private static ProblemHttpResult NotYet(HttpContext http, string detail)
    {
        http.Response.Headers.RetryAfter = "1";
        return Problems.Make(503, "log.not_signed_yet", detail);
    }
}

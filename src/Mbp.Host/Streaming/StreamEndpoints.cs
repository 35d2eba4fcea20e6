using System.Globalization;
using Mbp.Domain.Markets;
using Mbp.Host.Platform;
using Mbp.Ledger;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Mbp.Host.Streaming;

/// <summary><c>GET /v2/stream</c>: the ledger as server-sent events, to be followed from any position.</summary>
internal static class StreamEndpoints
{
    private const string LastEventId = "Last-Event-ID";
    private const int MostMarkets = 100;

    // What the kernel may hold for a client that does not read. It would take megabytes otherwise, times thousands of clients.
    private const int SocketBuffer = 64 * 1024;

    public static void Map(RouteGroupBuilder v2) => v2.MapGet("/stream", FollowAsync)
        .WithName("followEvents")
        .WithSummary("The ledger's events as they happen, as server-sent events")
        .WithDescription("""
            Every event that the key may see, once and in order: `id` is the ledger position, `event` the wire name, `data` one JSON object with the fields of
            an item of a market's events, and `stream`. Events of markets are shown to every key, events of an account to its owner and to operators, all others
            to operators; with `markets`, nothing but the events of those markets.
            A break costs nothing: the position that was reached (`Last-Event-ID`, which wins, or `from`) gives everything after it, without a gap or a repetition.
            With neither, it begins with what happens next. A comment `: position N`, at least every 15 seconds, tells that everything up to N has been looked
            at; an `id` without data moves a browser's resume point there. The stream ends when the host stops, when the key is revoked, and where the ledger has
            an event that this host cannot read.
            """)
        .Produces<string>(200, "text/event-stream")
        .WithMetadata(new DisableHttpMetricsAttribute());

    private static async Task<Results<EmptyHttpResult, ProblemHttpResult>> FollowAsync(
        HttpContext http,
        string? markets,
        string? from,
        [FromHeader(Name = LastEventId)] string? lastEventId,
        Reads reads,
        LiveLedger live,
        IEventStore store,
        StreamRounds rounds,
        StreamMetrics metrics,
        MbpOptions options,
        IHostApplicationLifetime lifetime,
        CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var start = Position(fields, "from", from);
        start = Position(fields, LastEventId, lastEventId is "" ? null : lastEventId) ?? start;
        var named = markets?.Split(',');
        if (named is { Length: > MostMarkets } || named?.Contains("") == true)
        {
            fields.Fail("markets", string.Create(CultureInfo.InvariantCulture, $"Is 1 to {MostMarkets} market ids with commas between them; without it, all markets are followed."));
        }

        if (fields.Problem() is { } invalid)
        {
            return invalid;
        }

        var (view, problem) = await reads.NowAsync(http.Request, cancellationToken);
        if (problem is not null)
        {
            return problem;
        }

        if (live.Fault is not null)
        {
            return Unavailable(http, "stream.stopped", "The ledger has an event that this host cannot read; see /health/ready.");
        }

        if (named?.FirstOrDefault(id => !MarketId.IsValid(id) || view.Find(new MarketId(id)) is null) is { } unknown)
        {
            return Problems.Make(404, MarketErrors.NotFound.Code, $"There is no market '{unknown}'.", new FieldError("markets", $"Names markets that exist; '{unknown}' does not."));
        }

        // What this host does not know yet another one may have shown: the ledger itself says whether it has come to that.
        if (start > view.Position && start > await store.HeadAsync(cancellationToken))
        {
            var field = string.IsNullOrEmpty(lastEventId) ? "from" : LastEventId;
            return Problems.Make(400, "request.invalid", $"{field} is beyond the ledger's head.", new FieldError(field, "Is a position that the ledger has reached."));
        }

        if (!rounds.TryEnter())
        {
            return Unavailable(http, "stream.full", "As many follow as this host carries. Try again later, or follow by another host.");
        }

        try
        {
            await ServeAsync(http, rounds, lifetime, new StreamClient(
                http.Response.BodyWriter, new StreamFilter(Principal.Of(http), named?.ToHashSet(StringComparer.Ordinal)), start ?? view.Position,
                options.Streams, metrics, () => Principal.Of(http).IsInForce(live.Current), http.Abort));
        }
        finally
        {
            rounds.Leave();
        }

        return TypedResults.Empty;
    }

    private static async Task ServeAsync(HttpContext http, StreamRounds rounds, IHostApplicationLifetime lifetime, StreamClient client)
    {
        http.Response.ContentType = "text/event-stream";
        http.Response.Headers.CacheControl = "no-store";
        // A proxy that collects before it passes on would turn a stream into silence.
        http.Response.Headers["X-Accel-Buffering"] = "no";
        http.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        if (http.Features.Get<IConnectionSocketFeature>()?.Socket is { } socket)
        {
            socket.SendBufferSize = SocketBuffer;
        }

        using var over = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, lifetime.ApplicationStopping);
        try
        {
            await rounds.ServeAsync(client, over.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or UnknownEventTypeException or UnreadableEventException or Npgsql.NpgsqlException)
        {
            // The stream began, so its end is all that can be told. The client comes back to where it was.
        }

        if (client.IsWaitedFor)
        {
            // It would hold up the end until it takes what is left.
            http.Abort();
        }
    }

    private static long? Position(Fields fields, string field, string? text)
    {
        if (text is null)
        {
            return null;
        }

        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var position))
        {
            return position;
        }

        fields.Fail(field, "Is a ledger position: a whole number, 0 or more.");
        return null;
    }

    private static ProblemHttpResult Unavailable(HttpContext http, string code, string detail)
    {
        http.Response.Headers.RetryAfter = 5.ToString(CultureInfo.InvariantCulture);
        return Problems.Make(503, code, detail);
    }
}

using System.Text.Json;
using Mbp.Domain.Abuse;
using Mbp.Domain.Markets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Pricing;
using Mbp.Host.Platform;
using Mbp.Ledger;
using Mbp.Ledger.Writing;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Mbp.Host.Markets;

internal static class MarketEndpoints
{
    private static readonly string[] Statuses = ["open", "paused", "resolved", "canceled"];

    public static void Map(RouteGroupBuilder v2)
    {
        v2.MapGet("/markets", ListAsync).WithName("listMarkets").WithSummary("Markets, newest first");
        v2.MapGet("/markets/{id}", GetAsync).WithName("getMarket").WithSummary("A market's page, now or as it was");
        v2.MapGet("/markets/{id}/events", EventsAsync).WithName("listMarketEvents").WithSummary("A market's events, oldest first");
        v2.MapGet("/markets/{id}/resolution/events", ResolutionEventsAsync).WithName("listResolutionEvents").WithSummary("The events of a market's resolution and settlement, oldest first");
        v2.MapPost("/markets/{id}/halt", HaltAsync).OperatorsOnly().WithName("haltMarket").WithSummary("Halt a market");
        v2.MapPost("/markets/{id}/resume", ResumeAsync).OperatorsOnly().WithName("resumeMarket").WithSummary("Lift a halt");
        v2.MapPost("/markets/{id}/close", CloseAsync).OperatorsOnly().WithName("closeMarket").WithSummary("Close a market to trading, for good");
    }

    /// <summary>Closing reads the price history, for the price that a void would pay.</summary>
    public static Operation Close(MarketId market, string reason) => Operation.On(
        Market.Fold.Of(market.Stream), PriceFolds.LastDay.Of(market.Stream),
        (at, lifecycle, history) => MarketDecider.Close(new CloseMarket(reason, at), lifecycle, history).On(market.Stream));

    private static async Task<Results<Ok<MarketListResponse>, ProblemHttpResult>> ListAsync(
        HttpContext http, Reads reads, string? template, string? status, string? category, string? q, string? cursor, string? limit, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var (size, before) = (fields.Limit(limit), fields.Cursor(cursor));
        if (status is not null)
        {
            fields.OneOf("status", status, Statuses);
        }

        if (q is not null)
        {
            fields.Text("q", q, longest: 100);
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

        // The cursor is the number of older markets: markets are never removed, so it stays right while new ones are added in front.
        var items = new List<MarketListItem>(Math.Min(size, view.MarketsInOrder.Count));
        var at = (int)Math.Min(before ?? long.MaxValue, view.MarketsInOrder.Count);
        while (at > 0 && items.Count < size)
        {
            var market = view.Markets[view.MarketsInOrder[--at]];
            if (IsAskedFor(market))
            {
                items.Add(MarketPage.Item(market));
            }
        }

        return TypedResults.Ok(new MarketListResponse(items, at > 0 ? Paging.Text(at) : null, view.Position));

        bool IsAskedFor(MarketView market) =>
            (template is null || market.Terms!.TemplateId == template)
            && (category is null || market.Terms!.Category == category)
            && (status is null || MarketPage.Status(market) == status)
            && (q is null || market.Terms!.Question.Contains(q, StringComparison.OrdinalIgnoreCase));
    }

    private static async Task<Results<Ok<MarketResponse>, StatusCodeHttpResult, ProblemHttpResult>> GetAsync(
        string id, HttpContext http, Reads reads, CancellationToken cancellationToken)
    {
        var (market, moment, problem) = await reads.MarketAsync(http.Request, id, cancellationToken);
        if (problem is not null)
        {
            return problem;
        }

        var isKnown = moment is { } then ? Etags.TagPast(http, then) : Etags.Tag(http, Etags.Of(market!));
        return isKnown ? Etags.NotModified : TypedResults.Ok(MarketPage.Page(market!, market!.Position));
    }

    private static Task<Results<Ok<EventListResponse>, ProblemHttpResult>> EventsAsync(
        string id, HttpContext http, Reads reads, IEventStore store, string? cursor, string? limit, CancellationToken cancellationToken) =>
        EventsOfAsync(id, market => market.Stream, http, reads, store, cursor, limit, cancellationToken);

    private static Task<Results<Ok<EventListResponse>, ProblemHttpResult>> ResolutionEventsAsync(
        string id, HttpContext http, Reads reads, IEventStore store, string? cursor, string? limit, CancellationToken cancellationToken) =>
        EventsOfAsync(id, market => market.Resolution, http, reads, store, cursor, limit, cancellationToken);

    private static async Task<Results<Ok<EventListResponse>, ProblemHttpResult>> EventsOfAsync(
        string id, Func<MarketId, StreamId> stream, HttpContext http, Reads reads, IEventStore store, string? cursor, string? limit, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var (size, after) = (fields.Limit(limit), fields.Cursor(cursor) ?? 0);
        if (fields.Problem() is { } invalid)
        {
            return invalid;
        }

        var (market, moment, problem) = await reads.MarketAsync(http.Request, id, cancellationToken);
        if (problem is not null)
        {
            return problem;
        }

        var items = new List<EventItem>(size);
        var more = false;
        await foreach (var stored in store.ReadStreamAsync(stream(market!.Terms!.MarketId), after, cancellationToken))
        {
            if (stored.Position > (moment?.Position ?? long.MaxValue))
            {
                break;
            }

            if (items.Count == size)
            {
                more = true;
                break;
            }

            items.Add(Item(stored));
        }

        return TypedResults.Ok(new EventListResponse(items, more ? Paging.Text(items[^1].Version) : null, market.Position));
    }

    private static async Task<Results<Ok<MarketStateResponse>, ProblemHttpResult>> HaltAsync(
        string id, HaltRequest request, HttpContext http, Commands commands, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var market = fields.Market("id", id);
        var level = fields.OneOf("level", request.Level ?? "hard", "warn", "soft", "hard");
        var reason = fields.Text("reason", request.Reason ?? "operator", longest: 200);
        return fields.Problem() is { } problem
            ? problem
            : await SendAsync(
                http, commands, market,
                Operation.On(MarketDecider.Decider, Market.Fold.Of(market.Stream), at => new HaltMarket(Enum.Parse<HaltLevel>(level, ignoreCase: true), reason, at)),
                request, cancellationToken);
    }

    private static async Task<Results<Ok<MarketStateResponse>, ProblemHttpResult>> ResumeAsync(
        string id, ReasonRequest request, HttpContext http, Commands commands, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var market = fields.Market("id", id);
        var (reason, by) = (fields.Text("reason", request.Reason ?? "operator", longest: 200), Principal.Of(http).Id);
        return fields.Problem() is { } problem
            ? problem
            : await SendAsync(
                http, commands, market,
                Operation.On(
                    Market.Fold.Of(market.Stream), Moderation.Fold.Of(market.Abuse),
                    (at, lifecycle, cases) => MarketDecider.Resume(new ResumeMarket(reason, at, by), lifecycle, cases)),
                request, cancellationToken);
    }

    private static async Task<Results<Ok<MarketStateResponse>, ProblemHttpResult>> CloseAsync(
        string id, ReasonRequest request, HttpContext http, Commands commands, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var market = fields.Market("id", id);
        var reason = fields.Text("reason", request.Reason ?? "operator", longest: 200);
        return fields.Problem() is { } problem
            ? problem
            : await SendAsync(http, commands, market, Close(market, reason), request, cancellationToken);
    }

    private static async Task<Results<Ok<MarketStateResponse>, ProblemHttpResult>> SendAsync(
        HttpContext http, Commands commands, MarketId market, Operation operation, object body, CancellationToken cancellationToken)
    {
        var outcome = await commands.SendAsync(http, operation, body, cancellationToken);
        return outcome.Rejection is { } rejection ? Problems.From(rejection) : TypedResults.Ok(new MarketStateResponse(market.Value, outcome.Position, commands.ReceiptOf(outcome)));
    }

    private static EventItem Item(StoredEvent stored)
    {
        using var data = JsonDocument.Parse(stored.Data);
        return new EventItem(
            stored.Position, stored.Type, stored.Version, MarketPage.Text(stored.At), data.RootElement.Clone(),
            stored.Header("actor"), stored.CorrelationId, stored.CausationId);
    }
}

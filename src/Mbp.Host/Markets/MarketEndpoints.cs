using System.Globalization;
using System.Text.Json;
using Mbp.Domain.Markets;
using Mbp.Domain.Pricing;
using Mbp.Host.Platform;
using Mbp.Ledger;
using Mbp.Ledger.Writing;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Mbp.Host.Markets;

internal static class MarketEndpoints
{
    private const int DefaultPage = 100;
    private const int LargestPage = 1_000;

    public static void Map(RouteGroupBuilder v2)
    {
        v2.MapGet("/markets", ListAsync).WithName("listMarkets").WithSummary("Markets, newest first");
        v2.MapGet("/markets/{id}", GetAsync).WithName("getMarket").WithSummary("A market's page, now or as it was");
        v2.MapGet("/markets/{id}/events", EventsAsync).WithName("listMarketEvents").WithSummary("A market's events, oldest first");
        v2.MapPost("/markets/{id}/halt", HaltAsync).OperatorsOnly().WithName("haltMarket").WithSummary("Halt a market");
        v2.MapPost("/markets/{id}/resume", ResumeAsync).OperatorsOnly().WithName("resumeMarket").WithSummary("Lift a halt");
        v2.MapPost("/markets/{id}/close", CloseAsync).OperatorsOnly().WithName("closeMarket").WithSummary("Close a market to trading, for good");
    }

    /// <summary>Closing reads the price history, for the price that a void would pay.</summary>
    public static Operation Close(MarketId market, string reason) => Operation.On(
        Market.Fold.Of(market.Stream), PriceFolds.LastDay.Of(market.Stream),
        (at, lifecycle, history) => MarketDecider.Close(new CloseMarket(reason, at), lifecycle, history).On(market.Stream));

    private static async Task<Results<Ok<MarketListResponse>, ProblemHttpResult>> ListAsync(
        HttpContext http, Reads reads, string? template, string? status, string? category, string? cursor, string? limit, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var size = Limit(fields, limit);
        var before = Cursor(fields, cursor);
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
        var items = new List<MarketListItem>(size);
        var at = (int)Math.Min(before ?? long.MaxValue, view.MarketsInOrder.Count);
        while (at > 0 && items.Count < size)
        {
            var item = MarketPage.Item(view.Markets[view.MarketsInOrder[--at]]);
            if ((template is null || item.Template == template) && (status is null || item.Status == status) && (category is null || item.Category == category))
            {
                items.Add(item);
            }
        }

        return TypedResults.Ok(new MarketListResponse(items, at > 0 ? at.ToString(CultureInfo.InvariantCulture) : null, view.Position));
    }

    private static async Task<Results<Ok<MarketResponse>, ProblemHttpResult>> GetAsync(
        string id, HttpContext http, Reads reads, CancellationToken cancellationToken)
    {
        var (market, problem) = await reads.MarketAsync(http.Request, id, cancellationToken);
        return problem is not null ? problem : TypedResults.Ok(MarketPage.Page(market!, market!.Position));
    }

    private static async Task<Results<Ok<EventListResponse>, ProblemHttpResult>> EventsAsync(
        string id, HttpContext http, Reads reads, IEventStore store, string? cursor, string? limit, CancellationToken cancellationToken)
    {
        var fields = new Fields();
        var size = Limit(fields, limit);
        var after = Cursor(fields, cursor) ?? 0;
        if (fields.Problem() is { } invalid)
        {
            return invalid;
        }

        var (market, problem) = await reads.MarketAsync(http.Request, id, cancellationToken);
        if (problem is not null)
        {
            return problem;
        }

        var items = new List<EventItem>(size);
        var more = false;
        var (until, _) = Reads.Past(http.Request);
        await foreach (var stored in store.ReadStreamAsync(market!.Terms!.MarketId.Stream, after, cancellationToken))
        {
            if (until?.Invoke(stored) == false)
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

        return TypedResults.Ok(new EventListResponse(items, more ? items[^1].Version.ToString(CultureInfo.InvariantCulture) : null, market.Position));
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
        var reason = fields.Text("reason", request.Reason ?? "operator", longest: 200);
        return fields.Problem() is { } problem
            ? problem
            : await SendAsync(
                http, commands, market,
                Operation.On(MarketDecider.Decider, Market.Fold.Of(market.Stream), at => new ResumeMarket(reason, at)), request, cancellationToken);
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
        return outcome.Rejection is { } rejection ? Problems.From(rejection) : TypedResults.Ok(new MarketStateResponse(market.Value, outcome.Position));
    }

    private static EventItem Item(StoredEvent stored)
    {
        using var data = JsonDocument.Parse(stored.Data);
        return new EventItem(
            stored.Position, stored.Type, stored.Version, MarketPage.Text(stored.At), data.RootElement.Clone(),
            stored.Header("actor"), stored.CorrelationId, stored.CausationId);
    }

    private static int Limit(Fields fields, string? limit)
    {
        if (limit is null)
        {
            return DefaultPage;
        }

        if (int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out var size) && size is > 0 and <= LargestPage)
        {
            return size;
        }

        fields.Fail("limit", $"Is a whole number from 1 to {LargestPage}.");
        return DefaultPage;
    }

    private static long? Cursor(Fields fields, string? cursor)
    {
        if (cursor is null)
        {
            return null;
        }

        if (long.TryParse(cursor, NumberStyles.None, CultureInfo.InvariantCulture, out var value))
        {
            return value;
        }

        fields.Fail("cursor", "Is the nextCursor of the page before.");
        return null;
    }
}

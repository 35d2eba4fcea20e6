using System.Diagnostics;
using Mbp.Domain.Markets;
using Mbp.Domain.Pricing;
using Mbp.Host.Markets;
using Mbp.Host.Platform;
using Mbp.Ledger;
using Microsoft.AspNetCore.Http.HttpResults;
using NodaTime;
using NodaTime.Text;

namespace Mbp.Host.Pricing;

/// <param name="Window"><c>1m</c>, <c>5m</c> or <c>15m</c>.</param>
/// <param name="Twap">The time-weighted price of each outcome, rounded down to 8 decimals.</param>
/// <param name="CoveredMs">How much of the window the market had a price for; less than the window only in a young market.</param>
/// <param name="DivergencePpm">|price - twap| / twap of outcome 0, parts per million.</param>
public sealed record TwapWindow(string Window, IReadOnlyList<string> Twap, long CoveredMs, long DivergencePpm);

/// <param name="MarketId">The market.</param>
/// <param name="At">The end of the windows.</param>
/// <param name="Outcomes">Names, in the order of the prices.</param>
/// <param name="Prices">The prices in force.</param>
/// <param name="Windows">1, 5 and 15 minutes.</param>
/// <param name="Position">The last quote's place in the ledger.</param>
public sealed record TwapResponse(
    string MarketId, string At, IReadOnlyList<string> Outcomes, IReadOnlyList<string> Prices, IReadOnlyList<TwapWindow> Windows, long Position);

internal static class TwapEndpoints
{
    public static readonly IReadOnlyList<(string Name, Duration Length)> Windows =
        [("1m", Duration.FromMinutes(1)), ("5m", Duration.FromMinutes(5)), ("15m", Duration.FromMinutes(15))];

    private const long FirstStride = 500;

    private static readonly Duration LongestWindow = Windows[^1].Length;

    public static void Map(RouteGroupBuilder v2) =>
        v2.MapGet("/markets/{id}/twap", GetAsync).WithName("twap").WithSummary("Time-weighted prices over 1, 5 and 15 minutes, now or at any instant");

    private static async Task<Results<Ok<TwapResponse>, StatusCodeHttpResult, ProblemHttpResult>> GetAsync(
        string id, HttpContext http, Reads reads, IEventStore store, EventCatalog catalog, IClock clock, string? at, CancellationToken cancellationToken)
    {
        using var span = Telemetry.Source.StartActivity("twap.compute", ActivityKind.Internal);
        var (market, moment, problem) = await reads.MarketAsync(http.Request, id, cancellationToken);
        if (problem is not null)
        {
            return problem;
        }

        if (moment is { } then && Etags.TagPast(http, then))
        {
            return Etags.NotModified;
        }

        // At a position the windows end with the last quote; at an instant, and now, they end there.
        var instant = at is null ? Now(clock) : InstantPattern.ExtendedIso.Parse(at) is { Success: true } asked ? asked.Value : (Instant?)null;
        // An exact average at any instant needs every quote of the window, not only the ticks that the market keeps in memory.
        var (history, position, last) = await RecentAsync(store, catalog, market!, moment?.Position ?? long.MaxValue, instant, cancellationToken);
        if (position == 0)
        {
            return Problems.From(MarketErrors.NotFound);
        }

        var end = instant ?? last;
        return TypedResults.Ok(new TwapResponse(
            id, MarketPage.Text(end), [.. market!.Terms!.Outcomes], [.. history.Twap(end, LongestWindow)!.Current.Select(p => p.ToString())],
            [.. Windows.Select(w => Window(w.Name, history.Twap(end, w.Length)!))], position));
    }

    public static TwapWindow Window(string name, Twap twap) => new(
        name, [.. Enumerable.Range(0, twap.Current.Count).Select(outcome => twap.Average(outcome).ToString())],
        twap.CoveredTicks / NodaConstants.TicksPerMillisecond, twap.DivergencePpm(0));

    /// <summary>
    /// The quotes of the longest window, from the newest that counts backwards in growing strides: an old market with a quiet quarter of an hour is
    /// one short read, and so is any quarter of its past. The integrals are differences, so it does not matter where the reading began, as long as it
    /// began before the window.
    /// </summary>
    private static async Task<(PriceHistory History, long Position, Instant Last)> RecentAsync(
        IEventStore store, EventCatalog catalog, MarketView market, long upTo, Instant? end, CancellationToken cancellationToken)
    {
        for (var stride = FirstStride; ; stride *= 4)
        {
            var from = Math.Max(0, market.Version - stride);
            var (history, position, last) = (PriceHistory.Empty(LongestWindow), 0L, Instant.MinValue);
            await foreach (var stored in store.ReadStreamAsync(market.Terms!.MarketId.Stream, from, cancellationToken))
            {
                // An instant ends before what happens after it, also where the answer is being made while that happens.
                if (stored.Position > upTo || stored.At > end)
                {
                    break;
                }

                if (PriceFolds.Quote(catalog.Decode(stored).Data) is var (prices, quotedAt))
                {
                    history = history.Observe(prices, quotedAt);
                    (position, last) = (stored.Position, quotedAt);
                }
            }

            if (from == 0 || history.First <= (end ?? last) - LongestWindow)
            {
                return (history, position, last);
            }
        }
    }

    // Microseconds, like everything that the ledger knows.
    private static Instant Now(IClock clock) => Instant.FromUnixTimeTicks(clock.GetCurrentInstant().ToUnixTimeTicks() / 10 * 10);
}

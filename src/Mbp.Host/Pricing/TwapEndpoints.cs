using System.Diagnostics;
using System.Globalization;
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
    private static readonly (string Name, Duration Length)[] Windows =
        [("1m", Duration.FromMinutes(1)), ("5m", Duration.FromMinutes(5)), ("15m", Duration.FromMinutes(15))];

    private const long FirstStride = 500;

    private static readonly Duration LongestWindow = Windows[^1].Length;

    public static void Map(RouteGroupBuilder v2) =>
        v2.MapGet("/markets/{id}/twap", GetAsync).WithName("twap").WithSummary("Time-weighted prices over 1, 5 and 15 minutes, now or at any instant");

    private static async Task<Results<Ok<TwapResponse>, ProblemHttpResult>> GetAsync(
        string id, HttpContext http, Reads reads, IEventStore store, EventCatalog catalog, IClock clock, string? at, CancellationToken cancellationToken)
    {
        using var span = Telemetry.Source.StartActivity("twap.compute", ActivityKind.Internal);
        var (view, problem) = await reads.AtLeastAsync(http.Request, cancellationToken);
        if (problem is not null)
        {
            return problem;
        }

        if (!MarketId.IsValid(id) || view.Find(new MarketId(id)) is not { } market)
        {
            return Problems.From(MarketErrors.NotFound);
        }

        // An exact average at any instant needs every quote of the window, not only the ticks that the market keeps in memory.
        var (until, end) = End(at, Now(clock));
        if (until is null)
        {
            return Problems.Make(400, "request.invalid", "at is a position or a UTC instant.", new FieldError("at", "Is a position or an instant such as 2026-12-31T23:59:59Z."));
        }

        var (history, position, last) = await RecentAsync(store, catalog, market, until, end, cancellationToken);
        if (position == 0)
        {
            return Problems.From(MarketErrors.NotFound);
        }

        var instant = end ?? last;
        var windows = Windows.Select(w => (w.Name, Twap: history.Twap(instant, w.Length)!)).ToList();
        return TypedResults.Ok(new TwapResponse(
            id, MarketPage.Text(instant), [.. market.Terms!.Outcomes], [.. windows[0].Twap.Current.Select(p => p.ToString())],
            [.. windows.Select(w => new TwapWindow(
                w.Name, [.. Enumerable.Range(0, market.Terms!.Outcomes.Count).Select(o => w.Twap.Average(o).ToString())],
                w.Twap.CoveredTicks / NodaConstants.TicksPerMillisecond, w.Twap.DivergencePpm(0)))],
            position));
    }

    /// <summary>
    /// The quotes of the longest window, from the newest backwards in growing strides: an old market with a quiet quarter of an hour is one short
    /// read. The integrals are differences, so it does not matter where the reading began, as long as it began before the window.
    /// </summary>
    private static async Task<(PriceHistory History, long Position, Instant Last)> RecentAsync(
        IEventStore store, EventCatalog catalog, MarketView market, Func<StoredEvent, bool> until, Instant? end, CancellationToken cancellationToken)
    {
        for (var stride = FirstStride; ; stride *= 4)
        {
            var from = Math.Max(0, market.Version - stride);
            var (history, position, last) = (PriceHistory.Empty(LongestWindow), 0L, Instant.MinValue);
            await foreach (var stored in store.ReadStreamAsync(market.Terms!.MarketId.Stream, from, cancellationToken))
            {
                if (!until(stored))
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

    private static (Func<StoredEvent, bool>? Until, Instant? End) End(string? at, Instant now) =>
        at is null ? (stored => stored.At <= now, now)
        : long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out var position) ? (stored => stored.Position <= position, null)
        : InstantPattern.ExtendedIso.Parse(at) is { Success: true } instant ? (stored => stored.At <= instant.Value, instant.Value)
        : (null, null);
}

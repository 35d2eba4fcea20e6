using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using Mbp.Domain.Pricing;
using Mbp.Domain.Units;
using Mbp.Host.Platform;
using Mbp.Host.Pricing;
using Mbp.Host.Resolution;
using Mbp.Host.Trading;
using Microsoft.AspNetCore.Http.HttpResults;
using NodaTime;

namespace Mbp.Host.Markets;

/// <summary>
/// A market's page in one call. Everything on it is in memory; a page is written once for each state of the market and half minute, however many
/// ask for it.
/// </summary>
internal sealed class MarketPages(IClock clock)
{
    // Some 15 KB each.
    private const int MostKept = 1_000;

    private static readonly Duration Shown = Duration.FromHours(2);

    private readonly ConcurrentDictionary<string, Rendered> _rendered = new(StringComparer.Ordinal);

    public static void Map(RouteGroupBuilder v2) =>
        v2.MapGet("/markets/{id}/page", GetAsync).WithName("getMarketPage").WithSummary("A market's whole page: prices, averages, trades, minutes, quality, resolution, timeline");

    private static async Task<Results<WrittenJson<MarketPageResponse>, StatusCodeHttpResult, ProblemHttpResult>> GetAsync(
        string id, HttpContext http, Reads reads, MarketPages pages, CancellationToken cancellationToken)
    {
        var (market, problem) = await reads.PresentMarketAsync(http.Request, id, cancellationToken);
        if (problem is not null)
        {
            return problem;
        }

        var page = pages.Of(id, market!);
        return Etags.Tag(http, page.Etag) ? Etags.NotModified : new WrittenJson<MarketPageResponse>(page.Body);
    }

    private Rendered Of(string id, MarketView market)
    {
        var tick = TickAt(clock.GetCurrentInstant(), market.Prices);
        if (_rendered.TryGetValue(id, out var known) && ReferenceEquals(known.Market, market) && known.Tick == tick)
        {
            return known;
        }

        if (_rendered.Count >= MostKept)
        {
            _rendered.Clear();
        }

        var etag = string.Create(CultureInfo.InvariantCulture, $"\"page.{market.Position}.{tick?.ToUnixTimeSeconds() ?? 0}\"");
        var body = JsonSerializer.SerializeToUtf8Bytes(Show(market, tick), HostJson.Bodies);
        return _rendered[id] = new Rendered(market, tick, etag, body);
    }

    private static MarketPageResponse Show(MarketView market, Instant? tick)
    {
        var (tape, id) = (market.Tape, market.Terms!.MarketId.Value);
        var page = MarketPage.Page(market, market.Position);
        var trades = new TradeItem[tape.Trades.Length];
        for (var i = 0; i < trades.Length; i++)
        {
            trades[i] = tape.Trades[^(i + 1)].Show(id);
        }

        var from = market.Prices.Last - Shown;
        var resolution = ResolutionEndpoints.Show(market);
        return new MarketPageResponse(
            page,
            tick is { } at ? new PageTwap(MarketPage.Text(at), [.. TwapEndpoints.Windows.Select(w => TwapEndpoints.Window(w.Name, Average(market.Prices, at, w.Length)))]) : null,
            trades,
            [.. tape.Minutes.Where(minute => minute.Minute > from).Select(minute => new CandleItem(
                MarketPage.Text(minute.Minute), minute.Open.ToString(), minute.High.ToString(), minute.Low.ToString(), minute.Close.ToString(),
                WideDecimal.Format(minute.Volume), minute.Trades))],
            QualityNow.Of(market, page),
            new PageResolution(resolution.Phase, resolution.SourceKind, resolution.Value, resolution.Vector, resolution.EvidenceUri, resolution.FinalAt),
            [.. MarketTimeline.Happened(market)],
            Next(market),
            market.Position);
    }

    // Averages are exact at ticks without the quotes in between (spec D13), so no page reads any. Before its first tick a market has its first quote.
    private static Instant? TickAt(Instant now, PriceTrack prices)
    {
        if (prices.First is not { } first)
        {
            return null;
        }

        // Ledger time may be ahead of this clock: no tick is judged before its quotes.
        var tick = Instant.Max(PriceTrack.TickAtOrBefore(now), PriceTrack.TickAtOrBefore(prices.Last));
        return tick < first ? prices.Last : tick;
    }

    // How far the price is from the average is asked of the present price.
    private static Twap Average(PriceTrack prices, Instant at, Duration window) => prices.Twap(at, window)! with { Current = prices.Prices };

    private static NextStep? Next(MarketView market) => MarketTimeline.Next(market).FirstOrDefault();

    private sealed record Rendered(MarketView Market, Instant? Tick, string Etag, byte[] Body);
}

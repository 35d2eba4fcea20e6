using Mbp.Domain.Pricing;
using Mbp.Domain.Units;
using Mbp.Host.Markets;
using Mbp.Host.Platform;
using Mbp.Ledger.Postgres.Reading;
using Microsoft.AspNetCore.Http.HttpResults;
using NodaTime;

namespace Mbp.Host.Pricing;

/// <summary>The averages that end at an instant.</summary>
/// <param name="At">The end of the windows.</param>
/// <param name="Price">The price in force until then.</param>
/// <param name="Twap1m">The average over the minute before.</param>
/// <param name="Twap5m">Over five minutes.</param>
/// <param name="Twap15m">Over fifteen.</param>
/// <param name="Divergence1mPpm">|price - twap| / twap, parts per million.</param>
/// <param name="Divergence5mPpm">The same for five minutes.</param>
/// <param name="Divergence15mPpm">The same for fifteen.</param>
/// <param name="Band99Low">Where 99 % of a price that wanders as it did over the fifteen minutes lie: the lower end, not below 0.</param>
/// <param name="Band99High">The upper end, not above 1.</param>
public sealed record TwapPoint(
    string At,
    string Price,
    string Twap1m,
    string Twap5m,
    string Twap15m,
    long Divergence1mPpm,
    long Divergence5mPpm,
    long Divergence15mPpm,
    string Band99Low,
    string Band99High);

/// <param name="MarketId">The market.</param>
/// <param name="Outcome">Whose prices.</param>
/// <param name="Resolution">How far the points are apart: as asked for, or chosen by the range.</param>
/// <param name="Items">Oldest first.</param>
/// <param name="NextCursor">For the page after this one; absent on the last.</param>
/// <param name="Position">How far the quotes are that it is made of.</param>
public sealed record TwapSeriesResponse(
    string MarketId, string Outcome, string Resolution, IReadOnlyList<TwapPoint> Items, string? NextCursor, long Position);

internal static class TwapSeriesEndpoints
{
    private static readonly Duration[] Windows = [Duration.FromMinutes(1), Duration.FromMinutes(5), Duration.FromMinutes(15)];

    // The last minute with quotes before each end of a window: one look-up by the key for each.
    private const string Sql = """
        SELECT ends.at, c.quoted_at, c.close, c.c1, c.c2
        FROM unnest($3) AS ends (at)
        CROSS JOIN LATERAL (
          SELECT quoted_at, close[$2] AS close, c1[$2] AS c1, c2[$2] AS c2 FROM mbp_candles WHERE market_id = $1 AND minute < ends.at ORDER BY minute DESC LIMIT 1
        ) c
        """;

    public static void Map(RouteGroupBuilder v2) =>
        v2.MapGet("/markets/{id}/twap/series", GetAsync).WithName("listTwap").WithSummary("Time-weighted prices over 1, 5 and 15 minutes at each step of a range, oldest first");

    private static async Task<Results<Ok<TwapSeriesResponse>, ProblemHttpResult>> GetAsync(
        string id, HttpContext http, Reads reads, TableReads tables, IClock clock, string? outcome, string? resolution, string? from, string? to, string? cursor, string? limit,
        CancellationToken cancellationToken)
    {
        var (market, problem) = await reads.PresentMarketAsync(http.Request, id, cancellationToken);
        if (problem is not null)
        {
            return problem;
        }

        var fields = new Fields();
        var name = outcome ?? market!.Terms!.Outcomes[0];
        var index = market!.Pool.IndexOf(name);
        if (index < 0)
        {
            fields.OneOf("outcome", name, market.Terms!.Outcomes);
        }

        var size = fields.Limit(limit, SeriesStep.MostPoints);
        var now = clock.GetCurrentInstant();
        var range = SeriesRange.Read(fields, resolution, from, to, market.Terms!.CreatedAt, now);
        var after = fields.TimeCursor(cursor);
        if (fields.Problem() is { } invalid)
        {
            return invalid;
        }

        // Before the first quote and after now there are no averages; a range has the ends of its steps, its own end among them.
        var first = market.Prices.First ?? now;
        var (step, end) = (range.Step.Length, Instant.Min(range.To, now));
        var next = Instant.Max(after is { } last ? last + step : range.Step.AtOrBefore(range.From), range.Step.AtOrBefore(first) + step);
        next = next < range.From ? next + step : next;
        var ends = new List<Instant>();
        for (; next <= end && ends.Count <= size; next += step)
        {
            ends.Add(next);
        }

        var times = ends.SelectMany(at => Windows.Select(window => at - window).Prepend(at)).Where(at => at > first).Distinct().Order().ToArray();
        var found = await tables.ReadAsync(http, "prices", Sql, Quote.Read, [id, index + 1, times], cancellationToken);
        var quotes = found.Rows.ToDictionary(quote => quote.Before);
        var (shown, more) = Paging.Cut(ends, size);
        return TypedResults.Ok(new TwapSeriesResponse(
            id, name, range.Step.Name, [.. shown.Where(quotes.ContainsKey).Select(at => Point(at, first, quotes))], more ? Paging.Text(shown[^1]) : null, found.Position));
    }

    private static TwapPoint Point(Instant at, Instant first, Dictionary<Instant, Quote> quotes)
    {
        var (one, five, fifteen) = (Average(at, Windows[0]), Average(at, Windows[1]), Average(at, Windows[2]));
        var (low, high) = fifteen.Band99(0);
        return new TwapPoint(
            MarketPage.Text(at), quotes[at].Close.ToString(), one.Average(0).ToString(), five.Average(0).ToString(), fifteen.Average(0).ToString(),
            one.DivergencePpm(0), five.DivergencePpm(0), fifteen.DivergencePpm(0), low.ToString(), high.ToString());

        Twap Average(Instant end, Duration window)
        {
            var start = Instant.Max(end - window, first);
            var sums = quotes[end].SumsAt(end) - (start == first ? default : quotes[start].SumsAt(start));
            return new Twap([quotes[end].Close], [sums], (end - start).BclCompatibleTicks);
        }
    }

    /// <summary>The last quote before an instant, and the integrals up to it.</summary>
    private readonly record struct Quote(Instant Before, Instant At, Price Close, PriceSum Sums)
    {
        public static Quote Read(TableLine line) => new(
            line.Time(0), line.Time(1), Price.FromUnits((long)line.Units(2)), new PriceSum(line.Integral(3), line.Integral(4)));

        // Since the last quote the price held: C(T) = C(quote) + price (T - quote).
        public PriceSum SumsAt(Instant at) => Sums.After(Close, (at - At).BclCompatibleTicks);
    }
}

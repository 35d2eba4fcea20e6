using System.Text.Json;
using System.Text.Json.Nodes;
using Mbp.Domain.Pricing;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Cli.Conformance;

/// <summary>Kinds depth, spread and twap (spec D8 to D10).</summary>
internal static class PriceCases
{
    public static JsonObject Depth(JsonObject given)
    {
        var depth = Domain.Pricing.Depth.Of([.. Given.List(given, "R").Select(units => new Shares(units))], Given.Count(given, "outcome"));
        return new JsonObject
        {
            ["up_units"] = Given.Json(depth.UpShares.Units),
            ["up_ce"] = Given.Json(depth.UpCash.Units),
            ["down_units"] = Given.Json(depth.DownShares.Units),
            ["down_ce"] = Given.Json(depth.DownCash.Units),
            ["depth_2pct"] = Given.Json(depth.Shares.Units),
            ["depth_2pct_ce"] = Given.Json(depth.Cash.Units),
        };
    }

    public static JsonObject Spread(JsonObject given)
    {
        var pool = PoolCases.Open(given, out var opened);
        if (!pool.IsOpen)
        {
            throw new JsonException($"the pool cannot be opened: {opened["rejected"]}");
        }

        var reference = new Credits(Given.Units(given, "ref_gross"));
        var result = new JsonObject { ["ref_gross"] = Given.Json(reference.Units) };
        if (Domain.Pricing.Spread.Of(pool, 0, reference, out var spread) is { } rejection)
        {
            result["rejected"] = PoolCases.Code(rejection);
            return result;
        }

        result["shares"] = Given.Json(spread!.Shares.Units);
        result["proceeds"] = Given.Json(spread.Proceeds.Units);
        result["spread_ppm"] = Given.Json(spread.Ppm);
        return result;
    }

    /// <summary>The times and windows to compute stand in the expected rows.</summary>
    public static JsonObject Twap(JsonObject given, JsonObject expect)
    {
        var history = PriceHistory.Empty(Duration.FromDays(36_500));
        var quotes = Given.Array(given, "quotes").Select(quote => Given.Array(quote, "a quote"));
        // Stable: of several quotes at one instant the last in order holds.
        foreach (var quote in quotes.OrderBy(quote => Given.Units(quote, 0)))
        {
            history = history.Observe([new Price(Given.Units(quote, 1))], Instant.FromUnixTimeMilliseconds(Given.Units(quote, 0)));
        }

        return new JsonObject { ["rows"] = new JsonArray([.. Given.Array(expect, "rows").Select(row => Row(history, Given.Object(row, "a row")))]) };
    }

    private static JsonObject Row(PriceHistory history, JsonObject row)
    {
        var (at, window) = (Instant.FromUnixTimeMilliseconds(Given.Units(row, "t")), Duration.FromMilliseconds(Given.Units(row, "w")));
        var twap = history.Twap(at, window);
        return new JsonObject
        {
            ["t"] = row["t"]?.DeepClone(),
            ["w"] = row["w"]?.DeepClone(),
            ["twap_e8"] = twap is null ? null : Given.Json(twap.Average(0).Units),
            ["covered_ms"] = Given.Json((twap?.CoveredTicks ?? 0) / NodaConstants.TicksPerMillisecond),
        };
    }
}

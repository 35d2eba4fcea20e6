using Mbp.Domain.Markets;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Pricing;

public sealed record RecomputeTwap(MarketId MarketId, Instant At);

/// <summary>The last recomputation of a market.</summary>
public sealed record TwapLog(TwapRecomputed? Last)
{
    public static TwapLog Initial { get; } = new(Last: null);

    public static readonly Fold<TwapLog> Fold = new(
        "twap_log", 1, Initial, (log, @event) => @event is TwapRecomputed e ? new TwapLog(e) : log, snapshotEvery: 1_000);
}

/// <summary>
/// When <see cref="TwapRecomputed"/> is written: at full minutes, at most one a minute and market, and only while there is something new to say.
/// Once fifteen quiet minutes made all averages equal to the price, the next word comes with the next trade: an idle market costs nothing.
/// </summary>
public static class TwapDecider
{
    public static readonly Duration Every = Duration.FromMinutes(1);

    public static Decision<PricingEvent> Decide(RecomputeTwap c, Market market, PriceTrack track, TwapLog log)
    {
        ArgumentNullException.ThrowIfNull(c);
        ArgumentNullException.ThrowIfNull(log);
        ArgumentNullException.ThrowIfNull(track);
        if (market is Market.Unknown or Market.Closed)
        {
            return [];
        }

        var tick = LastTick(c.At);
        if (log.Last?.Tick >= tick || IsQuiet(log, track))
        {
            return [];
        }

        return track.Twap(tick, Duration.FromMinutes(1)) is { } one
               && track.Twap(tick, Duration.FromMinutes(5)) is { } five
               && track.Twap(tick, Duration.FromMinutes(15)) is { } fifteen
            ? [new TwapRecomputed(c.MarketId, tick, one.Current, Averages(one), Averages(five), Averages(fifteen), c.At)]
            : [];
    }

    private static EquatableArray<Price> Averages(Twap twap) => [.. Enumerable.Range(0, twap.Current.Count).Select(twap.Average)];

    /// <summary>The full minute at or before an instant.</summary>
    public static Instant LastTick(Instant at) =>
        Instant.FromUnixTimeTicks(at.ToUnixTimeTicks() / Every.BclCompatibleTicks * Every.BclCompatibleTicks);

    /// <summary>Whether the last word still holds: all averages have met the price, and no quote came since.</summary>
    public static bool IsQuiet(TwapLog log, PriceTrack track)
    {
        ArgumentNullException.ThrowIfNull(log);
        ArgumentNullException.ThrowIfNull(track);
        return log.Last is { } last && track.Last <= last.Tick && last.Twap1m == last.Prices && last.Twap5m == last.Prices && last.Twap15m == last.Prices;
    }
}

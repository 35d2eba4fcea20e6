using Mbp.Domain.Markets;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Pricing;

/// <summary>The prices of a market as its pool's events quote them: every change of the pool is a quote.</summary>
public static class PriceFolds
{
    /// <summary>In constant memory, for what is judged at ticks.</summary>
    public static readonly Fold<PriceTrack> Track = new(
        "price_track", 2, PriceTrack.Empty,
        (track, @event) => Quote(@event) is var (prices, at) ? track.Observe(prices, at) : track.Pass(),
        snapshotEvery: 500);

    /// <summary>Every quote of the last 24 hours, for the price that a void pays.</summary>
    public static readonly Fold<PriceHistory> LastDay = new(
        "price_history_24h", 1, PriceHistory.Empty(MarketDecider.VoidWindow),
        (history, @event) => Quote(@event) is var (prices, at) ? history.Observe(prices, at) : history,
        snapshotEvery: 5_000);

    /// <summary>The prices that an event of a market quotes, if it quotes any.</summary>
    public static (EquatableArray<Price> Prices, Instant At)? Quote(object @event) => @event is PoolEvent e ? (e.Prices, e.At) : null;
}

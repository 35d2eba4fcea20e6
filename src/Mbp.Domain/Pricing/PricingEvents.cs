using Mbp.Domain.Markets;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Pricing;

// Stored for ever. A field is added as nullable; anything else is a new wire name and an upcaster in PricingSlice.cs.
public abstract record PricingEvent;

/// <summary>The time-weighted prices of a market at a full minute (C10), outcome 0 first.</summary>
/// <param name="MarketId">Which market.</param>
/// <param name="Tick">The minute.</param>
/// <param name="Prices">The prices in force at it.</param>
/// <param name="Twap1m">Over the minute before (or since the market opened, if that is shorter).</param>
/// <param name="Twap5m">Over five minutes.</param>
/// <param name="Twap15m">Over fifteen.</param>
/// <param name="At">Ledger time.</param>
public sealed record TwapRecomputed(
    MarketId MarketId,
    Instant Tick,
    EquatableArray<Price> Prices,
    EquatableArray<Price> Twap1m,
    EquatableArray<Price> Twap5m,
    EquatableArray<Price> Twap15m,
    Instant At) : PricingEvent;

using Mbp.Domain.Pricing;
using Mbp.Domain.Settlement;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Markets;

/// <summary>Halting, resuming and closing. Creating a market is <see cref="CreateMarketDecider"/>'s.</summary>
public static class MarketDecider
{
    /// <summary>What a void pays is the price over this long before the close (D7).</summary>
    public static readonly Duration VoidWindow = Duration.FromHours(24);

    public static readonly Decider<MarketCommand, MarketEvent, Market> Decider = new(Market.Initial, Decide, Market.Evolve);

    /// <summary>Closing fixes the 24-hour price of every outcome, so it also reads the market's price history.</summary>
    public static Decision<MarketEvent> Close(CloseMarket command, Market market, PriceHistory history) => market switch
    {
        Market.Unknown => MarketErrors.NotFound,
        Market.Closed => MarketErrors.AlreadyClosed,
        _ => [new MarketClosed(command.Reason, Twap24h(history, command.At), command.At)],
    };

    /// <summary>Whether anybody may trade now: open, before its closing time, and not halted hard.</summary>
    public static Rejection? WhyNoTrade(Market market, Instant at) => market switch
    {
        Market.Unknown => MarketErrors.NotFound,
        Market.Closed => MarketErrors.Closed,
        // The closing event may be written a moment later; the closing time holds to the microsecond all the same.
        _ when at >= market.Terms()!.ClosesAt => MarketErrors.Closed,
        Market.Halted { Level: HaltLevel.Hard } halted => MarketErrors.Halted(halted.Level, halted.Reason),
        _ => null,
    };

    private static Decision<MarketEvent> Decide(MarketCommand command, Market market) => (command, market) switch
    {
        (_, Market.Unknown) => MarketErrors.NotFound,
        (_, Market.Closed) => MarketErrors.AlreadyClosed,

        // A halt only grows: a weaker or equal one is already in force.
        (HaltMarket c, Market.Halted halted) when c.Level <= halted.Level => [],
        (HaltMarket c, _) => [new MarketHalted(c.Level, c.Reason, c.At)],

        (ResumeMarket c, Market.Halted) => [new MarketResumed(c.Reason, c.At)],
        (ResumeMarket, _) => MarketErrors.NotHalted,

        _ => throw new InvalidOperationException($"{command.GetType().Name} has no decision."),
    };

    private static EquatableArray<Price> Twap24h(PriceHistory history, Instant at) =>
        history.Twap(at, VoidWindow) is { } twap
            ? PayoutVector.Void(twap).Shares
            : throw new InvalidOperationException("A market that opened has a price.");
}

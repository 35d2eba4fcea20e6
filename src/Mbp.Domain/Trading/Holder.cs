using Mbp.Domain.Units;

namespace Mbp.Domain.Trading;

/// <summary>What one account has in one market.</summary>
/// <param name="Shares">Its shares, per outcome.</param>
/// <param name="LpShares">Its LP shares.</param>
/// <param name="Paid">All cash that it ever paid into this market, fees included.</param>
/// <param name="Received">All cash that it ever received from this market, fee claims included.</param>
/// <param name="FeeEntry">The fee index up to which its fees are claimed (spec D5); null: it never held LP shares.</param>
public sealed record Holder(EquatableArray<Shares> Shares, LpShares LpShares, Credits Paid, Credits Received, FeeIndex? FeeEntry = null)
{
    /// <summary>
    /// Cash paid less cash received by its trades, fees included, in units (spec D17); negative for one who took more out than in. Liquidity is not in
    /// it: it is capital of the pool, and caps on it would forbid the depth that is asked for (spec part 4, item 5).
    /// </summary>
    public long ExposureUnits { get; init; }

    /// <summary>
    /// What the shares that liquidity turned into were worth at the prices of then, in units, rounded up: those that came back when it was added, and
    /// those that were left when it went. Liquidity that stays in the pool is not in it.
    /// </summary>
    public long LiquidityUnits { get; init; }

    public static Holder None(int outcomes) => new(EquatableArray.Own(new Shares[outcomes]), default, default, default);
}

using Mbp.Domain.Accounts;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Trading;

public enum TradeSide
{
    Buy,
    Sell,
}

/// <summary>What happens to a market's pool. Stored for ever: a field is added as nullable; anything else is a new wire name and an upcaster.</summary>
public abstract record PoolEvent
{
    /// <summary>Who traded with the pool, or provided liquidity to it.</summary>
    public abstract AccountId Account { get; init; }

    /// <summary>All outcomes' marginal prices after it (spec D2): every change of the pool is a quote.</summary>
    public abstract EquatableArray<Price> Prices { get; init; }

    /// <summary>Ledger time.</summary>
    public abstract Instant At { get; init; }
}

/// <summary>Somebody provided liquidity; the first on an empty pool opens it (spec D4).</summary>
/// <param name="Account">Who.</param>
/// <param name="Amount">The cash paid, which became complete sets.</param>
/// <param name="Minted">The LP shares received.</param>
/// <param name="Kept">Per outcome, the shares that stayed in the pool.</param>
/// <param name="Back">Per outcome, the shares that went to the account: Amount - Kept.</param>
/// <param name="Claimed">The fees paid to the account on its earlier LP shares.</param>
/// <param name="Prices">Marginal prices after it (spec D2).</param>
/// <param name="At">Ledger time.</param>
public sealed record LiquidityAdded(
    AccountId Account,
    Credits Amount,
    LpShares Minted,
    EquatableArray<Shares> Kept,
    EquatableArray<Shares> Back,
    Credits Claimed,
    EquatableArray<Price> Prices,
    Instant At) : PoolEvent;

/// <summary>Somebody took liquidity out (spec D4).</summary>
/// <param name="Account">Who.</param>
/// <param name="LpShares">The LP shares given up.</param>
/// <param name="Out">Per outcome, the shares taken from the reserve.</param>
/// <param name="Merged">The complete sets among them, paid as cash.</param>
/// <param name="Left">Per outcome, the shares that went to the account: Out - Merged.</param>
/// <param name="Claimed">The fees paid to the account, on the LP shares it held before.</param>
/// <param name="Prices">Marginal prices after it (spec D2).</param>
/// <param name="At">Ledger time.</param>
public sealed record LiquidityRemoved(
    AccountId Account,
    LpShares LpShares,
    EquatableArray<Shares> Out,
    Credits Merged,
    EquatableArray<Shares> Left,
    Credits Claimed,
    EquatableArray<Price> Prices,
    Instant At) : PoolEvent;

/// <summary>A trade against the pool (spec D3, D3s).</summary>
/// <param name="TradeId">Unique in the market.</param>
/// <param name="Account">The trader.</param>
/// <param name="Side">Buy or sell.</param>
/// <param name="Outcome">The traded outcome's name.</param>
/// <param name="Shares">The shares that changed hands.</param>
/// <param name="Amount">Buy: what the trader paid, fee included. Sell: what the trader received, fee deducted.</param>
/// <param name="Fee">The fee, all of it to the liquidity providers.</param>
/// <param name="Net">The cash that moved into (buy: Amount - Fee) or out of (sell: Amount + Fee) the complete sets.</param>
/// <param name="PriceBefore">The traded outcome's marginal price before.</param>
/// <param name="PriceAfter">The traded outcome's marginal price after.</param>
/// <param name="Prices">All outcomes' marginal prices after it (spec D2).</param>
/// <param name="At">Ledger time.</param>
/// <param name="SlippagePpm">Spec D12; absent with more than two outcomes.</param>
public sealed record TradeExecuted(
    string TradeId,
    AccountId Account,
    TradeSide Side,
    string Outcome,
    Shares Shares,
    Credits Amount,
    Credits Fee,
    Credits Net,
    Price PriceBefore,
    Price PriceAfter,
    EquatableArray<Price> Prices,
    Instant At,
    long? SlippagePpm = null) : PoolEvent;

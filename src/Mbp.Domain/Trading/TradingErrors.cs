using Mbp.Domain.Units;
using Mbp.Ledger;

namespace Mbp.Domain.Trading;

/// <summary>The refusals of the pool. Codes are public API; messages tell the numbers, so that the next request can be right.</summary>
public static class TradingErrors
{
    public static readonly Rejection NotOpen = new(RejectionKind.Conflict, "trading.pool_not_open", "The market's pool is not open yet.");

    public static readonly Rejection AlreadyOpen = new(RejectionKind.Conflict, "trading.pool_already_open", "The market's pool is already open.");

    /// <summary>Balances, reserves and totals are at most 1e18-1 units (spec D1).</summary>
    public static readonly Rejection TooLarge = new(
        RejectionKind.Refused, "trading.too_large", $"This would take a total of the market beyond {Decimal8.Format(Decimal8.Max)}, the largest amount there is.");

    public static Rejection SeedLocked(LpShares seed) => new(
        RejectionKind.Refused, "trading.seed_locked", $"The opening liquidity of {seed} LP shares stays in the pool until the market is settled.", "lpShares") { Rule = "trading.seed_locked" };

    public static Rejection OpeningInvalid(string message, string field) => new(RejectionKind.Invalid, "trading.opening_invalid", message, field);

    public static Rejection UnknownOutcome(string outcome, Pool pool) => new(
        RejectionKind.Invalid, "trading.unknown_outcome", $"The market has no outcome '{outcome}'; it has {string.Join(", ", pool.Outcomes)}.", "outcome");

    public static Rejection AmountTooSmall(string what) => new(RejectionKind.Refused, "trading.amount_too_small", what);

    public static Rejection ReserveBelowMin(string outcome, long leftUnits, int outcomes) => new(
        RejectionKind.Refused,
        "trading.reserve_below_min",
        $"This would leave {Signed(leftUnits)} shares of {outcome} in the pool; the least is {Decimal8.Format(Cpmm.MinReserve(outcomes))}.");

    public static Rejection SharesBelowMinimum(Shares shares, Shares minimum) => new(
        RejectionKind.Refused, "trading.slippage", $"The trade would buy {shares} shares, fewer than the minimum of {minimum}.", "minShares");

    public static Rejection ReturnBelowMinimum(Credits received, Credits minimum) => new(
        RejectionKind.Refused, "trading.slippage", $"The trade would return {received}, less than the minimum of {minimum}.", "minReturn");

    public static Rejection InsufficientShares(Shares held, Shares wanted, string outcome) => new(
        RejectionKind.Refused, "trading.insufficient_shares", $"The account has {held} shares of {outcome}, fewer than {wanted}.", "shares");

    public static Rejection InsufficientLp(LpShares held, LpShares wanted) => new(
        RejectionKind.Refused, "trading.insufficient_lp", $"The account has {held} LP shares, fewer than {wanted}.", "lpShares");

    public static Rejection PriceOutOfBounds(string outcome, Price after, PriceBounds bounds) => new(
        RejectionKind.Refused,
        "trading.price_out_of_bounds",
        $"The trade would move the price of {outcome} to {after}, outside {bounds.Min} to {bounds.Max}.");

    private static string Signed(long units) => units < 0 ? $"-{Decimal8.Format(-units)}" : Decimal8.Format(units);
}

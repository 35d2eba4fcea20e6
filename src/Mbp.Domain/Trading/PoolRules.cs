using Mbp.Domain.Accounts;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Trading;

/// <summary>
/// A request to the pool becomes one event or one refusal. The order of the checks is part of the rules (spec part 3, "Names, refusals and
/// order"): the first refusal that holds is the answer, and a refused request changes nothing.
/// </summary>
public static class PoolRules
{
    /// <summary>Buys an outcome for cash (spec D3).</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="tradeId">Unique in the market; the caller sees to that.</param>
    /// <param name="account">The buyer.</param>
    /// <param name="outcome">The outcome's name.</param>
    /// <param name="amount">What the buyer pays, fee included.</param>
    /// <param name="minShares">The fewest shares that the buyer accepts; null: any.</param>
    /// <param name="at">Ledger time.</param>
    /// <param name="bounds">Where the outcome's price may be afterwards; null: anywhere.</param>
    public static Decision<PoolEvent> Buy(
        Pool pool, string tradeId, AccountId account, string outcome, Credits amount, Shares? minShares, Instant at, PriceBounds? bounds = null)
    {
        ArgumentNullException.ThrowIfNull(pool);
        var index = pool.IndexOf(outcome);
        if (Unready(pool, outcome, index) is { } unready)
        {
            return unready;
        }

        var fee = new Credits(Cpmm.Fee(amount.Units, pool.FeePpm));
        if (amount <= fee)
        {
            return TradingErrors.AmountTooSmall($"Of {amount} nothing is left after the fee.");
        }

        var net = amount - fee;
        // No reserve and no holding exceeds the complete sets, so their limit stands for all.
        if (!Decimal8.Fits(pool.Locked.Units, net.Units)
            || !Decimal8.Fits(pool.FeesCollected.Units, fee.Units)
            || !Decimal8.Fits(pool.HolderOf(account).Paid.Units, amount.Units))
        {
            return TradingErrors.TooLarge;
        }

        var bought = Cpmm.SharesBought(pool.Reserves.AsSpan(), index, net.Units);
        if (bought <= 0)
        {
            return TradingErrors.AmountTooSmall($"{amount} buys less than one unit of {outcome}.");
        }

        var shares = new Shares(bought);
        if (Swap.Try(pool, index, TradeSide.Buy, net, shares, out var swap) is { } drained)
        {
            return drained;
        }

        if (shares < minShares)
        {
            return TradingErrors.SharesBelowMinimum(shares, minShares.Value);
        }

        return swap.OutOf(bounds) is { } outside
            ? outside
            : [new TradeExecuted(
                tradeId, account, TradeSide.Buy, outcome, shares, amount, fee, net, swap.PriceBefore, swap.PriceAfter, swap.Prices, at, swap.SlippagePpm)];
    }

    /// <summary>Sells shares of an outcome for cash (spec D3s).</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="tradeId">Unique in the market; the caller sees to that.</param>
    /// <param name="account">The seller.</param>
    /// <param name="outcome">The outcome's name.</param>
    /// <param name="shares">The shares to sell.</param>
    /// <param name="minReturn">The least cash, after the fee, that the seller accepts; null: any.</param>
    /// <param name="at">Ledger time.</param>
    /// <param name="bounds">Where the outcome's price may be afterwards; null: anywhere.</param>
    public static Decision<PoolEvent> Sell(
        Pool pool, string tradeId, AccountId account, string outcome, Shares shares, Credits? minReturn, Instant at, PriceBounds? bounds = null)
    {
        ArgumentNullException.ThrowIfNull(pool);
        var index = pool.IndexOf(outcome);
        if (Unready(pool, outcome, index) is { } unready)
        {
            return unready;
        }

        var holder = pool.HolderOf(account);
        if (shares > holder.Shares[index])
        {
            return TradingErrors.InsufficientShares(holder.Shares[index], shares, outcome);
        }

        var gross = new Credits(Cpmm.CashReturned(pool.Reserves.AsSpan(), index, shares.Units));
        var fee = new Credits(Cpmm.Fee(gross.Units, pool.FeePpm));
        if (gross <= fee)
        {
            return TradingErrors.AmountTooSmall($"{shares} shares of {outcome} return nothing after the fee.");
        }

        var received = gross - fee;
        if (!Decimal8.Fits(pool.FeesCollected.Units, fee.Units) || !Decimal8.Fits(holder.Received.Units, received.Units))
        {
            return TradingErrors.TooLarge;
        }

        if (Swap.Try(pool, index, TradeSide.Sell, gross, shares, out var swap) is { } drained)
        {
            return drained;
        }

        if (received < minReturn)
        {
            return TradingErrors.ReturnBelowMinimum(received, minReturn.Value);
        }

        return swap.OutOf(bounds) is { } outside
            ? outside
            : [new TradeExecuted(
                tradeId, account, TradeSide.Sell, outcome, shares, received, fee, gross, swap.PriceBefore, swap.PriceAfter, swap.Prices, at, swap.SlippagePpm)];
    }

    private static Rejection? Unready(Pool pool, string outcome, int index) =>
        !pool.IsOpen ? TradingErrors.NotOpen
        : index < 0 ? TradingErrors.UnknownOutcome(outcome, pool)
        : null;
}

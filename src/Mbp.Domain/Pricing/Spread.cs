using System.Numerics;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;

namespace Mbp.Domain.Pricing;

/// <summary>
/// The reference spread: buy for a reference amount, sell the same shares at once from the same state, and relate the loss to the shares'
/// value at the price before (spec 3.6, D9). The reserves' minimum applies to both legs.
/// </summary>
/// <param name="Shares">What the reference amount buys.</param>
/// <param name="Proceeds">What those shares return, after the fee.</param>
/// <param name="Ppm">(amount - proceeds) / (shares * price), rounded up, in parts per million.</param>
public sealed record Spread(Shares Shares, Credits Proceeds, long Ppm)
{
    /// <summary>The spread, or the refusal that one of the legs would meet.</summary>
    public static Rejection? Of(Pool pool, int outcome, Credits reference, out Spread? spread)
    {
        ArgumentNullException.ThrowIfNull(pool);
        spread = null;
        var reserves = pool.Reserves.AsSpan();
        var net = reference.Units - Cpmm.Fee(reference.Units, pool.FeePpm);
        if (!pool.IsOpen)
        {
            return TradingErrors.NotOpen;
        }

        if (!Decimal8.Fits(pool.Locked.Units, net))
        {
            return TradingErrors.TooLarge;
        }

        if (net <= 0 || Cpmm.SharesBought(reserves, outcome, net) is var shares && shares <= 0)
        {
            return TradingErrors.AmountTooSmall($"{reference} buys nothing.");
        }

        if (Swap.Try(pool, outcome, TradeSide.Buy, new Credits(net), new Shares(shares), out _) is { } cannotBuy)
        {
            return cannotBuy;
        }

        var gross = Cpmm.CashReturned(reserves, outcome, shares);
        if (Swap.Try(pool, outcome, TradeSide.Sell, new Credits(gross), new Shares(shares), out _) is { } cannotSell)
        {
            return cannotSell;
        }

        var proceeds = gross - Cpmm.Fee(gross, pool.FeePpm);
        var (weight, all) = new Curve(reserves, outcome).Price();
        var ppm = IntegerMath.CeilDiv((reference.Units - proceeds) * all * Cpmm.Ppm, shares * weight);
        spread = new Spread(new Shares(shares), new Credits(proceeds), (long)BigInteger.Min(ppm, long.MaxValue));
        return null;
    }
}

using System.Numerics;
using Mbp.Domain.Units;

namespace Mbp.Domain.Trading;

/// <summary>
/// What an account's shares cost, fees included: average cost. Shares that came out of liquidity cost their price then. The tables and the read
/// models in memory count by it alike.
/// </summary>
public static class CostBasis
{
    /// <summary>The cost of each outcome's shares after an event of the account in this market.</summary>
    /// <param name="costs">Before it; empty = nothing yet.</param>
    /// <param name="held">The account's shares before it.</param>
    /// <param name="outcomes">The market's outcomes.</param>
    /// <param name="change">The event.</param>
    public static EquatableArray<Int128> After(EquatableArray<Int128> costs, EquatableArray<Shares> held, EquatableArray<string> outcomes, PoolEvent change)
    {
        var after = new Int128[outcomes.Count];
        costs.AsSpan().CopyTo(after);
        switch (change)
        {
            case TradeExecuted e when outcomes.AsSpan().IndexOf(e.Outcome) is >= 0 and var index:
                after[index] += e.Side == TradeSide.Buy ? e.Amount.Units : -OfSold(after[index], e.Shares.Units, held[index].Units);
                break;
            case LiquidityAdded e:
                Receive(after, e.Back, e.Prices);
                break;
            case LiquidityRemoved e:
                Receive(after, e.Left, e.Prices);
                break;
        }

        return EquatableArray.Own(after);
    }

    /// <summary>The part of the cost that goes with the part of the shares, rounded down, so that the last sale takes all of it.</summary>
    internal static Int128 OfSold(Int128 cost, long sold, long held) => sold == held ? cost : (Int128)((BigInteger)cost * sold / held);

    /// <summary>What shares are worth at a price, rounded down.</summary>
    public static Int128 Worth(Shares shares, Price price) => (Int128)shares.Units * price.Units / Decimal8.One;

    private static void Receive(Int128[] costs, EquatableArray<Shares> received, EquatableArray<Price> prices)
    {
        for (var o = 0; o < received.Count; o++)
        {
            costs[o] += Worth(received[o], prices[o]);
        }
    }
}

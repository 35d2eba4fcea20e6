using Mbp.Domain.Pricing;
using Mbp.Domain.Units;

namespace Mbp.Domain.Trading;

/// <summary>What each event makes of a pool: additions and subtractions only. One holder's entry changes, so an event costs O(log n).</summary>
internal static class PoolFold
{
    public static Pool Add(Pool pool, LiquidityAdded e)
    {
        var (holder, reserves) = (pool.HolderOf(e.Account), Sum(pool.Reserves, e.Kept));
        var depth = Depth.Of(reserves.AsSpan(), 0).Shares;
        return pool with
        {
            Reserves = reserves,
            Deepest = depth > pool.Deepest ? depth : pool.Deepest,
            Locked = pool.Locked + e.Amount,
            LpSupply = pool.LpSupply + e.Minted,
            FeesClaimed = pool.FeesClaimed + e.Claimed,
            Prices = e.Prices,
            Opener = pool.Opener ?? e.Account,
            Seed = pool.IsOpen ? pool.Seed : e.Minted,
            Holders = pool.Holders.SetItem(e.Account, holder with
            {
                Shares = Sum(holder.Shares, e.Back),
                LpShares = holder.LpShares + e.Minted,
                Paid = holder.Paid + e.Amount,
                Received = holder.Received + e.Claimed,
                FeeEntry = pool.FeeIndex,
            }),
        };
    }

    public static Pool Remove(Pool pool, LiquidityRemoved e)
    {
        var holder = pool.HolderOf(e.Account);
        return pool with
        {
            Reserves = Difference(pool.Reserves, e.Out),
            Locked = pool.Locked - e.Merged,
            LpSupply = pool.LpSupply - e.LpShares,
            FeesClaimed = pool.FeesClaimed + e.Claimed,
            Prices = e.Prices,
            Holders = pool.Holders.SetItem(e.Account, holder with
            {
                Shares = Sum(holder.Shares, e.Left),
                LpShares = holder.LpShares - e.LpShares,
                Received = holder.Received + e.Merged + e.Claimed,
                FeeEntry = pool.FeeIndex,
            }),
        };
    }

    public static Pool Trade(Pool pool, TradeExecuted e)
    {
        var outcome = pool.IndexOf(e.Outcome);
        if (outcome < 0)
        {
            throw new InvalidOperationException($"Trade {e.TradeId} names the outcome '{e.Outcome}', which the market does not have.");
        }

        var buy = e.Side == TradeSide.Buy;
        var holder = pool.HolderOf(e.Account);
        var held = holder.Shares[outcome];
        var (index, rest) = pool.FeeIndex.Accrue(e.Fee, pool.FeeRest.Q64, pool.LpSupply);
        return pool with
        {
            Reserves = EquatableArray.Own(Cpmm.After(pool.Reserves.AsSpan(), outcome, e.Side, e.Net.Units, e.Shares.Units)),
            Locked = buy ? pool.Locked + e.Net : pool.Locked - e.Net,
            FeesCollected = pool.FeesCollected + e.Fee,
            FeeIndex = index,
            FeeRest = new FeeIndex(rest),
            Prices = e.Prices,
            Holders = pool.Holders.SetItem(e.Account, holder with
            {
                Shares = holder.Shares.SetItem(outcome, buy ? held + e.Shares : held - e.Shares),
                Paid = buy ? holder.Paid + e.Amount : holder.Paid,
                Received = buy ? holder.Received : holder.Received + e.Amount,
                ExposureUnits = holder.ExposureUnits + (buy ? e.Amount.Units : -e.Amount.Units),
            }),
        };
    }

    private static EquatableArray<Shares> Sum(EquatableArray<Shares> left, EquatableArray<Shares> right)
    {
        var sum = new Shares[left.Count];
        for (var i = 0; i < sum.Length; i++)
        {
            sum[i] = left[i] + right[i];
        }

        return EquatableArray.Own(sum);
    }

    internal static EquatableArray<Shares> Difference(EquatableArray<Shares> left, EquatableArray<Shares> right)
    {
        var difference = new Shares[left.Count];
        for (var i = 0; i < difference.Length; i++)
        {
            difference[i] = left[i] - right[i];
        }

        return EquatableArray.Own(difference);
    }
}

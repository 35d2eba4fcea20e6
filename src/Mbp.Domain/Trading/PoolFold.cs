using System.Numerics;
using Mbp.Domain.Pricing;
using Mbp.Domain.Units;
using NodaTime;

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
            LastingDepth = pool.IsOpen ? pool.LastingDepthAt(e.At) : depth,
            Depths = pool.IsOpen ? Depths(pool, depth, e.At) : [],
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
                LiquidityUnits = Plus(holder.LiquidityUnits, Worth(e.Back, e.Prices)),
            }),
        };
    }

    public static Pool Remove(Pool pool, LiquidityRemoved e)
    {
        var (holder, reserves) = (pool.HolderOf(e.Account), Difference(pool.Reserves, e.Out));
        return pool with
        {
            Reserves = reserves,
            LastingDepth = pool.LastingDepthAt(e.At),
            Depths = Depths(pool, Depth.Of(reserves.AsSpan(), 0).Shares, e.At),
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
                LiquidityUnits = Plus(holder.LiquidityUnits, Worth(e.Left, e.Prices)),
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

    /// <summary>What shares are worth at marginal prices, in units, rounded up.</summary>
    internal static long Worth(EquatableArray<Shares> shares, EquatableArray<Price> prices)
    {
        var sum = BigInteger.Zero;
        for (var o = 0; o < shares.Count; o++)
        {
            sum += (BigInteger)shares[o].Units * prices[o].Units;
        }

        return (long)BigInteger.Min(IntegerMath.CeilDiv(sum, Decimal8.One), Decimal8.Max);
    }

    // Nobody has more at stake than there is: beyond that the sum says no more, and it must not stop the fold.
    private static long Plus(long units, long more) => Math.Min(Decimal8.Max, units + more);

    /// <summary>
    /// The depths that have held, once the depth is another: those above it end with it, and it has held since the earliest of them began. Only what is
    /// above the depth that lasted already is of interest, and that is over after an hour; the newest of too many gives way.
    /// </summary>
    private static EquatableArray<DepthSince> Depths(Pool pool, Shares depth, Instant at)
    {
        const int Most = 16;
        var (lasting, since) = (pool.LastingDepthAt(at), at);
        var kept = new List<DepthSince>(pool.Depths.Count + 1);
        foreach (var held in pool.Depths)
        {
            if (held.Depth >= depth)
            {
                since = Instant.Min(since, held.Since);
            }
            else if (held.Depth > lasting)
            {
                kept.Add(held);
            }
        }

        if (depth > lasting)
        {
            kept.RemoveRange(Math.Min(kept.Count, Most - 1), Math.Max(0, kept.Count - Most + 1));
            kept.Add(new DepthSince(depth, since));
        }

        return [.. kept];
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

using System.Numerics;
using Mbp.Domain.Accounts;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Trading;

/// <summary>
/// Opening, adding to and removing from the pool (spec D4). Adding and removing keep the prices, pay the account's fees first (D5), and round
/// so that what stays behind each LP share never shrinks.
/// </summary>
public static class LiquidityRules
{
    /// <summary>Opens the pool with reserves in the proportion of hints: R_j = ceil(A h_j / max h). LP shares = the cash paid.</summary>
    public static Decision<PoolEvent> Open(Pool pool, AccountId account, Credits amount, ReadOnlySpan<long> hints, Instant at)
    {
        ArgumentNullException.ThrowIfNull(pool);
        if (hints.Length != pool.Outcomes.Count)
        {
            return TradingErrors.OpeningInvalid($"The market has {pool.Outcomes.Count} outcomes, but {hints.Length} hints were given.", "hints");
        }

        var highest = 0L;
        foreach (var hint in hints)
        {
            if (hint is <= 0 or > Decimal8.Max)
            {
                return TradingErrors.OpeningInvalid("Every hint is a positive number of at most 18 digits.", "hints");
            }

            highest = Math.Max(highest, hint);
        }

        var reserves = new Shares[hints.Length];
        for (var i = 0; i < reserves.Length; i++)
        {
            reserves[i] = new Shares(IntegerMath.CeilMulDiv(amount.Units, hints[i], highest));
        }

        return OpenWith(pool, account, amount, reserves, at);
    }

    /// <summary>
    /// Opens the pool at given marginal prices, which add up to 1. A reserve is inverse to its outcome's price, so R_j = ceil(A min p / p_j):
    /// for two outcomes the hints (1-x) : x of spec 3.3.
    /// </summary>
    public static Decision<PoolEvent> OpenAt(Pool pool, AccountId account, Credits amount, ReadOnlySpan<Price> probabilities, Instant at)
    {
        ArgumentNullException.ThrowIfNull(pool);
        if (probabilities.Length != pool.Outcomes.Count)
        {
            return TradingErrors.OpeningInvalid(
                $"The market has {pool.Outcomes.Count} outcomes, but {probabilities.Length} probabilities were given.", "probabilities");
        }

        var (sum, lowest) = (BigInteger.Zero, long.MaxValue);
        foreach (var probability in probabilities)
        {
            sum += probability.Units;
            lowest = Math.Min(lowest, probability.Units);
        }

        if (lowest == 0 || sum != Decimal8.One)
        {
            return TradingErrors.OpeningInvalid("Probabilities are greater than 0 and add up to exactly 1.", "probabilities");
        }

        var reserves = new Shares[probabilities.Length];
        for (var i = 0; i < reserves.Length; i++)
        {
            reserves[i] = new Shares(IntegerMath.CeilMulDiv(amount.Units, lowest, probabilities[i].Units));
        }

        return OpenWith(pool, account, amount, reserves, at);
    }

    /// <summary>Adds liquidity: keep_j = ceil(A R_j / max R), mint = floor(A L / max R).</summary>
    public static Decision<PoolEvent> Add(Pool pool, AccountId account, Credits amount, Instant at)
    {
        ArgumentNullException.ThrowIfNull(pool);
        if (!pool.IsOpen)
        {
            return TradingErrors.NotOpen;
        }

        var highest = 0L;
        foreach (var reserve in pool.Reserves)
        {
            highest = Math.Max(highest, reserve.Units);
        }

        var minted = (BigInteger)amount.Units * pool.LpSupply.Units / highest;
        if (minted.IsZero)
        {
            return TradingErrors.AmountTooSmall($"{amount} is worth less than one unit of LP shares.");
        }

        var holder = pool.HolderOf(account);
        var claimed = pool.ClaimableBy(account);
        if (minted > Decimal8.Max - pool.LpSupply.Units
            || !Decimal8.Fits(pool.Locked.Units, amount.Units)
            || !Decimal8.Fits(holder.Paid.Units, amount.Units)
            || !Decimal8.Fits(holder.Received.Units, claimed.Units))
        {
            return TradingErrors.TooLarge;
        }

        var kept = new Shares[pool.Reserves.Count];
        for (var i = 0; i < kept.Length; i++)
        {
            kept[i] = new Shares(IntegerMath.CeilMulDiv(amount.Units, pool.Reserves[i].Units, highest));
        }

        return [Added(pool, account, amount, new LpShares((long)minted), kept, claimed, at)];
    }

    /// <summary>Removes liquidity: out_j = floor(R_j l / L); the complete sets among them are paid as cash, the rest are shares.</summary>
    public static Decision<PoolEvent> Remove(Pool pool, AccountId account, LpShares lpShares, Instant at)
    {
        ArgumentNullException.ThrowIfNull(pool);
        if (!pool.IsOpen)
        {
            return TradingErrors.NotOpen;
        }

        var holder = pool.HolderOf(account);
        // Removing none pays the fees out; for one who never provided any it would be an event that says nothing.
        if (lpShares > holder.LpShares || holder.FeeEntry is null)
        {
            return TradingErrors.InsufficientLp(holder.LpShares, lpShares);
        }

        var taken = new Shares[pool.Reserves.Count];
        for (var i = 0; i < taken.Length; i++)
        {
            taken[i] = new Shares(IntegerMath.FloorMulDiv(pool.Reserves[i].Units, lpShares.Units, pool.LpSupply.Units));
        }

        var reserves = PoolFold.Difference(pool.Reserves, EquatableArray.Own(taken));
        if (Drained(pool, reserves.AsSpan()) is { } drained)
        {
            return drained;
        }

        var merged = Pool.LeastReserve(taken);
        var claimed = pool.ClaimableBy(account);
        return !Decimal8.Fits(holder.Received.Units, merged.Units)
            || !Decimal8.Fits(holder.Received.Units + merged.Units, claimed.Units)
            ? TradingErrors.TooLarge
            : [new LiquidityRemoved(
                account, lpShares, EquatableArray.Own(taken), merged.AsCash(),
                EquatableArray.Own(Array.ConvertAll(taken, shares => shares - merged)), claimed, Cpmm.Prices(reserves.AsSpan()), at)];
    }

    private static Decision<PoolEvent> OpenWith(Pool pool, AccountId account, Credits amount, Shares[] reserves, Instant at) =>
        pool.IsOpen ? TradingErrors.AlreadyOpen
        : Drained(pool, reserves) is { } drained ? drained
        : [Added(pool, account, amount, new LpShares(amount.Units), reserves, Credits.Zero, at)];

    private static LiquidityAdded Added(
        Pool pool, AccountId account, Credits amount, LpShares minted, Shares[] kept, Credits claimed, Instant at)
    {
        var reserves = new Shares[kept.Length];
        for (var i = 0; i < kept.Length; i++)
        {
            reserves[i] = pool.Reserves[i] + kept[i];
        }

        return new LiquidityAdded(
            account, amount, minted, EquatableArray.Own(kept), EquatableArray.Own(Array.ConvertAll(kept, shares => amount.AsCompleteSets() - shares)),
            claimed, Cpmm.Prices(reserves), at);
    }

    private static Rejection? Drained(Pool pool, ReadOnlySpan<Shares> reserves)
    {
        for (var i = 0; i < reserves.Length; i++)
        {
            if (reserves[i].Units < Cpmm.MinReserve(reserves.Length))
            {
                return TradingErrors.ReserveBelowMin(pool.Outcomes[i], reserves[i].Units, reserves.Length);
            }
        }

        return null;
    }
}

using System.Numerics;
using System.Text;
using Mbp.Domain.Accounts;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger.Merkle;

namespace Mbp.Domain.Settlement;

/// <summary>What one account is paid when a market settles (spec D7).</summary>
/// <param name="Account">The account.</param>
/// <param name="ForShares">Its outcome shares, rounded down once for the account.</param>
/// <param name="ForLiquidity">Its part of the pool's value; null: it never held LP shares.</param>
/// <param name="Fees">Its unclaimed fees; null: it never held LP shares.</param>
public sealed record SettlementLine(AccountId Account, Credits ForShares, Credits? ForLiquidity = null, Credits? Fees = null)
{
    public Credits Total() => ForShares + (ForLiquidity ?? Credits.Zero) + (Fees ?? Credits.Zero);

    /// <summary>The line as the plan's root covers it: account, shares, liquidity, fees, single spaces between them.</summary>
    public override string ToString() => $"{Account} {ForShares} {ForLiquidity ?? Credits.Zero} {Fees ?? Credits.Zero}";
}

/// <summary>
/// Everything a market pays at its end. Complete sets: Locked = all payments for shares and liquidity + Dust, exactly. Fees: what the pool
/// still held = all payments of fees + FeeDust. A replay of the market's stream gives the same plan and the same root.
/// </summary>
/// <param name="Vector">What a share of each outcome pays.</param>
/// <param name="Locked">S at settlement.</param>
/// <param name="PoolValue">V: what the reserves are worth, which the liquidity providers share.</param>
/// <param name="Lines">Every account with a holdings record, in ordinal order of ids.</param>
/// <param name="Dust">What rounding leaves of S.</param>
/// <param name="FeeDust">What rounding leaves of the fees.</param>
/// <param name="Root">The RFC 6962 root over the lines' UTF-8 text.</param>
public sealed record SettlementPlan(
    PayoutVector Vector,
    Credits Locked,
    Credits PoolValue,
    EquatableArray<SettlementLine> Lines,
    Credits Dust,
    Credits FeeDust,
    MerkleHash Root)
{
    /// <summary>The lines that pay more than nothing, in the plan's order.</summary>
    public EquatableArray<SettlementLine> Payable { get; } = [.. Lines.Where(line => line.Total() > Credits.Zero)];

    /// <summary>The sum of all payments, fees included.</summary>
    public Credits Total { get; } = Lines.Aggregate(Credits.Zero, (sum, line) => sum + line.Total());

    /// <summary>The root as events and answers write it.</summary>
    public string RootText { get; } = Root.ToString();

    public static SettlementPlan From(Pool pool, PayoutVector vector)
    {
        ArgumentNullException.ThrowIfNull(pool);
        ArgumentNullException.ThrowIfNull(vector);
        if (vector.Shares.Count != pool.Outcomes.Count)
        {
            throw new ArgumentException($"The market has {pool.Outcomes.Count} outcomes, the payout vector {vector.Shares.Count}.", nameof(vector));
        }

        var value = Worth(pool.Reserves, vector);
        var lines = pool.Holders
            .OrderBy(pair => pair.Key.Value, StringComparer.Ordinal)
            .Select(pair => LineOf(pool, pair.Key, pair.Value, value, vector))
            .ToArray();

        var (dust, feeDust) = (pool.Locked, pool.FeePool);
        foreach (var line in lines)
        {
            dust = dust - line.ForShares - (line.ForLiquidity ?? Credits.Zero);
            feeDust -= line.Fees ?? Credits.Zero;
        }

        var root = MerkleTree.Root(Array.ConvertAll(lines, line => MerkleTree.LeafHash(Encoding.UTF8.GetBytes(line.ToString()))));
        return new SettlementPlan(vector, pool.Locked, value, EquatableArray.Own(lines), dust, feeDust, root);
    }

    /// <summary>
    /// Whether it can be the plan of a pool. A pool changes no more once its market is closed, so a plan that was computed beside the writer, which is
    /// not to stand still for a hundred thousand lines, is taken if it agrees in what each of a pool's events moves. An audit computes it again.
    /// </summary>
    internal bool IsOf(Pool pool, PayoutVector vector) =>
        vector.Shares == Vector.Shares && Locked == pool.Locked && Lines.Count == pool.Holders.Count && PoolValue == Worth(pool.Reserves, vector)
        && (Int128)Total.Units + Dust.Units + FeeDust.Units == (Int128)pool.Locked.Units + pool.FeePool.Units;

    private static SettlementLine LineOf(Pool pool, AccountId account, Holder holder, Credits value, PayoutVector vector)
    {
        var forShares = Worth(holder.Shares, vector);
        return holder.FeeEntry is null
            ? new SettlementLine(account, forShares)
            : new SettlementLine(
                account, forShares,
                new Credits(IntegerMath.FloorMulDiv(value.Units, holder.LpShares.Units, pool.LpSupply.Units)), pool.ClaimableBy(account));
    }

    /// <summary>floor(sum of shares * q / 1e8): one rounding for all outcomes together.</summary>
    private static Credits Worth(EquatableArray<Shares> shares, PayoutVector vector)
    {
        var sum = BigInteger.Zero;
        for (var i = 0; i < shares.Count; i++)
        {
            sum += (BigInteger)shares[i].Units * vector.Shares[i].Units;
        }

        return new Credits((long)(sum / Decimal8.One));
    }
}

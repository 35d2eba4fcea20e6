using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Trading;

/// <summary>
/// The state of a market's pool, folded from its events. For every outcome: reserve + all holdings = <paramref name="Locked"/>; the sum of
/// all LP shares = <paramref name="LpSupply"/>; claims + what is left to claim = <paramref name="FeesCollected"/>.
/// </summary>
/// <param name="Outcomes">Names; 0 is YES or LONG, 1 is NO or SHORT (spec D1).</param>
/// <param name="FeePpm">Fee in parts per million.</param>
/// <param name="Reserves">R, per outcome.</param>
/// <param name="Locked">S: complete sets outstanding, which is the cash held.</param>
/// <param name="LpSupply">L; 0 until the pool is opened.</param>
/// <param name="FeesCollected">All fees ever taken. They are apart from the reserves and from K (spec D5).</param>
/// <param name="FeesClaimed">All fees ever paid out.</param>
/// <param name="FeeIndex">Fees per LP share.</param>
/// <param name="FeeRest">What the last division left over, in 2^-64 of a unit.</param>
/// <param name="Prices">Marginal prices (spec D2).</param>
/// <param name="Holders">Every account with a holdings record, also an empty one.</param>
public sealed record Pool(
    EquatableArray<string> Outcomes,
    int FeePpm,
    EquatableArray<Shares> Reserves,
    Credits Locked,
    LpShares LpSupply,
    Credits FeesCollected,
    Credits FeesClaimed,
    FeeIndex FeeIndex,
    FeeIndex FeeRest,
    EquatableArray<Price> Prices,
    ImmutableDictionary<AccountId, Holder> Holders)
{
    /// <summary>The pool of a market, from the terms that the market opened with and the pool's own events.</summary>
    public static readonly Fold<Pool> Fold = new(
        "pool", 4, Empty([], 0),
        (pool, @event) => @event switch
        {
            PoolEvent e => Evolve(pool, e),
            MarketCreated e => Empty([.. e.Outcomes], e.FeePpm),
            _ => pool,
        },
        snapshotEvery: 500);

    public static Pool Empty(ImmutableArray<string> outcomes, int feePpm) => new(
        new(outcomes), feePpm, EquatableArray.Own(new Shares[outcomes.Length]), default, default, default, default, default, default,
        EquatableArray.Own(new Price[outcomes.Length]), ImmutableDictionary<AccountId, Holder>.Empty);

    /// <summary>Who opened the pool; null until then.</summary>
    public AccountId? Opener { get; init; }

    /// <summary>The LP shares of the opening, which a rule set may hold until the settlement (spec 3.3 guards).</summary>
    public LpShares Seed { get; init; }

    /// <summary>The largest depth@2% of outcome 0 that liquidity ever gave it, shares (spec D8).</summary>
    public Shares Deepest { get; init; }

    /// <summary>The largest depth@2% that the opening gave it, or that liquidity held for <see cref="DepthDwell"/>.</summary>
    public Shares LastingDepth { get; init; }

    /// <summary>Depths above that which liquidity has held, each since when; deeper and younger ones last.</summary>
    public EquatableArray<DepthSince> Depths { get; init; } = [];

    /// <summary>Depth that somebody brings and takes away within this time was never the market's.</summary>
    public static readonly Duration DepthDwell = Duration.FromHours(1);

    [JsonIgnore]
    public bool IsOpen => LpSupply > LpShares.Zero;

    /// <summary>F: fees collected and not yet claimed.</summary>
    [JsonIgnore]
    public Credits FeePool => FeesCollected - FeesClaimed;

    /// <summary>S - min R: the most that the holders can win from the pool's side (spec D17).</summary>
    [JsonIgnore]
    public Shares OpenInterest => Locked.AsCompleteSets() - LeastReserve(Reserves.AsSpan());

    /// <summary>The largest depth that lasted, as of an instant.</summary>
    public Shares LastingDepthAt(Instant at)
    {
        var lasting = LastingDepth;
        foreach (var depth in Depths)
        {
            lasting = at - depth.Since >= DepthDwell && depth.Depth > lasting ? depth.Depth : lasting;
        }

        return lasting;
    }

    /// <summary>The outcome's place, or -1. A market has few outcomes.</summary>
    public int IndexOf(string outcome) => Outcomes.AsSpan().IndexOf(outcome);

    public Holder HolderOf(AccountId account) => Holders.GetValueOrDefault(account) ?? Holder.None(Outcomes.Count);

    /// <summary>Whether somebody holds a share of it or of an outcome, under an account of the same id: nobody decides over the own money.</summary>
    public bool IsHeldBy(string who) =>
        AccountId.IsValid(who) && Holders.TryGetValue(new AccountId(who), out var holder)
        && (holder.LpShares > LpShares.Zero || holder.Shares.Any(share => share > Shares.Zero));

    /// <summary>The fees that the account may claim now (spec D5).</summary>
    public Credits ClaimableBy(AccountId account) =>
        HolderOf(account) is { FeeEntry: { } entry } holder ? FeeIndex.Claim(holder.LpShares, entry) : Credits.Zero;

    /// <summary>An event recomputes nothing that the decision already knew; where it cannot follow, the ledger is corrupt and the fold stops.</summary>
    public static Pool Evolve(Pool pool, PoolEvent @event)
    {
        ArgumentNullException.ThrowIfNull(pool);
        return @event switch
        {
            LiquidityAdded e => PoolFold.Add(pool, e),
            _ when !pool.IsOpen => throw new InvalidOperationException($"{@event.GetType().Name} cannot come before the pool is opened."),
            TradeExecuted e => PoolFold.Trade(pool, e),
            LiquidityRemoved e => PoolFold.Remove(pool, e),
            _ => throw new InvalidOperationException($"{@event.GetType().Name} is no event of a pool."),
        };
    }

    // Whoever keeps a pool in an immutable map has it compared with what was there at every event of its market, most of which leave the pool alone: a hundred
    // thousand holders are not gone through for that.
    public bool Equals(Pool? other) =>
        ReferenceEquals(this, other)
        || other is not null
        && Outcomes == other.Outcomes && FeePpm == other.FeePpm && Reserves == other.Reserves && Locked == other.Locked
        && LpSupply == other.LpSupply && FeesCollected == other.FeesCollected && FeesClaimed == other.FeesClaimed
        && Opener == other.Opener && Seed == other.Seed && Deepest == other.Deepest
        && LastingDepth == other.LastingDepth && Depths == other.Depths
        && FeeIndex == other.FeeIndex && FeeRest == other.FeeRest && Prices == other.Prices
        && Holders.Count == other.Holders.Count
        && Holders.All(pair => other.Holders.TryGetValue(pair.Key, out var holder) && holder == pair.Value);

    public override int GetHashCode() => HashCode.Combine(Reserves, Locked, LpSupply, FeesCollected, Holders.Count);

    internal static Shares LeastReserve(ReadOnlySpan<Shares> reserves)
    {
        var least = reserves[0];
        foreach (var reserve in reserves)
        {
            least = reserve < least ? reserve : least;
        }

        return least;
    }
}

/// <summary>A depth@2% of outcome 0 that the pool's liquidity has not fallen below since.</summary>
public sealed record DepthSince(Shares Depth, Instant Since);

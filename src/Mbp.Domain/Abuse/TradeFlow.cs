using System.Collections.Immutable;
using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Abuse;

/// <summary>
/// The trades of a market's last minutes, as far as its rule set asks about them: what it does not ask about is not kept. Only who traded when in the last
/// minute is, whatever the rules: a cap that comes into force now looks at the minute before. Bounded by the rules' windows, and by <see cref="MostMarks"/>.
/// </summary>
/// <param name="Kind">Which caps apply.</param>
/// <param name="Rules">The rule sets in force, as the market's own events say.</param>
/// <param name="Accounts">Those that traded lately.</param>
/// <param name="Pruned">When those that did not were last dropped.</param>
/// <param name="Counts">Trades in each 30 s.</param>
/// <param name="Marks">The newest trades, oldest first.</param>
/// <param name="MarkCount">How many.</param>
/// <param name="Version">The events of the market's stream so far.</param>
public sealed record TradeFlow(
    MarketKind Kind,
    MarketRules Rules,
    ImmutableDictionary<AccountId, AccountFlow> Accounts,
    Instant Pruned,
    TickCounts Counts,
    ImmutableQueue<TradeMark> Marks,
    int MarkCount,
    long Version)
{
    /// <summary>A pair of trades that are further apart than this many others is not looked for.</summary>
    public const int MostMarks = 512;

    private const int PruneFrom = 256;

    private static readonly Duration PruneEvery = Duration.FromMinutes(1);

    public static TradeFlow Initial { get; } = new(
        MarketKind.Binary, new MarketRules(null, []), ImmutableDictionary<AccountId, AccountFlow>.Empty, NodaConstants.UnixEpoch, TickCounts.None, [], 0, 0);

    public static readonly Fold<TradeFlow> Fold = new("trade_flow", 2, Initial, (flow, @event) => flow.After(@event), snapshotEvery: 2_000);

    private Ruleset? Present => Rules.Policy?.Rules;

    /// <summary>What is known of an account's last minutes.</summary>
    public AccountFlow Of(AccountId account) => Accounts.GetValueOrDefault(account) ?? AccountFlow.None;

    private TradeFlow After(object @event) => @event switch
    {
        TradeExecuted e => Traded(e, Present),
        LiquidityAdded e => Changed(e),
        LiquidityRemoved e => Changed(e),
        MarketCreated e => this with { Kind = e.Kind, Rules = MarketRules.First(e.PolicyHash), Version = Version + 1 },
        RulesetActivated e => this with { Rules = Rules.With(e.Policy), Version = Version + 1 },
        RulesetRolledBack => this with { Rules = Rules.Back(), Version = Version + 1 },
        _ => this with { Version = Version + 1 },
    };

    private TradeFlow Traded(TradeExecuted e, Ruleset? rules)
    {
        var cooled = rules?.Abuse?.Cooldown;
        var (accounts, pruned) = Recent(e.At);
        var flow = accounts.GetValueOrDefault(e.Account) ?? AccountFlow.None;
        accounts = accounts.SetItem(
            e.Account, flow with { Last = e.At, Rate = flow.Rate.With(e.At), Spike = cooled is not null && SpikeOf(e, cooled) is { } spike ? spike : flow.Spike });

        var (marks, count) = (Marks, MarkCount);
        if (rules?.Abuse?.Wash is { } wash)
        {
            var bound = e.At - Duration.FromSeconds(wash.WindowSeconds);
            for (; count > 0 && (count >= MostMarks || marks.Peek().At <= bound); count--)
            {
                marks = marks.Dequeue();
            }

            (marks, count) = (marks.Enqueue(new TradeMark(e.At, e.Account, e.Outcome, e.Side, e.Shares, e.Amount, Version + 1)), count + 1);
        }

        return this with
        {
            Accounts = accounts, Pruned = pruned, Counts = rules?.Abuse?.Burst is null ? Counts : Counts.With(e.At), Marks = marks, MarkCount = count,
            Version = Version + 1,
        };
    }

    private TradeFlow Changed(PoolEvent e)
    {
        var (accounts, pruned) = Recent(e.At);
        var flow = accounts.GetValueOrDefault(e.Account) ?? AccountFlow.None;
        return this with
        {
            Accounts = accounts.SetItem(e.Account, flow with { Last = e.At, Liquidity = flow.Liquidity.With(e.At) }), Pruned = pruned, Version = Version + 1,
        };
    }

    /// <summary>The accounts without those that nobody asks about any more, which are looked for once a minute.</summary>
    private (ImmutableDictionary<AccountId, AccountFlow> Accounts, Instant Pruned) Recent(Instant at)
    {
        if (Accounts.Count < PruneFrom || at - Pruned < PruneEvery)
        {
            return (Accounts, Pruned);
        }

        var old = at - Duration.Max(RateWindow.Length, Duration.FromSeconds(Present?.Abuse?.Cooldown?.Seconds ?? 0));
        return (Accounts.RemoveRange(Accounts.Where(pair => pair.Value.Last <= old).Select(pair => pair.Key)), at);
    }

    // A move of the price by so much, up or down; nobody asks about the way back.
    private static PriceSpike? SpikeOf(TradeExecuted e, CooldownRule rule) =>
        Int128.Abs((Int128)e.PriceAfter.Units - e.PriceBefore.Units) * 10_000 >= (Int128)rule.MoveBps * e.PriceBefore.Units
            ? new PriceSpike(e.At, e.Outcome, e.Side)
            : null;
}

/// <summary>One account's last minutes in one market.</summary>
/// <param name="Last">Its last trade or change of liquidity.</param>
/// <param name="Rate">Its trades of the last minute.</param>
/// <param name="Spike">The last time that it moved the price a lot.</param>
/// <param name="Liquidity">Its changes of liquidity of the last minute.</param>
public sealed record AccountFlow(Instant Last, RateWindow Rate, PriceSpike? Spike, RateWindow Liquidity)
{
    public static AccountFlow None { get; } = new(NodaConstants.UnixEpoch, RateWindow.Empty, null, RateWindow.Empty);
}

/// <summary>A trade that moved an outcome's price a lot.</summary>
public sealed record PriceSpike(Instant At, string Outcome, TradeSide Side);

/// <summary>A trade as the wash rule looks at it.</summary>
public sealed record TradeMark(Instant At, AccountId Account, string Outcome, TradeSide Side, Shares Shares, Credits Amount, long Version);

/// <summary>How many trades there were in each 30 seconds, over the last 16 minutes with trades or after them.</summary>
/// <param name="First">The tick at which the first trade's 30 seconds began.</param>
/// <param name="Tick">The tick at which the newest 30 seconds began.</param>
/// <param name="Counts">Newest first.</param>
public sealed record TickCounts(Instant? First, Instant Tick, EquatableArray<int> Counts)
{
    private const int Kept = 33;

    private static readonly Duration Length = Pricing.PriceTrack.TickLength;

    public static TickCounts None { get; } = new(null, NodaConstants.UnixEpoch, []);

    public TickCounts With(Instant at)
    {
        var tick = Pricing.PriceTrack.TickAtOrBefore(at);
        if (First is null)
        {
            return new TickCounts(tick, tick, [1]);
        }

        if (tick == Tick)
        {
            return this with { Counts = Counts.SetItem(0, Counts[0] + 1) };
        }

        var gap = (int)Math.Min(Kept, (tick - Tick).BclCompatibleTicks / Length.BclCompatibleTicks);
        return this with { Tick = tick, Counts = [1, .. Enumerable.Repeat(0, gap - 1), .. Counts.Take(Kept - gap)] };
    }

    /// <summary>The trades in [from, to); both are ticks, and no more than 16 minutes before the newest trade.</summary>
    public int Between(Instant from, Instant to)
    {
        var sum = 0;
        for (var i = 0; i < Counts.Count; i++)
        {
            var begin = Tick - Length * i;
            sum += begin >= from && begin < to ? Counts[i] : 0;
        }

        return sum;
    }
}

using System.Globalization;
using Mbp.Domain.Abuse;
using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Pricing;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Cli.Abuse;

/// <summary>
/// The anti-abuse rules over one market's orders, as a ledger would have asked them: the caps and pauses at each order, the flags at each tick, the
/// refusals of each minute. All rules are the domain's; here stands only what comes after what. There is no pool: the cap on open interest is
/// not asked, and a flag that limits the market makes it slow for as long as the flag stands, since its way out in the ledger is by prices.
/// </summary>
/// <param name="id">The market.</param>
/// <param name="policy">The rule set in force.</param>
/// <param name="happened">The orders are trades that happened: what the rules refuse is counted, and yet it counts as a trade.</param>
internal sealed class AbuseSimulation(MarketId id, Policy policy, bool happened)
{
    private static readonly Duration Tick = PriceTrack.TickLength;
    private static readonly Duration Minute = Duration.FromMinutes(1);

    // No rule looks further back.
    private static readonly Duration Still = Duration.FromMinutes(20);

    private readonly Ruleset _asked = policy.Rules with { Caps = [.. policy.Rules.Caps.Select(caps => caps with { MaxOpenInterest = null })] };
    private readonly Market _market = new Market.Open(Terms(id, policy), new MarketRules(policy, []), HaltHistory.None);
    private readonly Dictionary<(string Code, string Rule), long> _refusals = [];
    private readonly Dictionary<AccountId, long> _refusedOfMinute = [];
    private readonly Dictionary<string, long> _codesOfMinute = [];
    private Pool _pool = Pool.Empty(["YES", "NO"], feePpm: 0);
    private TradeFlow _flow = TradeFlow.Initial with { Rules = new MarketRules(policy, []) };
    private FlagLog _log = FlagLog.Fold.Initial;

    public List<AbuseFlagged> Flags { get; } = [];

    public IReadOnlyDictionary<(string Code, string Rule), long> Refusals => _refusals;

    public int Accepted { get; private set; }

    /// <param name="orders">The market's orders in time order.</param>
    public void Run(IReadOnlyList<Order> orders)
    {
        var next = 0;
        for (var tick = PriceTrack.TickAtOrAfter(orders[0].At); ; tick += Tick)
        {
            // What is refused at a minute's end belongs to the next minute.
            next = TakeWhile(orders, next, at => at < tick);
            RecordMinute(tick);
            next = TakeWhile(orders, next, at => at <= tick);
            Record(AbuseDecider.Judge(new JudgeTrades(id, tick, tick), _market, _flow, _log).Events.Select(written => written.Event));
            if (tick - orders[next - 1].At < Still)
            {
                continue;
            }

            if (next == orders.Count)
            {
                return;
            }

            tick = Instant.Max(tick, PriceTrack.TickAtOrAfter(orders[next].At) - Tick);
        }
    }

    private int TakeWhile(IReadOnlyList<Order> orders, int next, Func<Instant, bool> isDue)
    {
        for (; next < orders.Count && isDue(orders[next].At); next++)
        {
            Take(orders[next], next);
        }

        return next;
    }

    private void Take(Order order, int number)
    {
        // With no price known there is no move.
        var after = order.After ?? new Price(Decimal8.One);
        var trade = new TradeExecuted(
            number.ToString(CultureInfo.InvariantCulture), order.Account, order.Side, order.Outcome, order.Shares, order.Amount, default, order.Amount,
            order.Before ?? after, after, [], order.At);
        var slow = _log.Recent.Any(flag => flag.Action == AbuseAction.Limited && flag.At > order.At - FlagLog.Quiet);
        if (RiskRules.Refusal(trade, MarketKind.Binary, _asked, _pool, _flow, slow) is { } refusal)
        {
            Count(_refusals, (refusal.Code, refusal.Rule ?? ""));
            if (!happened)
            {
                Count(_refusedOfMinute, order.Account);
                Count(_codesOfMinute, refusal.Code);
                return;
            }
        }

        Accepted++;
        var holder = _pool.HolderOf(order.Account);
        var exposure = holder.ExposureUnits + (order.Side == TradeSide.Buy ? order.Amount.Units : -order.Amount.Units);
        _pool = _pool with { Holders = _pool.Holders.SetItem(order.Account, holder with { ExposureUnits = exposure }) };
        _flow = TradeFlow.Fold.Apply(_flow, trade);
    }

    private void RecordMinute(Instant tick)
    {
        if (_refusedOfMinute.Count == 0 || tick.ToUnixTimeTicks() % Minute.BclCompatibleTicks != 0)
        {
            return;
        }

        Record(AbuseDecider.Record(
            RecordRefusals.Of(id, tick - Minute, _refusedOfMinute.Values.Sum(), _codesOfMinute, _refusedOfMinute, tick), _market, _log).Events);
        _refusedOfMinute.Clear();
        _codesOfMinute.Clear();
    }

    private void Record(IEnumerable<object> events)
    {
        foreach (var @event in events)
        {
            _log = FlagLog.Fold.Apply(_log, @event);
            if (@event is AbuseFlagged flag)
            {
                Flags.Add(flag);
            }
        }
    }

    private static void Count<TKey>(Dictionary<TKey, long> counts, TKey key)
        where TKey : notnull => counts[key] = counts.GetValueOrDefault(key) + 1;

    private static MarketTerms Terms(MarketId id, Policy policy) => new(
        id, "", "", "", 0, MarketKind.Binary, ["YES", "NO"], null, null, default, null, Instant.MaxValue, Instant.MaxValue, 0, policy.Rules.Name, policy.Hash, Instant.MinValue);
}

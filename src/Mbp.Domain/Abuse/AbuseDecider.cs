using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Pricing;
using Mbp.Ledger;
using NodaTime;
using NodaTime.Text;

namespace Mbp.Domain.Abuse;

/// <summary>The anti-abuse rules over a market's last minutes (C25). What they find is flagged, and limits the market in the same commit where it must.</summary>
public static class AbuseDecider
{
    /// <summary>No more accounts or codes are named in one event.</summary>
    public const int MostNamed = 20;

    private static readonly Duration Minute = Duration.FromMinutes(1);

    /// <summary>The flags of a tick: a burst, or trades that leave nothing but volume.</summary>
    public static Decision<StreamEvent> Judge(JudgeTrades c, Market market, TradeFlow flow, FlagLog log)
    {
        ArgumentNullException.ThrowIfNull(c);
        ArgumentNullException.ThrowIfNull(flow);
        ArgumentNullException.ThrowIfNull(log);
        if (market is not (Market.Open or Market.Halted) || market.Policy() is not { Rules.Abuse: { } rules } policy || !PriceTrack.IsTick(c.Tick) || c.Tick > c.At)
        {
            return [];
        }

        var flags = new List<AbuseFlagged>(2);
        if (rules.Burst is { } burst && !log.Has(AbuseKind.Burst, c.At) && Burst(c, burst, flow) is { } crowd)
        {
            flags.Add(crowd);
        }

        if (rules.Wash is { } wash && !log.Has(AbuseKind.Manipulation, c.At) && Wash(c, wash, flow) is { } ring)
        {
            flags.Add(ring);
        }

        var limits = flags.Any(flag => flag.Action == AbuseAction.Limited) && market.HaltLevel() < HaltLevel.Soft;
        Decision<StreamEvent> decision =
        [
            .. flags.Select(flag => c.MarketId.Abuse.With(flag)),
            .. limits ? [c.MarketId.Stream.With(Limit(c, market, flags))] : Array.Empty<StreamEvent>(),
        ];
        return decision.Under(policy.Hash);
    }

    /// <summary>A minute's refusals, and a flag for each account that could not stop.</summary>
    public static Decision<AbuseEvent> Record(RecordRefusals c, Market market, FlagLog log)
    {
        ArgumentNullException.ThrowIfNull(c);
        ArgumentNullException.ThrowIfNull(log);
        // One event for a minute, whatever happens: a second count of the same minute is lost rather than an attacker's way in.
        if (market is Market.Unknown || c.Total <= 0 || c.Minute <= log.LastMinute || c.Minute + Minute > c.At)
        {
            return [];
        }

        var policy = market.Policy();
        Decision<AbuseEvent> decision =
        [
            new RefusalsRecorded(c.MarketId, c.Minute, c.Total, c.Codes, c.Accounts, c.At),
            .. c.Accounts.Where(account => account.Count > policy?.Rules.Abuse?.RefusedPerMinute && !log.Has(AbuseKind.RateLimit, c.At, account.Account))
                .Select(account => Insisted(c, account, policy!.Rules.Abuse!.RefusedPerMinute!.Value)),
        ];
        return decision.Under(policy?.Hash);
    }

    private static AbuseFlagged Insisted(RecordRefusals c, AccountCount account, int limit) => new(
        $"{c.MarketId}:rate_limit:{Text(c.Minute)}:{account.Account}", c.MarketId, AbuseKind.RateLimit,
        account.Count >= 10L * limit ? Severity.High : account.Count >= 3L * limit ? Severity.Med : Severity.Low, AbuseAction.AlertOnly, [account.Account],
        $"{account.Count} commands refused in the minute, more than {limit}.", c.Minute, 0, 0, c.At);

    private static AbuseFlagged? Burst(JudgeTrades c, BurstRule rule, TradeFlow flow)
    {
        var begin = c.Tick - Minute;
        var baseline = Duration.FromMinutes(rule.BaselineMinutes);
        if (flow.Counts.First is not { } first || first > begin - baseline)
        {
            return null;
        }

        var (now, usual) = (flow.Counts.Between(begin, c.Tick), flow.Counts.Between(begin - baseline, begin));
        return now < rule.MinTrades || (long)now * rule.BaselineMinutes < (long)rule.Factor * usual
            ? null
            : new AbuseFlagged(
                Id(c, "burst"), c.MarketId, AbuseKind.Burst, (long)now * rule.BaselineMinutes >= 2L * rule.Factor * usual ? Severity.High : Severity.Med,
                AbuseAction.Limited, [], $"{now} trades in the minute, {usual} in the {rule.BaselineMinutes} minutes before it; the limit is {rule.Factor} times.",
                c.Tick, 0, flow.Version, c.At);
    }

    private static AbuseFlagged? Wash(JudgeTrades c, WashRule rule, TradeFlow flow)
    {
        var found = WashTrades.In([.. flow.Marks.Where(mark => mark.At <= c.Tick && mark.At > c.Tick - Duration.FromSeconds(rule.WindowSeconds))], rule);
        return found is null
            ? null
            : new AbuseFlagged(
                Id(c, "manipulation"), c.MarketId, AbuseKind.Manipulation, found.IsMost ? Severity.High : Severity.Med,
                found.IsMost ? AbuseAction.Limited : AbuseAction.AlertOnly, [.. found.Accounts.Take(MostNamed)],
                $"{found.Pairs} pairs of opposite trades of nearly the same shares in {rule.WindowSeconds} s among {found.Accounts.Count} accounts, {found.Turnover} of {found.AllTurnover} CE$ traded.",
                c.Tick, found.FirstVersion - 1, found.LastVersion, c.At);
    }

    private static MarketHalted Limit(JudgeTrades c, Market market, List<AbuseFlagged> flags) => new(
        HaltLevel.Soft, string.Join(", ", flags.Where(flag => flag.Action == AbuseAction.Limited).Select(flag => flag.Id)), c.At, HaltRule.Abuse,
        (market as Market.Halted)?.HeldAt ?? HaltLevel.None, c.Tick);

    private static string Id(JudgeTrades c, string kind) => $"{c.MarketId}:{kind}:{Text(c.Tick)}";

    private static string Text(Instant at) => InstantPattern.ExtendedIso.Format(at);
}

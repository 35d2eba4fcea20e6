using System.Text.RegularExpressions;
using Mbp.Domain.Resolution.Oracle;
using Mbp.Domain.Units;

namespace Mbp.Domain.Governance.Rulesets;

/// <summary>A rule set's fault: which field, in the spelling of the YAML file, and which rule it breaks.</summary>
public sealed record RulesetFault(string Field, string Rule);

/// <summary>What a rule set must keep to be published: each value by itself, and the order among those that depend on one another.</summary>
public static partial class RulesetChecks
{
    private const int MaxBps = 10_000;

    /// <summary>Every fault, in the order of the fields.</summary>
    public static IEnumerable<RulesetFault> Faults(Ruleset rules)
    {
        ArgumentNullException.ThrowIfNull(rules);
        return
        [
            .. Check("name", Identifier.IsValid(rules.Name) && rules.Name.Length <= 60, $"is {Identifier.Rule}, and at most 60 characters"),
            .. Check("version", VersionPattern().IsMatch(rules.Version), "is vMAJOR.MINOR.PATCH, such as v1.2.0, each of them at most 999999"),
            .. Trading(rules.Trading),
            .. Resolution(rules.Resolution),
            .. Caps(rules.Caps),
            .. Freeze(rules.Freeze),
            .. Halts(rules),
            .. Abuse(rules.Abuse),
            .. In("slo.red_windows", rules.Slo?.RedWindows, 1, 100),
            .. In("slo.green_windows", rules.Slo?.GreenWindows, 1, 100),
            .. In("slo.window_hours", rules.Slo?.WindowHours, 1, 24),
            .. Oracle(rules.Oracle),
            .. Disputes(rules),
            .. Endpoints(rules.Endpoints),
        ];
    }

    private static IEnumerable<RulesetFault> Endpoints(EndpointRules? rules) => rules is null ? [] :
    [
        .. Check("endpoints.hosts", rules.Hosts.Count is >= 1 and <= 100, "has 1 to 100 hosts"),
        .. rules.Hosts.Where(host => !HostPattern().IsMatch(host.Host) || host.Host.Length > 253).Select(host => new RulesetFault("endpoints.hosts", $"names hosts by their DNS names in lower case, not '{host.Host}'")),
        .. rules.Hosts.Where(host => !Statement.IsKey(host.Key)).Select(host => new RulesetFault("endpoints.hosts", $"has no Ed25519 key for '{host.Host}': base64 of 32 bytes")),
        .. Check("endpoints.hosts", rules.Hosts.Select(host => host.Host).Distinct(StringComparer.Ordinal).Count() == rules.Hosts.Count, "has each host once"),
    ];

    private static IEnumerable<RulesetFault> Resolution(ResolutionTimes times) =>
    [
        .. In("resolution.dispute_window_minutes", times.DisputeWindowMinutes, 0, 10_080),
        .. In("resolution.sla_hours", times.SlaHours, 1, 720),
        .. In("resolution.void_hours", times.VoidHours, 1, 2_160),
        .. Check("resolution.void_hours", times is not { VoidHours: { } end, SlaHours: { } sla } || end > sla, "is greater than sla_hours: people need time for the manual way"),
        .. In("resolution.postpone_minutes", times.PostponeMinutes, 1, 1_440),
        .. In("resolution.max_postponements", times.MaxPostponements, 1, 10),
        .. Check("resolution.max_postponements", times.PostponeMinutes is null == times.MaxPostponements is null, "is given together with postpone_minutes"),
    ];

    private static IEnumerable<RulesetFault> Oracle(OracleRules? rules)
    {
        if (rules is null)
        {
            return [];
        }

        return
        [
            .. Voters("oracle.sources", rules.Sources),
            .. Check("oracle.round_minutes", rules.RoundMinutes.Count is >= 1 and <= 10 && rules.RoundMinutes.All(minutes => minutes is >= 1 and <= 1_440), "has 1 to 10 whole numbers from 1 to 1440"),
            .. In("oracle.late_seconds", rules.LateSeconds, 0, 60),
            .. In("oracle.stale_seconds", rules.StaleSeconds, 1, 86_400),
            .. In("oracle.tolerance_bps", rules.ToleranceBps, 0, 1_000),
            .. In("oracle.failover.failed_rounds", rules.Failover.FailedRounds, 1, 10),
            .. In("oracle.failover.good_rounds", rules.Failover.GoodRounds, 1, 10),
            .. In("oracle.failover.dwell_seconds", rules.Failover.DwellSeconds, 0, 86_400),
            .. In("oracle.reputation.agreed_ppm", rules.Reputation?.AgreedPpm, 0, 1_000_000),
            .. In("oracle.reputation.disagreed_ppm", rules.Reputation?.DisagreedPpm, 0, 1_000_000),
            .. In("oracle.reputation.equivocated_ppm", rules.Reputation?.EquivocatedPpm, 0, 1_000_000),
            .. In("oracle.reputation.floor_ppm", rules.Reputation?.FloorPpm, 0, 1_000_000),
        ];
    }

    private static IEnumerable<RulesetFault> Disputes(Ruleset rules)
    {
        if (rules.Disputes is not { } disputes)
        {
            return [];
        }

        Voter[] others = [.. disputes.Panel, .. rules.Oracle is { } oracle ? oracle.Sources : []];
        return
        [
            .. Check("disputes", rules.Resolution.DisputeWindowMinutes > 0, "needs a dispute_window_minutes above 0"),
            .. Check("disputes.min_bond", disputes.MinBond.Units > 0, "is greater than 0"),
            .. In("disputes.bond_ppm", disputes.BondPpm, 0, 1_000_000),
            .. In("disputes.panel_hours", disputes.PanelHours, 1, 168),
            .. In("disputes.arbitration_hours", disputes.ArbitrationHours, 1, 168),
            .. disputes.Panel.Count == 0 ? [] : Voters("disputes.panel", disputes.Panel),
            .. Check("disputes.panel", disputes.Panel.All(member => rules.Oracle?.Sources.Any(source => IsSame(source, member)) != true), "has nobody in it who is a source of the oracle"),
            .. Check("disputes.arbitrators", disputes.Arbitrators.Count is 0 or 3, "has three members, or none"),
            .. Each("disputes.arbitrators", disputes.Arbitrators),
            .. Check("disputes.arbitrators", disputes.Arbitrators.All(one => others.All(other => !IsSame(other, one))), "has nobody in it who is a source or sits on the panel"),
        ];
    }

    /// <summary>No operator may decide alone, nor block alone: at least three groups, none above a third (spec part 2, Quorum).</summary>
    private static IEnumerable<RulesetFault> Voters(string field, EquatableArray<Voter> voters)
    {
        var all = voters.Sum(voter => (long)voter.Weight);
        var groups = voters.GroupBy(voter => voter.Group, StringComparer.Ordinal).Select(group => (Name: group.Key, Weight: group.Sum(voter => (long)voter.Weight))).ToList();
        return
        [
            .. Each(field, voters),
            .. Check(field, voters.Count is >= 3 and <= 100, "has 3 to 100 members"),
            .. Check(field, groups.Count >= 3, "has at least 3 operator groups"),
            .. groups.Where(group => group.Weight * 3 > all).Select(group => new RulesetFault(field, $"gives group '{group.Name}' {group.Weight} of {all}, which is more than a third")),
        ];
    }

    private static IEnumerable<RulesetFault> Each(string field, EquatableArray<Voter> voters) =>
    [
        .. Check(field, voters.All(voter => Identifier.IsValid(voter.Id)), $"has ids that are {Identifier.Rule}"),
        .. Check(field, voters.All(voter => Identifier.IsValid(voter.Group)), $"has groups that are {Identifier.Rule}"),
        .. Check(field, voters.All(voter => voter.Weight is >= 1 and <= 1_000_000), "has weights from 1 to 1000000"),
        .. voters.Where(voter => !Statement.IsKey(voter.Key)).Select(voter => new RulesetFault(field, $"has no Ed25519 key for '{voter.Id}': base64 of 32 bytes")),
        .. Check(
            field, voters.Select(voter => voter.Id).Distinct(StringComparer.Ordinal).Count() == voters.Count && voters.Select(voter => voter.Key).Distinct(StringComparer.Ordinal).Count() == voters.Count,
            "has each id and each key once"),
    ];

    private static bool IsSame(Voter a, Voter b) => a.Id == b.Id || a.Key == b.Key;

    private static IEnumerable<RulesetFault> Trading(TradingRules rules) =>
    [
        .. Check("trading.max_price", rules.MinPrice is null == rules.MaxPrice is null, "is given together with min_price"),
        .. Check(
            "trading.max_price", rules is not { MinPrice: { } min, MaxPrice: { } max } || (min.Units > 0 && min < max && max.Units < Decimal8.One),
            "is greater than min_price, and both are between 0 and 1"),
    ];

    private static IEnumerable<RulesetFault> Caps(EquatableArray<RiskCaps> caps)
    {
        foreach (var entry in caps)
        {
            var field = $"caps.{Words.Of(entry.Kind)}";
            foreach (var fault in Check($"{field}.max_exposure_per_user", entry.MaxExposurePerUser is not { Units: <= 0 }, "is greater than 0")
                .Concat(Check($"{field}.max_open_interest", entry.MaxOpenInterest is not { Units: <= 0 }, "is greater than 0"))
                .Concat(In($"{field}.max_trade_rate", entry.MaxTradesPerMinute, 1, 1_000_000)))
            {
                yield return fault;
            }
        }

        if (caps.Select(entry => entry.Kind).Distinct().Count() != caps.Count)
        {
            yield return new RulesetFault("caps", "has each kind of market once");
        }
    }

    private static IEnumerable<RulesetFault> Freeze(FreezeRules? rules) =>
    [
        .. In("freeze.divergence.max_bps", rules?.Divergence?.MaxBps, 1, MaxBps),
        // The track keeps prices for so long that four ends can be judged again.
        .. In("freeze.divergence.windows", rules?.Divergence?.Windows, 1, 3),
        .. In("freeze.band.min_bps", rules?.Band?.MinBps, 0, MaxBps),
        .. In("freeze.band.samples", rules?.Band?.Samples, 1, 10),
    ];

    private static IEnumerable<RulesetFault> Halts(Ruleset rules)
    {
        if (rules.Halts is not { } halts)
        {
            return Check("halts", rules.Freeze is null, "is needed where there is a freeze: it says how a market opens again");
        }

        return
        [
            .. In("halts.warn_bps", halts.WarnBps, 1, MaxBps),
            .. In("halts.ease_hard_bps", halts.EaseHardBps, 1, MaxBps),
            .. Check(
                "halts.ease_hard_bps", rules.Freeze?.Divergence is not { } freeze || halts.EaseHardBps <= freeze.MaxBps,
                "is at most freeze.divergence.max_bps: a freeze would end where one begins"),
            .. In("halts.ease_soft_bps", halts.EaseSoftBps, 1, MaxBps),
            .. In("halts.ease_warn_bps", halts.EaseWarnBps, 1, MaxBps),
            .. Check("halts.ease_warn_bps", halts.EaseWarnBps <= halts.WarnBps, "is at most warn_bps: a market would warn and calm down at the same price"),
            .. Check(
                "halts.ease_soft_bps", rules.Freeze?.Divergence is not { } r1 || halts.EaseSoftBps <= r1.MaxBps,
                "is at most freeze.divergence.max_bps: a window would be a breach and clean at once"),
            .. In("halts.cooldown_seconds", halts.CooldownSeconds, 30, 86_400),
            .. In("halts.max_reopenings", halts.MaxReopenings, 0, 10),
            .. Check("halts.depth_floor", halts.DepthFloor is not { Units: <= 0 }, "is greater than 0"),
        ];
    }

    private static IEnumerable<RulesetFault> Abuse(AbuseRules? rules) =>
    [
        .. In("abuse.burst.factor", rules?.Burst?.Factor, 2, 1_000),
        .. In("abuse.burst.baseline_minutes", rules?.Burst?.BaselineMinutes, 1, 15),
        .. In("abuse.burst.min_trades", rules?.Burst?.MinTrades, 1, 1_000_000),
        .. In("abuse.cooldown.move_bps", rules?.Cooldown?.MoveBps, 1, 1_000_000),
        .. In("abuse.cooldown.seconds", rules?.Cooldown?.Seconds, 1, 3_600),
        .. In("abuse.wash.window_seconds", rules?.Wash?.WindowSeconds, 1, 300),
        .. In("abuse.wash.tolerance_bps", rules?.Wash?.ToleranceBps, 0, 5_000),
        .. In("abuse.wash.pairs", rules?.Wash?.Pairs, 2, 100),
        .. In("abuse.refused_per_minute", rules?.RefusedPerMinute, 1, 1_000_000),
    ];

    private static IEnumerable<RulesetFault> In(string field, int? value, int min, int max) =>
        Check(field, value is null || (value >= min && value <= max), $"is a whole number from {min} to {max}");

    private static IEnumerable<RulesetFault> Check(string field, bool holds, string rule) => holds ? [] : [new RulesetFault(field, rule)];

    // A name with a dot and a last part that is no number: neither an address nor a name of the own network.
    [GeneratedRegex(@"\A([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]\z", RegexOptions.CultureInvariant)]
    private static partial Regex HostPattern();

    [GeneratedRegex(@"^v(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\z", RegexOptions.CultureInvariant)]
    private static partial Regex VersionPattern();
}

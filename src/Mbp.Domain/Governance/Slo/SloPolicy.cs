using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Governance.Slo;

public abstract record SloEvent;

/// <summary>How fast the error budget burned over a window of 4 hours, as a watcher measured it (C16).</summary>
/// <param name="WindowEnd">The window's end; each is reported once.</param>
/// <param name="BurnRate">Burned / allowed: 1 = the budget would last exactly its period.</param>
/// <param name="IsRed">Whether that is 1 or more.</param>
/// <param name="At">Ledger time.</param>
public sealed record BurnReported(Instant WindowEnd, ScalarValue BurnRate, bool IsRed, Instant At) : SloEvent;

/// <summary>From here on every market whose rule set has an <c>slo</c> section is in slow mode, and no rebate of CE$ is paid.</summary>
public sealed record SlowModeBegan(int RedWindows, Instant At) : SloEvent;

/// <summary>Slow mode is over and rebates are paid again.</summary>
public sealed record SlowModeEnded(int GreenWindows, Instant At) : SloEvent;

public abstract record SloCommand;

/// <summary>Hands in a window's burn.</summary>
public sealed record ReportBurn(Instant WindowEnd, ScalarValue BurnRate, Instant At) : SloCommand;

/// <summary>Whether the platform's error budget slows trading down.</summary>
/// <param name="SlowSince">When slow mode began; null = it is off.</param>
/// <param name="RedInARow">Red windows up to the last one.</param>
/// <param name="GreenInARow">Green windows up to the last one.</param>
/// <param name="LastWindow">The last one's end.</param>
public sealed record SloPolicy(Instant? SlowSince, int RedInARow, int GreenInARow, Instant? LastWindow)
{
    public static readonly StreamId Stream = StreamId.Of("watcher", "slo-budget");

    public static readonly Fold<SloPolicy> Fold = new("slo_policy", 1, new SloPolicy(null, 0, 0, null), (policy, @event) => @event switch
    {
        BurnReported { IsRed: true } e => policy with { RedInARow = policy.RedInARow + 1, GreenInARow = 0, LastWindow = e.WindowEnd },
        BurnReported e => policy with { RedInARow = 0, GreenInARow = policy.GreenInARow + 1, LastWindow = e.WindowEnd },
        SlowModeBegan e => policy with { SlowSince = e.At },
        SlowModeEnded => policy with { SlowSince = null },
        _ => policy,
    });

    /// <summary>Whether a market under these rules is slowed down by it.</summary>
    public bool Slows(Ruleset rules) => SlowSince is not null && rules.Slo is not null;
}

public static class SloDecider
{
    /// <summary>
    /// The newest <c>default</c> rule set that speaks of windows says how long they are and how many it takes: one that does not speak of them, published
    /// while trading is slow, leaves the end of that to green windows.
    /// </summary>
    public static Decision<SloEvent> Decide(ReportBurn c, SloPolicy policy, RulesetLibrary defaults)
    {
        ArgumentNullException.ThrowIfNull(c);
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(defaults);
        var rules = defaults.NewestWithSlo ?? defaults.Newest;
        var slo = rules?.Rules.Slo;
        if (c.WindowEnd > c.At)
        {
            return SloErrors.InTheFuture;
        }

        if (c.WindowEnd <= policy.LastWindow)
        {
            return [];
        }

        if (slo?.WindowHours is { } hours && policy.LastWindow is { } last && c.WindowEnd - last < Duration.FromHours(hours))
        {
            return ((Decision<SloEvent>)SloErrors.Overlaps(last, hours)).Under(rules!.Hash);
        }

        var report = new BurnReported(c.WindowEnd, c.BurnRate, c.BurnRate.Units >= Decimal8.One, c.At);
        var after = SloPolicy.Fold.Apply(policy, report);
        Decision<SloEvent> decision = slo switch
        {
            { } when after.SlowSince is null && after.RedInARow >= slo.RedWindows => [report, new SlowModeBegan(after.RedInARow, c.At)],
            { } when after.SlowSince is not null && after.GreenInARow >= slo.GreenWindows => [report, new SlowModeEnded(after.GreenInARow, c.At)],
            _ => [report],
        };
        return decision.Under(rules?.Hash);
    }
}

public static class SloErrors
{
    public static readonly Rejection InTheFuture = new(RejectionKind.Invalid, "slo.in_the_future", "The window's end has not come yet.", "windowEnd");

    public static Rejection Overlaps(Instant last, int hours) => new(
        RejectionKind.Conflict, "slo.window_overlaps",
        $"A window is {hours} hours long, and the last one ended at {NodaTime.Text.InstantPattern.General.Format(last)}: the next one ends no earlier than {NodaTime.Text.InstantPattern.General.Format(last + Duration.FromHours(hours))}.",
        "windowEnd")
    {
        Rule = "slo.window_hours",
    };
}

public static class SloSlice
{
    public static readonly Slice Slice = new("slo", Wire);

    private static void Wire(EventCatalog catalog) => catalog
        .Add<BurnReported>("burn_reported")
        .Add<SlowModeBegan>("slow_mode_began")
        .Add<SlowModeEnded>("slow_mode_ended");
}

using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Governance.Slo;
using Mbp.Domain.Units;
using Mbp.Ledger;
using Mbp.Policies;
using Mbp.Testing;
using NodaTime;

namespace Mbp.Domain.Tests.Governance;

/// <summary>The error budget's windows (C16): two red ones begin slow mode, two green ones end it.</summary>
public sealed class SloDeciderTests
{
    private static readonly Instant Noon = Instant.FromUtc(2025, 9, 10, 12, 0);
    private static readonly Ruleset Rules = BuiltInPolicies.Default.Rules with { Slo = new SloRules(2, 2, WindowHours: 4) };
    private static readonly Ruleset Without = Rules with { Version = "v9.0.0", Slo = null };

    private SloPolicy _policy = SloPolicy.Fold.Initial;

    [Fact]
    public void Two_reports_within_a_window_are_not_two_windows()
    {
        Report(0, 2);
        GivenEvents.When(Report(1, 2)).ThenRejected("slo.window_overlaps", "windowEnd");
        GivenEvents.When(Report(4 * 3600 - 1, 2)).ThenRejected("slo.window_overlaps", "windowEnd");
        Assert.Contains(Report(4 * 3600, 2).Events, e => e is SlowModeBegan);
    }

    [Fact]
    public void Under_rules_that_say_no_length_any_later_end_is_a_window()
    {
        Report(0, 2, Rules with { Slo = new SloRules(2, 2) });
        Assert.Contains(Report(1, 2, Rules with { Slo = new SloRules(2, 2) }).Events, e => e is SlowModeBegan);
    }

    [Fact]
    public void A_window_that_was_reported_changes_nothing()
    {
        Report(0, 2);
        Assert.Empty(Report(0, 2).Events);
        Assert.Null(Report(0, 2).Rejection);
    }

    [Fact]
    public void A_default_without_windows_does_not_end_slow_mode()
    {
        Report(0, 2);
        Report(4 * 3600, 2);
        Assert.NotNull(_policy.SlowSince);
        Assert.DoesNotContain(Report(8 * 3600, 2, Rules, Without).Events, e => e is SlowModeEnded);
        Assert.DoesNotContain(Report(12 * 3600, 0, Rules, Without).Events, e => e is SlowModeEnded);
        Assert.Contains(Report(16 * 3600, 0, Rules, Without).Events, e => e is SlowModeEnded);
    }

    private Decision<SloEvent> Report(int second, int rate, params Ruleset[] rules)
    {
        var at = Noon + Duration.FromSeconds(second);
        var library = new RulesetLibrary([.. (rules is [] ? [Rules] : rules).Select(Policy.Of)]);
        var decision = SloDecider.Decide(new ReportBurn(at, ScalarValue.FromUnits(rate * Decimal8.One), at), _policy, library);
        _policy = decision.Events.Aggregate(_policy, (policy, e) => SloPolicy.Fold.Apply(policy, e));
        return decision;
    }
}

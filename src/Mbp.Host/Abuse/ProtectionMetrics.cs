using System.Diagnostics.Metrics;
using Mbp.Domain.Abuse;
using Mbp.Domain.Markets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Units;
using Mbp.Host.Platform;

namespace Mbp.Host.Abuse;

/// <summary>Halts and flags in numbers, for <c>/metrics</c>.</summary>
internal static class ProtectionMetrics
{
    private static readonly Counter<long> Halts = Telemetry.Meter.CreateCounter<long>("mbp.halts", description: "Markets halted by rule, by level and rule.");

    private static readonly Counter<long> Flags = Telemetry.Meter.CreateCounter<long>("mbp.abuse_flags", description: "Abuse flags, by kind and severity.");

    public static void Saw(object @event)
    {
        switch (@event)
        {
            case MarketHalted e:
                Halts.Add(1, new("level", Words.Of(e.Level)), new("rule", Words.Of(e.Rule ?? HaltRule.Manual)));
                break;
            case AbuseFlagged e:
                Flags.Add(1, new("kind", Words.Of(e.Kind)), new("severity", Words.Of(e.Severity)));
                break;
        }
    }
}

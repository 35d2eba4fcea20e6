using System.Diagnostics.Metrics;
using Mbp.Host.Platform;

namespace Mbp.Host.Subscriptions;

/// <summary>Reactions, outbox rules and destinations in numbers, for <c>/metrics</c>; without any, there are no such numbers.</summary>
internal sealed class SubscriptionMetrics : IDisposable
{
    private readonly Meter _meter = new(Telemetry.Name);

    public SubscriptionMetrics(SubscriptionWorker worker)
    {
        foreach (var group in worker.Subscriptions.GroupBy(subscription => subscription.Kind))
        {
            var (kind, all) = (group.Key, group.ToList());
            _meter.CreateObservableGauge($"{kind}.up", () => all.Select(s => Measure(kind, s.Name, s.Fault is null ? 1 : 0)), description: "0 while it is stopped by an event.");
            _meter.CreateObservableGauge($"{kind}.position", () => all.Select(s => Measure(kind, s.Name, Math.Max(0, s.Position))), description: "The last event that was dealt with by this process.");
        }

        if (worker.Lanes.Count > 0)
        {
            _meter.CreateObservableGauge(
                "outbox.failures", () => worker.Lanes.Select(lane => Measure("destination", lane.Name, lane.Failures)), description: "How often in a row a destination has failed.");
        }
    }

    public void Dispose() => _meter.Dispose();

    private static Measurement<long> Measure(string tag, string name, long value) => new(value, new KeyValuePair<string, object?>(tag, name));
}

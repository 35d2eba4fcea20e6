using System.Diagnostics.Metrics;
using Mbp.Host.Platform;
using Mbp.Ledger.Postgres.Reading;
using Mbp.Ledger.Reading;
using NodaTime;

namespace Mbp.Host.Projections;

/// <summary>The projections in numbers, for <c>/metrics</c>: which go on, how far each is behind, and how long an event takes to its row.</summary>
internal sealed class ProjectionMetrics : IDisposable
{
    private readonly Meter _meter = new(Telemetry.Name);

    public ProjectionMetrics(ProjectionDaemon daemon, EventFeed feed, IClock clock)
    {
        _meter.CreateObservableGauge(
            "projection.up", () => daemon.Statuses.Select(status => Measure(status.State == "stopped" ? 0 : 1, status.Name)), description: "0 while a projection is stopped by an event.");
        _meter.CreateObservableGauge(
            "projection.position", () => daemon.Statuses.Select(status => Measure(status.Position, status.Name)), description: "The last event in a projection's tables.");
        _meter.CreateObservableGauge(
            "projection.behind", () => daemon.Statuses.Select(status => Measure(Math.Max(0, feed.Head - status.Position), status.Name)), description: "Events in the ledger that are not in a projection's tables.");
        var delay = _meter.CreateHistogram<double>("projection.delay", "s", "From an event's ledger time to its row, for the oldest event of each commit.");
        daemon.Committed += (name, events) =>
            delay.Record(Math.Max(0, (clock.GetCurrentInstant() - events[0].At).TotalSeconds), new KeyValuePair<string, object?>("projection", name));
    }

    public void Dispose() => _meter.Dispose();

    private static Measurement<long> Measure(long value, string name) => new(value, new KeyValuePair<string, object?>("projection", name));
}

using System.Diagnostics.Metrics;
using Mbp.Host.Platform;
using Mbp.Ledger.Postgres.Log;
using NodaTime;

namespace Mbp.Host.Anchoring;

/// <summary>The public log in numbers, for <c>/metrics</c>. <c>log_anchor_lag_seconds</c> is what to be woken by: an event is provable within 5 s.</summary>
internal sealed class LogMetrics : IDisposable
{
    private readonly Meter _meter = new(Telemetry.Name);

    public LogMetrics(LogKeeper keeper, IClock clock)
    {
        _meter.CreateObservableGauge("log.keeping", () => keeper.State.Keeps ? 1 : 0, description: "1 while this process keeps the public log.");
        _meter.CreateObservableGauge("log.halted", () => keeper.State.Fault is null ? 0 : 1, description: "1 while the public log is not signed because of a fault.");
        _meter.CreateObservableGauge("log.size", () => keeper.State.Size, description: "Events in the tree.");
        _meter.CreateObservableGauge("log.signed_size", () => keeper.State.SignedSize, description: "Events under the newest checkpoint of this process.");
        _meter.CreateObservableGauge("log.anchor_lag_seconds", () => Lag(keeper.State, clock), description: "Since when there are events that no checkpoint covers.");
        _meter.CreateObservableCounter("log.faults", () => keeper.Faults, description: "How often the keeper halted.");
    }

    public static double Lag(LogState state, IClock clock) => state.UnsignedSince is { } since ? Math.Max(0, (clock.GetCurrentInstant() - since).TotalSeconds) : 0;

    public void Dispose() => _meter.Dispose();
}

using System.Diagnostics.Metrics;
using Mbp.Ledger.Writing;

namespace Mbp.Host.Platform;

/// <summary>
/// The writer in numbers, for <c>/metrics</c>: what fills up before commands are refused. How long commits take is Npgsql's
/// <c>db_client_operation_duration_seconds</c> of the pool <c>mbp_commit</c>.
/// </summary>
internal sealed class WriterMetrics : IDisposable
{
    private readonly Meter _meter = new(Telemetry.Name);

    public WriterMetrics(LedgerWriter writer)
    {
        _meter.CreateObservableGauge("ledger.leading", () => writer.IsWriter ? 1 : 0, description: "1 while this process is the writer.");
        _meter.CreateObservableGauge("ledger.epoch", () => writer.Epoch, description: "The fencing epoch of its lease; 0 without one.");
        _meter.CreateObservableGauge("ledger.queue_depth", () => writer.QueueDepth, description: "Commands that wait; the queue is full at ledger.queue_length.");
        _meter.CreateObservableGauge("ledger.queue_length", () => writer.QueueLength, description: "Commands that may wait.");
        _meter.CreateObservableGauge("ledger.cached_streams", () => writer.CachedStreams, description: "Streams whose states are in memory.");
    }

    public void Dispose() => _meter.Dispose();
}

using System.Diagnostics.Metrics;
using Mbp.Host.Platform;

namespace Mbp.Host.Streaming;

/// <summary>The streams in numbers, for <c>/metrics</c>.</summary>
internal sealed class StreamMetrics : IDisposable
{
    private readonly Meter _meter = new(Telemetry.Name);
    private long _delivered;

    public void Watch(StreamRounds rounds)
    {
        _meter.CreateObservableGauge("stream.clients", () => rounds.Clients, description: "Followers of GET /v2/stream.");
        _meter.CreateObservableGauge("stream.lag", () => rounds.Lag, description: "How many positions the one farthest behind is from the head.");
        _meter.CreateObservableCounter("stream.delivered", () => Volatile.Read(ref _delivered), description: "Events written to followers.");
    }

    public void Delivered() => Interlocked.Increment(ref _delivered);

    public void Dispose() => _meter.Dispose();
}

using System.Diagnostics.Metrics;
using Mbp.Host.Platform;

namespace Mbp.Host.Anchoring;

/// <summary>How far others hold the log, for <c>/metrics</c>: to be compared with its size.</summary>
internal sealed class AnchoringMetrics : IDisposable
{
    private readonly Meter _meter = new(Telemetry.Name);

    public AnchoringMetrics(WitnessWorker witnesses, AnchorWorker anchors)
    {
        _meter.CreateObservableGauge("mbp.log.cosigned", () => witnesses.States.Select(state => Of(state.Size, state)), description: "The largest size that a witness has signed.");
        _meter.CreateObservableGauge(
            "mbp.log.witness.up", () => witnesses.States.Select(state => Of(state.Trouble is null ? 1 : 0, state)), description: "0 while a witness does not sign.");
        _meter.CreateObservableGauge(
            "mbp.log.witness.fork", () => witnesses.States.Select(state => Of(state.Fork ? 1 : 0, state)), description: "1 while a witness says that it has seen another history of this log.");
        _meter.CreateObservableGauge("mbp.log.anchored", () => anchors.States.Select(state => Of(state.Size, state)), description: "The largest size that was left at an anchor.");
        _meter.CreateObservableGauge(
            "mbp.log.anchor.up", () => anchors.States.Select(state => Of(state.Trouble is null ? 1 : 0, state)), description: "0 while an anchor does not take checkpoints.");
    }

    public void Dispose() => _meter.Dispose();

    private static Measurement<long> Of(long value, WitnessState state) => new(value, new KeyValuePair<string, object?>("witness", state.Witness.Key.Name));

    private static Measurement<long> Of(long value, AnchorState state) => new(value, new KeyValuePair<string, object?>("anchor", state.Kind), new KeyValuePair<string, object?>("place", state.Place));
}

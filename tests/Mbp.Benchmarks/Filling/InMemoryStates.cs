using Mbp.Ledger;
using Mbp.Ledger.Writing;
using NodaTime;

namespace Mbp.Benchmarks.Filling;

/// <summary>States of a ledger that is only decided, not stored.</summary>
internal sealed class InMemoryStates : IStates
{
    private readonly Dictionary<StateRef, object> _states = [];
    private readonly Dictionary<StreamId, long> _versions = [];

    public TState Get<TState>(StateRef<TState> reference)
        where TState : class =>
        _states.TryGetValue(reference, out var state) ? (TState)state : reference.Fold.Initial;

    /// <summary>Decides, and takes over what was decided: each event with its version.</summary>
    public IReadOnlyList<(StreamEvent Event, long Version)> Carry(Operation operation, Instant at)
    {
        var decision = operation.Decide(this, at);
        return decision.Rejection is { } rejection
            ? throw new InvalidOperationException($"A command of the benchmark was refused: {rejection.Code}")
            : [.. decision.Events.Select(e => (e, Apply(operation, e.Stream, e.Event)))];
    }

    private long Apply(Operation operation, StreamId stream, object @event)
    {
        foreach (var reference in operation.Reads.Where(r => r.Stream == stream))
        {
            _states[reference] = reference.Fold.Apply(_states.GetValueOrDefault(reference) ?? reference.Fold.Initial, @event);
        }

        return _versions[stream] = _versions.GetValueOrDefault(stream) + 1;
    }
}

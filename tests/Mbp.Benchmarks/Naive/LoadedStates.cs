using Mbp.Ledger;
using Mbp.Ledger.Writing;

namespace Mbp.Benchmarks.Naive;

/// <summary>The states that one command reads, loaded for it alone.</summary>
internal sealed class LoadedStates : IStates
{
    private readonly Dictionary<StateRef, (long Version, object State)> _states = [];
    private readonly Dictionary<string, long> _versions = new(StringComparer.Ordinal);

    public LoadedStates(IEnumerable<StateRef> reads)
    {
        foreach (var reference in reads)
        {
            _states[reference] = (0, reference.Fold.Initial);
            _versions[reference.Stream.Value] = 0;
        }
    }

    public IReadOnlyCollection<string> Streams => _versions.Keys;

    public TState Get<TState>(StateRef<TState> reference)
        where TState : class =>
        (TState)_states[reference].State;

    public long VersionOf(string stream) => _versions[stream];

    /// <summary>The version from which a stream's events are needed: that of the oldest snapshot among its folds.</summary>
    public long SnapshotOf(string stream) => _states.Where(s => s.Key.Stream.Value == stream).Min(s => s.Value.Version);

    public IEnumerable<(IFold Fold, object State)> Of(string stream) =>
        _states.Where(s => s.Key.Stream.Value == stream && s.Key.Fold.SnapshotEvery > 0).Select(s => (s.Key.Fold, s.Value.State));

    public void Snapshot(string stream, string fold, long version, byte[] state)
    {
        var reference = _states.Keys.First(r => r.Stream.Value == stream && r.Fold.Name == fold);
        _states[reference] = (version, reference.Fold.Load(state));
        _versions[stream] = Math.Max(_versions[stream], version);
    }

    /// <summary>An event that is stored.</summary>
    public void Apply(string stream, long version, object @event)
    {
        foreach (var (reference, (known, state)) in _states)
        {
            if (reference.Stream.Value == stream && known < version)
            {
                _states[reference] = (version, reference.Fold.Apply(state, @event));
            }
        }

        _versions[stream] = version;
    }

    /// <summary>An event about to be stored; returns its version.</summary>
    public long Apply(string stream, object @event)
    {
        var version = _versions[stream] + 1;
        Apply(stream, version, @event);
        return version;
    }
}

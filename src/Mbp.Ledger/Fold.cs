using System.Text.Json;
using Mbp.Ledger.Json;

namespace Mbp.Ledger;

/// <summary>
/// A state as a left fold over the events of one stream. Several folds may read the same stream, each taking from it what its slice needs.
/// </summary>
public interface IFold
{
    /// <summary>Names the fold in snapshots.</summary>
    string Name { get; }

    /// <summary>Raise it when the state's shape or meaning changes: older snapshots are then ignored.</summary>
    int Version { get; }

    /// <summary>A snapshot is taken each time so many events went by; 0 = never.</summary>
    int SnapshotEvery { get; }

    object Initial { get; }

    /// <summary>Throws where the event cannot follow: a stream that does not fold is a corrupt ledger.</summary>
    object Apply(object state, object @event);

    byte[] Save(object state);

    object Load(ReadOnlySpan<byte> saved);
}

/// <inheritdoc cref="IFold"/>
public sealed class Fold<TState>(string name, int version, TState initial, Func<TState, object, TState> evolve, int snapshotEvery = 0) : IFold
    where TState : class
{
    public string Name => name;

    public int Version => version;

    public int SnapshotEvery => snapshotEvery;

    public TState Initial => initial;

    object IFold.Initial => initial;

    public TState Apply(TState state, object @event) => evolve(state, @event);

    object IFold.Apply(object state, object @event) => evolve((TState)state, @event);

    public byte[] Save(object state) => JsonSerializer.SerializeToUtf8Bytes((TState)state, LedgerJson.Options);

    public object Load(ReadOnlySpan<byte> saved) =>
        JsonSerializer.Deserialize<TState>(saved, LedgerJson.Options) ?? throw new JsonException($"A snapshot of {name} is null.");

    /// <summary>Names this fold of one stream, for an operation to read.</summary>
    public StateRef<TState> Of(StreamId stream) => new(stream, this);
}

/// <summary>The state of one stream under one fold.</summary>
public readonly record struct StateRef(StreamId Stream, IFold Fold);

/// <inheritdoc cref="StateRef"/>
public readonly record struct StateRef<TState>(StreamId Stream, Fold<TState> Fold)
    where TState : class
{
    public static implicit operator StateRef(StateRef<TState> reference) => new(reference.Stream, reference.Fold);
}

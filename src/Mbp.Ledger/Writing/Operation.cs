using NodaTime;

namespace Mbp.Ledger.Writing;

/// <summary>
/// A command as the writer sees it: the states that it reads and the decision over them. It may write only to streams that it reads, or that it
/// says it appends to.
/// The decision is called with the ledger time, possibly more than once (after a lost commit), and must be pure.
/// </summary>
public sealed class Operation
{
    private readonly Func<IStates, Instant, Decision<StreamEvent>> _decide;

    private Operation(IReadOnlyList<StateRef> reads, Func<IStates, Instant, Decision<StreamEvent>> decide)
    {
        Reads = reads;
        _decide = decide;
    }

    public IReadOnlyList<StateRef> Reads { get; }

    /// <summary>
    /// Streams that it writes to without looking at what is in them. Only their versions are needed, which come all in one question: for a command
    /// that writes to hundreds of streams, folding each would be most of its cost, and without end for streams with a long history.
    /// </summary>
    public IReadOnlyList<StreamId> Appends { get; private init; } = [];

    public static Operation On<T>(StateRef<T> a, Func<Instant, T, Decision<StreamEvent>> decide)
        where T : class =>
        new([a], (states, at) => decide(at, states.Get(a)));

    public static Operation On<T1, T2>(StateRef<T1> a, StateRef<T2> b, Func<Instant, T1, T2, Decision<StreamEvent>> decide)
        where T1 : class
        where T2 : class =>
        new([a, b], (states, at) => decide(at, states.Get(a), states.Get(b)));

    public static Operation On<T1, T2, T3>(
        StateRef<T1> a, StateRef<T2> b, StateRef<T3> c, Func<Instant, T1, T2, T3, Decision<StreamEvent>> decide)
        where T1 : class
        where T2 : class
        where T3 : class =>
        new([a, b, c], (states, at) => decide(at, states.Get(a), states.Get(b), states.Get(c)));

    /// <summary>Reads any number of states; <paramref name="decide"/> asks for each by its reference.</summary>
    public static Operation On(IReadOnlyList<StateRef> reads, Func<IStates, Instant, Decision<StreamEvent>> decide) => new(reads, decide);

    /// <summary>Reads any number of states, and writes to streams beside them that it does not read.</summary>
    public static Operation On(IReadOnlyList<StateRef> reads, IReadOnlyList<StreamId> appends, Func<IStates, Instant, Decision<StreamEvent>> decide) =>
        new(reads, decide) { Appends = appends };

    /// <summary>A decider over its one stream. The command is made at the ledger's time.</summary>
    public static Operation On<TCommand, TEvent, TState>(
        Decider<TCommand, TEvent, TState> decider, StateRef<TState> state, Func<Instant, TCommand> command)
        where TState : class
    {
        ArgumentNullException.ThrowIfNull(decider);
        return On(state, (at, current) => decider.Decide(command(at), current).On(state.Stream));
    }

    public Decision<StreamEvent> Decide(IStates states, Instant at) => _decide(states, at);
}

/// <summary>The states that an operation asked to read.</summary>
public interface IStates
{
    TState Get<TState>(StateRef<TState> reference)
        where TState : class;
}

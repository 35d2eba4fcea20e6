namespace Mbp.Ledger;

/// <summary>
/// The decisions over one stream: where a state starts, what a command does to it, what an event makes of it. All three are pure.
/// </summary>
public sealed record Decider<TCommand, TEvent, TState>(
    TState Initial,
    Func<TCommand, TState, Decision<TEvent>> Decide,
    Func<TState, TEvent, TState> Evolve);

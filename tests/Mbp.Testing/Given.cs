using Mbp.Ledger;
using Xunit;

namespace Mbp.Testing;

/// <summary>given/when/then over one decider: <c>Given(decider, events).When(command).Then(events)</c>.</summary>
public static class GivenEvents
{
    public static GivenState<TCommand, TEvent, TState> Given<TCommand, TEvent, TState>(Decider<TCommand, TEvent, TState> decider, params IEnumerable<TEvent> events)
    {
        ArgumentNullException.ThrowIfNull(decider);
        return new(decider, events.Aggregate(decider.Initial, decider.Evolve));
    }

    /// <summary>For a decision over several states: what came of it.</summary>
    public static WhenDecided<TEvent> When<TEvent>(Decision<TEvent> decision) => new(decision);
}

public sealed class GivenState<TCommand, TEvent, TState>(Decider<TCommand, TEvent, TState> decider, TState state)
{
    public WhenDecided<TEvent> When(TCommand command) => new(decider.Decide(command, state));
}

public sealed class WhenDecided<TEvent>(Decision<TEvent> decision)
{
    /// <summary>These events and no others; none = it was already so.</summary>
    public void Then(params TEvent[] expected)
    {
        Assert.Null(decision.Rejection);
        Assert.Equal(expected, decision.Events);
    }

    /// <summary>Whatever the rules were that it was decided under.</summary>
    public void ThenRejected(Rejection expected) => Assert.Equal(expected, decision.Rejection is { } rejection ? rejection with { PolicyHash = null } : null);

    public void ThenRejected(string code, string? field = null) => Assert.Equal((code, field), (decision.Rejection?.Code, decision.Rejection?.Field));
}

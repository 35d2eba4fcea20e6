using System.Collections;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;

namespace Mbp.Ledger;

/// <summary>
/// The answer to a command: the events that it causes, or a <see cref="Ledger.Rejection"/>. No events and no rejection means "already so".
/// </summary>
[CollectionBuilder(typeof(Decision), nameof(Decision.Create))]
public readonly struct Decision<TEvent> : IEnumerable<TEvent>
{
    private readonly ImmutableArray<TEvent> _events;

    internal Decision(ImmutableArray<TEvent> events) => _events = events;

    internal Decision(Rejection rejection) => Rejection = rejection;

    public Rejection? Rejection { get; private init; }

    /// <summary>The hash of the rules that it was made under; null = none. It is written into the events' headers.</summary>
    public string? PolicyHash { get; private init; }

    public ImmutableArray<TEvent> Events => _events.IsDefault ? [] : _events;

    public static implicit operator Decision<TEvent>(Rejection rejection) => new(rejection);

    /// <summary>The same decision, as made under rules with this hash.</summary>
    public Decision<TEvent> Under(string? policyHash) => this with { PolicyHash = policyHash, Rejection = Rejection is { } no ? no with { PolicyHash = policyHash } : null };

    /// <summary>The same decision as writes to one stream.</summary>
    public Decision<StreamEvent> On(StreamId stream) =>
        Rejection is { } rejection
            ? new Decision<StreamEvent>(rejection) { PolicyHash = PolicyHash }
            : new Decision<StreamEvent>([.. Events.Select(e => stream.With(e!))]) { PolicyHash = PolicyHash };

    public IEnumerator<TEvent> GetEnumerator() => Events.AsEnumerable().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

public static class Decision
{
    public static Decision<TEvent> Create<TEvent>(ReadOnlySpan<TEvent> events) => new([.. events]);
}

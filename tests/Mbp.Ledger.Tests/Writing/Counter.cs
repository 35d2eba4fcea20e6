using Mbp.Ledger.Writing;
using NodaTime;

namespace Mbp.Ledger.Tests.Writing;

/// <summary>The smallest domain that a writer can serve: streams that count.</summary>
internal static class Counter
{
    public static readonly Rejection TooFar = new(RejectionKind.Refused, "counter.too_far", "The count goes to 1000.");

    public static readonly Fold<Count> Fold = new(
        "count", 1, new Count(0), (count, @event) => @event is Counted e ? new Count(count.N + e.By) : throw new InvalidOperationException("Not counted."), snapshotEvery: 10);

    /// <summary>The same stream for somebody who counts double.</summary>
    public static readonly Fold<Count> Twice = new(
        "twice", 1, new Count(0), (count, @event) => @event is Counted e ? new Count(count.N + 2 * e.By) : throw new InvalidOperationException("Not counted."));

    public static EventCatalog Catalog() => new EventCatalog().Add<Counted>("counted").Freeze();

    public static StreamId Stream(string key) => StreamId.Of("counter", key);

    /// <summary>Counts on; 0 = already so.</summary>
    public static Operation Add(string key, int by, Action? meanwhile = null) => Operation.On(Fold.Of(Stream(key)), (Instant at, Count count) =>
    {
        meanwhile?.Invoke();
        return count.N + by > 1000 ? TooFar : by == 0 ? [] : new Decision<StreamEvent>([Stream(key).With(new Counted(by, at))]);
    });
}

internal sealed record Counted(int By, Instant At);

internal sealed record Count(int N);

namespace Mbp.Ledger.Reacting;

/// <summary>Takes messages out of the outbox: each destination at its own pace, whatever becomes of the others.</summary>
public sealed class OutboxDelivery(IReadOnlyList<IOutboxDestination> destinations, ISubscriptionStore store, Func<bool> isWriter, TimeProvider time, Action<string, Exception> report)
{
    private readonly Dictionary<string, OutboxLane> _lanes = destinations.ToDictionary(
        destination => destination.Name, destination => new OutboxLane(destination, store, isWriter, time, report), StringComparer.Ordinal);

    public IReadOnlyCollection<OutboxLane> Lanes => _lanes.Values;

    public bool Knows(string destination) => _lanes.ContainsKey(destination);

    /// <summary>There may be something for them.</summary>
    public void Wake(IEnumerable<string> named)
    {
        foreach (var destination in named.Distinct(StringComparer.Ordinal))
        {
            _lanes[destination].Wake();
        }
    }

    public Task RunAsync(CancellationToken cancellationToken) => Task.WhenAll(_lanes.Values.Select(lane => lane.RunAsync(cancellationToken)));
}

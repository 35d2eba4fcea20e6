using System.Collections.Concurrent;
using Mbp.Domain.Payments;
using Mbp.Host.Payments;
using NodaTime;

namespace Mbp.Host.Tests.Payments;

/// <summary>The simulated rail, watched: what it is sent, and whether it had that already. It forgives that; another rail may pay twice.</summary>
internal sealed class WatchedRail(IPayoutRail inner) : IPayoutRail
{
    public string Name => inner.Name;

    /// <summary>Keys in the order in which they were sent.</summary>
    public ConcurrentQueue<string> Sent { get; } = new();

    /// <summary>Keys that were sent although the rail had them.</summary>
    public ConcurrentQueue<string> SentAgain { get; } = new();

    public async Task<RailAnswer> SendAsync(PayoutOrder order, CancellationToken cancellationToken)
    {
        Sent.Enqueue(order.Key);
        if (await inner.FindAsync(order.Key, cancellationToken) is not RailAnswer.NotFound)
        {
            SentAgain.Enqueue(order.Key);
        }

        return await inner.SendAsync(order, cancellationToken);
    }

    public Task<RailAnswer> FindAsync(string key, CancellationToken cancellationToken) => inner.FindAsync(key, cancellationToken);

    public Task<IReadOnlyList<RailNotice>> NoticesAsync(long after, int most, CancellationToken cancellationToken) => inner.NoticesAsync(after, most, cancellationToken);

    public Task<IReadOnlyList<RailLine>> StatementAsync(Instant begin, Instant end, CancellationToken cancellationToken) => inner.StatementAsync(begin, end, cancellationToken);
}

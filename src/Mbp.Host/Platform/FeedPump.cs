using Mbp.Ledger.Reading;

namespace Mbp.Host.Platform;

/// <summary>Lets the feed follow the ledger while the host runs.</summary>
internal sealed class FeedPump(EventFeed feed) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => feed.FollowAsync(stoppingToken);
}

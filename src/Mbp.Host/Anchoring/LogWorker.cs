using Mbp.Host.Platform;
using Mbp.Ledger;
using Mbp.Ledger.Postgres.Log;
using NodaTime;

namespace Mbp.Host.Anchoring;

/// <summary>Keeps the public log beside everything else: whatever happens to it, commands go on.</summary>
internal sealed class LogWorker(LogKeeper keeper) : BackgroundService
{
    public static LogKeeper MakeKeeper(IServiceProvider services)
    {
        var database = services.GetRequiredService<Database>();
        return new LogKeeper(
            database.Log, database.Connections, services.GetRequiredService<IEventStore>(), services.GetRequiredService<LogKeeperOptions>(), services.GetRequiredService<IClock>(),
            new TroubleLog(services.GetRequiredService<ILogger<LogKeeper>>()).Report);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.Run(() => keeper.RunAsync(stoppingToken), CancellationToken.None);
}

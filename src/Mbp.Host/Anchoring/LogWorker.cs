using Mbp.Host.Platform;
using Mbp.Ledger;
using Mbp.Ledger.Postgres.Log;
using NodaTime;

namespace Mbp.Host.Anchoring;

/// <summary>Keeps the public log beside everything else: whatever happens to it, commands go on.</summary>
internal sealed class LogWorker(LogKeeper keeper, ReceiptSigner receipts, Database database, ILogger<LogKeeper> logger) : BackgroundService
{
    public static LogKeeper MakeKeeper(IServiceProvider services)
    {
        var database = services.GetRequiredService<Database>();
        return new LogKeeper(
            database.Log, database.Connections, services.GetRequiredService<IEventStore>(), services.GetRequiredService<LogKeeperOptions>(), services.GetRequiredService<IClock>(),
            new TroubleLog(services.GetRequiredService<ILogger<LogKeeper>>()).Report);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        database.Log.EpochBegan += () => _ = RenewAsync(stoppingToken);
        return Task.Run(() => keeper.RunAsync(stoppingToken), CancellationToken.None);
    }

    private async Task RenewAsync(CancellationToken cancellationToken)
    {
        try
        {
            await receipts.RenewAsync(database.Log, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            Platform.Log.WorkerTrouble(logger, e, "the receipts of the new epoch");
        }
    }
}

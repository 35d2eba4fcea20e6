using Mbp.Ledger.Writing;
using NodaTime;

namespace Mbp.Host.Platform;

/// <summary>Forgets idempotency keys after three days: the promise is 24 hours, and a weekend's retry should still find its answer.</summary>
internal sealed class CommandRetention(Database database, LedgerWriter writer, IClock clock, ILogger<CommandRetention> log) : BackgroundService
{
    private static readonly Duration Kept = Duration.FromDays(3);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromHours(1));
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
        {
            if (!writer.IsWriter)
            {
                continue;
            }

            try
            {
                await database.Store.DeleteOldCommandsAsync(clock.GetCurrentInstant() - Kept, stoppingToken).ConfigureAwait(false);
            }
            catch (Exception) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                Log.WorkerTrouble(log, e, "the retention of idempotency keys");
            }
        }
    }
}

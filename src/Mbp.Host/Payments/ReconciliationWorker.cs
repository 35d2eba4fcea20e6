using Mbp.Host.Platform;
using Mbp.Ledger.Writing;
using NodaTime;

namespace Mbp.Host.Payments;

/// <summary>
/// Reconciles the day before, once a day, some time after midnight UTC; at its first look, too. A day that was reconciled is found as it was, and
/// then nothing is recorded; a day without a payout leaves nothing at all.
/// </summary>
internal sealed class ReconciliationWorker(
    ReconciliationRun run, Payouts payouts, LedgerWriter writer, LiveLedger live, IClock clock, ILogger<ReconciliationWorker> log) : BackgroundService
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Again = TimeSpan.FromMinutes(1);

    // A statement is not complete with the last stroke of the clock.
    private static readonly Duration Respite = Duration.FromMinutes(30);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        UtcDay? done = null;
        while (!stoppingToken.IsCancellationRequested && payouts.Terms.ReconcilesDaily)
        {
            var pause = Look;
            var due = new UtcDay(UtcDay.Of(clock.GetCurrentInstant() - Respite).Date.PlusDays(-1));
            if (writer.IsWriter && live.CaughtUp.IsCompleted && done != due)
            {
                try
                {
                    await ReconcileAsync(due, stoppingToken).ConfigureAwait(false);
                    done = due;
                }
                catch (Exception) when (stoppingToken.IsCancellationRequested)
                {
                    return;
                }
                catch (Exception e)
                {
                    Log.WorkerTrouble(log, e, $"the reconciliation of {due}");
                    pause = Again;
                }
            }

            await Task.Delay(pause, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ReconcileAsync(UtcDay day, CancellationToken cancellationToken)
    {
        var context = CommandContext.ForWorker("reconciliation");
        // Nothing was ever withdrawn: no file, and no event, for nothing.
        var payoutsEver = live.Current.Payouts is var now && (now.Open.Count > 0 || now.PaidOutUnits > 0);
        if (!payoutsEver)
        {
            return;
        }

        var found = await run.RunAsync(day, context, cancellationToken).ConfigureAwait(false);
        if (found.Found.Total > 0)
        {
            await writer.SubmitAsync(ReconciliationRun.Record(found, payouts.Rail.Name), context, cancellationToken).ConfigureAwait(false);
        }
    }
}

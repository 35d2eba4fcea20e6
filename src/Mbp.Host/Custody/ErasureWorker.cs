using Mbp.Domain.Accounts;
using Mbp.Domain.Audit;
using Mbp.Host.Platform;
using Mbp.Host.Streaming;
using Mbp.Ledger;
using Mbp.Ledger.Postgres.Custody;
using Mbp.Ledger.Reading;
using Mbp.Ledger.Writing;
using Npgsql;

namespace Mbp.Host.Custody;

/// <summary>
/// Carries out erasures once their events are in the ledger: in the database, in every read model's table, and in this process's memory. All of them at
/// the start, whatever was done before (a crash in between, a restored table, another host's word are then all the same), later ones as they come.
/// </summary>
internal sealed class ErasureWorker(
    Database database, EventCatalog catalog, EventFeed feed, LiveLedger live, ViewCheckpoint checkpoint, PastStreams past, StreamRounds streams,
    LedgerWriter writer, ILogger<ErasureWorker> log) : BackgroundService, IAsyncDisposable
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static readonly ErasedPlace Trail = new(AuditTrail.Projection.Name, AuditTrail.Table.Name, "reason", KeyColumn: null);
    private static readonly ErasedPlace Statement = new(BalanceTables.Projection.Name, BalanceTables.Postings.Name, "reference", "account_id");

    private readonly PayloadEraser _eraser = new(database.Connections);
    private readonly SemaphoreSlim _gate = new(1);

    /// <summary>Carries out what is announced of one position; returns when nothing here shows the texts any more.</summary>
    /// <returns>Where it was announced last.</returns>
    public async Task<long> CarryOutAsync(long position, CancellationToken cancellationToken)
    {
        var announced = 0L;
        foreach (var erasure in await Erasures.ReadAsync(database.Store, cancellationToken).ConfigureAwait(false))
        {
            if (erasure.Position == position)
            {
                await CarryOutAsync(erasure, cancellationToken).ConfigureAwait(false);
                announced = erasure.At;
            }
        }

        return announced;
    }

    public async ValueTask DisposeAsync()
    {
        Dispose();
        _gate.Dispose();
        await _eraser.DisposeAsync().ConfigureAwait(false);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var done = -1L;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await live.CaughtUp.WaitAsync(stoppingToken).ConfigureAwait(false);
                if (live.Current.LastErasure is var last && last > done)
                {
                    foreach (var erasure in await Erasures.ReadAsync(database.Store, stoppingToken).ConfigureAwait(false))
                    {
                        if (erasure.At > done)
                        {
                            await TryCarryOutAsync(erasure, stoppingToken).ConfigureAwait(false);
                        }
                    }

                    done = last;
                }

                await Task.Delay(Look, stoppingToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                Log.WorkerTrouble(log, e, "erasures");
                await Task.Delay(Patience, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    // One that the database refuses stays announced and not done, and must not keep the others waiting: the log says which, at every start.
    private async Task TryCarryOutAsync(Erasure erasure, CancellationToken cancellationToken)
    {
        try
        {
            await CarryOutAsync(erasure, cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException e) when (e.SqlState is "MBP11" or "MBP12")
        {
            Log.WorkerTrouble(log, e, $"the erasure at position {erasure.Position}");
        }
    }

    private async Task CarryOutAsync(Erasure erasure, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await _eraser.EraseAsync(erasure, cancellationToken).ConfigureAwait(false);
            var stream = StreamId.Parse(erasure.Stream);
            await foreach (var stored in database.Store.ReadRangeAsync(erasure.Position - 1, erasure.Position, cancellationToken).ConfigureAwait(false))
            {
                await ForgetAsync(catalog.Decode(stored), erasure, cancellationToken).ConfigureAwait(false);
            }

            past.Forget(stream);
            writer.Forget(stream);
            await _eraser.ForgetSnapshotsAsync(erasure, cancellationToken).ConfigureAwait(false);
            await _eraser.EraseAsync(erasure, Trail, cancellationToken).ConfigureAwait(false);
            if (stream.Category == "account")
            {
                await _eraser.EraseAsync(erasure, Statement, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Memory: first what others read from, then what has been made of it.</summary>
    private async Task ForgetAsync(Recorded erased, Erasure erasure, CancellationToken cancellationToken)
    {
        feed.Replace(erased);
        streams.Replace(erased);
        await live.AtLeastAsync(Math.Min(erasure.At, feed.Head), Patience, cancellationToken).ConfigureAwait(false);
        if (live.Erase(erased) && checkpoint.IsKept)
        {
            await checkpoint.SaveAsync(live.Current, cancellationToken).ConfigureAwait(false);
        }
    }
}

using System.Diagnostics;
using Mbp.Ledger;
using Mbp.Ledger.Postgres;
using Mbp.Ledger.Postgres.Embedded;

namespace Mbp.Benchmarks.Append;

/// <summary>Events a second of one slice.</summary>
internal sealed record AppendSlice(double AppendEventsPerSecond, double CopyEventsPerSecond)
{
    public double Ratio => AppendEventsPerSecond / CopyEventsPerSecond;
}

/// <summary>
/// The store's append, without HTTP and without decisions, beside <see cref="CopyLimit"/>: the very same batches, one after the other, into two
/// databases of one server that grow alike.
/// </summary>
internal sealed class AppendComparison : IAsyncDisposable
{
    // Short enough that both sides meet the same moods of the machine (a checkpoint, a neighbour).
    private const int Turn = 20;

    private readonly EmbeddedPostgres _postgres;
    private readonly PostgresEventStore _store;
    private readonly Lease _lease;
    private readonly CopyLimit _copy;
    private readonly TradeBatches _batches;
    private bool _copyFirst;

    private AppendComparison(EmbeddedPostgres postgres, PostgresEventStore store, Lease lease, CopyLimit copy, TradeBatches batches) =>
        (_postgres, _store, _lease, _copy, _batches) = (postgres, store, lease, copy, batches);

    public static async Task<AppendComparison> StartAsync()
    {
        var postgres = await EmbeddedPostgres.StartAsync(new EmbeddedPostgresOptions(DataFolder: null, Ephemeral: true), CancellationToken.None).ConfigureAwait(false);
        var batches = new TradeBatches();
        var opening = batches.Opening();
        var (store, lease, _) = await OpenAsync(await DatabaseAsync(postgres, "bench_append").ConfigureAwait(false), opening).ConfigureAwait(false);
        var connections = await DatabaseAsync(postgres, "bench_copy").ConfigureAwait(false);
        var (other, taken, position) = await OpenAsync(connections, opening).ConfigureAwait(false);
        var copy = await CopyLimit.TakeOverAsync(connections, taken, position).ConfigureAwait(false);
        await taken.DisposeAsync().ConfigureAwait(false);
        await other.DisposeAsync().ConfigureAwait(false);
        return new AppendComparison(postgres, store, lease, copy, batches);
    }

    /// <summary>Both sides in turns, for about so long altogether.</summary>
    public async Task<AppendSlice> RunAsync(TimeSpan duration)
    {
        var (appending, copying, events) = (TimeSpan.Zero, TimeSpan.Zero, 0L);
        while (appending + copying < duration)
        {
            var batches = Enumerable.Range(0, Turn).Select(_ => _batches.Next()).ToList();
            events += Turn * TradeBatches.Events;
            // Whoever comes second finds the machine as the first left it: they take turns at that, too.
            _copyFirst = !_copyFirst;
            if (_copyFirst)
            {
                copying += await TimeAsync(batches, _copy.AppendAsync).ConfigureAwait(false);
            }

            appending += await TimeAsync(batches, batch => _store.AppendAsync(_lease, batch)).ConfigureAwait(false);
            if (!_copyFirst)
            {
                copying += await TimeAsync(batches, _copy.AppendAsync).ConfigureAwait(false);
            }
        }

        return new AppendSlice(events / appending.TotalSeconds, events / copying.TotalSeconds);
    }

    public async ValueTask DisposeAsync()
    {
        await _copy.DisposeAsync().ConfigureAwait(false);
        await _lease.DisposeAsync().ConfigureAwait(false);
        await _store.DisposeAsync().ConfigureAwait(false);
        await _postgres.DisposeAsync().ConfigureAwait(false);
    }

    private static async Task<TimeSpan> TimeAsync(List<Batch> batches, Func<Batch, Task> append)
    {
        var start = Stopwatch.GetTimestamp();
        foreach (var batch in batches)
        {
            await append(batch).ConfigureAwait(false);
        }

        return Stopwatch.GetElapsedTime(start);
    }

    private static async Task<RoleConnections> DatabaseAsync(EmbeddedPostgres postgres, string name)
    {
        var connections = await postgres.CreateDatabaseAsync(name, CancellationToken.None).ConfigureAwait(false);
        await Migrations.Ledger.RunAsync(connections.Owner, CancellationToken.None).ConfigureAwait(false);
        return connections;
    }

    private static async Task<(PostgresEventStore Store, Lease Lease, long Position)> OpenAsync(RoleConnections connections, Batch opening)
    {
        var store = new PostgresEventStore(connections);
        var lease = await store.TryAcquireAsync("benchmark", CancellationToken.None).ConfigureAwait(false) ?? throw new InvalidOperationException("The new ledger has a writer already.");
        return (store, lease, await store.AppendAsync(lease, opening).ConfigureAwait(false));
    }
}

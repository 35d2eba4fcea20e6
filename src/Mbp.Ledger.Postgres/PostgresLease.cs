using NodaTime;
using Npgsql;

namespace Mbp.Ledger.Postgres;

/// <summary>
/// An advisory lock held by a session of its own, and the epoch that every commit proves. The lock keeps a second host waiting; the epoch is
/// what makes it safe when the lock is gone and the holder does not know yet.
/// </summary>
internal sealed class PostgresLease : Lease
{
    private static readonly TimeSpan HeartbeatEvery = TimeSpan.FromSeconds(1);

    private readonly string _shard;
    private readonly NpgsqlConnection _session;
    private readonly CancellationTokenSource _lost = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _heartbeat;
    private int _disposed;

    public PostgresLease(PostgresEventStore store, string shard, NpgsqlConnection session, Writer writer, long epoch, long position, Instant at)
    {
        Store = store;
        _shard = shard;
        _session = session;
        Writer = writer;
        Epoch = epoch;
        Position = position;
        At = at;
        _heartbeat = Task.Run(BeatAsync);
    }

    public PostgresEventStore Store { get; }

    public Writer Writer { get; }

    public override long Epoch { get; }

    public override long Position { get; }

    public override Instant At { get; }

    public override CancellationToken Lost => _lost.Token;

    public bool Released => Volatile.Read(ref _disposed) != 0;

    // The token is set at once, and those who registered run elsewhere: this is called inside a commit, which they may want to wait for.
    public void Lose() => _ = _lost.CancelAsync();

    public override void Abort()
    {
        Lose();
        Writer.Abort();
    }

    public override async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        await _stop.CancelAsync().ConfigureAwait(false);
        await _heartbeat.ConfigureAwait(false);
        // A commit under way ends first: whoever gets the lock next would only wait for it at the head row.
        await Writer.DisposeAsync().ConfigureAwait(false);
        await _session.DisposeAsync().ConfigureAwait(false);
        _stop.Dispose();
    }

    // Fires Lost when the session dies, when a later epoch exists, and when somebody else's events are beyond the head: a Marten appended,
    // and taking the lease again is what adopts them.
    private async Task BeatAsync()
    {
        try
        {
            using var timer = new PeriodicTimer(HeartbeatEvery);
            await using var command = new NpgsqlCommand(
                "SELECT h.epoch = $2 AND h.position >= coalesce((SELECT max(seq_id) FROM mt_events), 0) FROM ledger_head h WHERE h.shard = $1", _session)
            {
                CommandTimeout = 10,
                Parameters = { new() { Value = _shard }, new() { Value = Epoch } },
            };
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
            {
                if (await command.ExecuteScalarAsync(CancellationToken.None).ConfigureAwait(false) is not true)
                {
                    break;
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            return;
        }
        catch (Exception)
        {
            // The session is gone, and the lock with it; or it is in no state to vouch for the lease, which comes to the same.
        }

        await _lost.CancelAsync().ConfigureAwait(false);
    }
}

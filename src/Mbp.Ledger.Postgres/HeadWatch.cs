using System.Globalization;
using Npgsql;

namespace Mbp.Ledger.Postgres;

/// <summary>
/// Wakes those who wait for the ledger to grow: by notification while the listening session lives, by asking at intervals while it does not.
/// </summary>
internal sealed class HeadWatch(NpgsqlDataSource pool, Func<CancellationToken, Task<long>> readHead) : IAsyncDisposable
{
    private static readonly TimeSpan PollEvery = TimeSpan.FromMilliseconds(500);

    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private TaskCompletionSource _signal = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task? _listening;
    private long _seen;
    private bool _stopped;

    public async Task WaitBeyondAsync(long position, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task signal;
            lock (_gate)
            {
                ObjectDisposedException.ThrowIf(_stopped, this);
                _listening ??= Task.Run(ListenAsync, CancellationToken.None);
                if (_seen > position)
                {
                    return;
                }

                signal = _signal.Task;
            }

            // Asked after the signal was picked up: a commit is seen by one or by the other.
            Saw(await readHead(cancellationToken).ConfigureAwait(false));
            await Task.WhenAny(signal, Task.Delay(PollEvery, cancellationToken)).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Tells the waiters of this process at once.</summary>
    public void Saw(long head)
    {
        lock (_gate)
        {
            if (head > _seen)
            {
                _seen = head;
                _signal.SetResult();
                _signal = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        Task? listening;
        lock (_gate)
        {
            if (_stopped)
            {
                return;
            }

            _stopped = true;
            _stop.Cancel();
            listening = _listening;
            _signal.TrySetResult();
        }

        await (listening ?? Task.CompletedTask).ConfigureAwait(false);
        await pool.DisposeAsync().ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task ListenAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await using var connection = await pool.OpenConnectionAsync(_stop.Token).ConfigureAwait(false);
                connection.Notification += (_, args) => Saw(long.Parse(args.Payload, CultureInfo.InvariantCulture));
                await using var listen = new NpgsqlCommand("LISTEN mbp_ledger", connection);
                await listen.ExecuteNonQueryAsync(_stop.Token).ConfigureAwait(false);
                while (true)
                {
                    await connection.WaitAsync(_stop.Token).ConfigureAwait(false);
                }
            }
            catch (Exception e) when (e is NpgsqlException or OperationCanceledException or IOException)
            {
                // The server went away, or we are stopping. Until the next try the waiters ask by themselves.
                await Task.Delay(PollEvery, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }
}

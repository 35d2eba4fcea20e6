using System.Diagnostics;
using Mbp.Ledger.Reading;
using Npgsql;

namespace Mbp.Ledger.Postgres.Reading;

/// <summary>Keeps one projection's tables up to the ledger: folds what is new, and commits rows and position together, in one round trip.</summary>
internal sealed class ProjectionFollower(TableProjection projection, EventFeed feed, NpgsqlDataSource pool, Func<bool> givesWay, Action<Exception> report)
{
    private const int LargestBatch = 2_000;
    private const int MostRowsInMemory = 100_000;

    // A commit has a price of its own, which the writer's trades pay, too: the more comes in, the more events share one. In quiet a row is there at once.
    private static readonly TimeSpan LingerForEach = TimeSpan.FromMicroseconds(100);
    private static readonly TimeSpan LongestLinger = TimeSpan.FromMilliseconds(25);

    // While commands wait for the writer they come first: rows that change with every trade are written once for many of them.
    private static readonly TimeSpan WayGiven = TimeSpan.FromMilliseconds(60);

    // Events that make no row move the position in memory; the database is told now and then.
    private static readonly TimeSpan TellEvery = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    // A database that is away for longer than a restart of it is told of, though it is still waited for.
    private static readonly TimeSpan TroubleLasts = TimeSpan.FromSeconds(15);

    private readonly RowStore _rows = new(projection, ProjectionRegistry.Serving, isEmpty: false);
    private TaskCompletionSource _resume = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _moved = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _generation;
    private long _position = -1;

    // What the database knows of the position: behind it for a moment where the last events made no row.
    private long _stored = -1;
    private long _told;
    private volatile Trouble? _trouble;
    private volatile ProjectionFaultException? _fault;

    public TableProjection Projection => projection;

    /// <summary>The last event that is in the tables; -1 before they were looked at.</summary>
    public long Position => Volatile.Read(ref _position);

    /// <summary>Why it stopped, or what has kept it from going on for a while; null while it goes on.</summary>
    public ProjectionFaultException? Fault =>
        _fault ?? (_trouble is { } trouble && Stopwatch.GetElapsedTime(trouble.Since) > TroubleLasts ? new ProjectionFaultException(_position + 1, "database", trouble.What) : null);

    /// <summary>Tells of each commit: the ledger times of its first and last event are behind the last read.</summary>
    public event Action<IReadOnlyList<Recorded>>? Committed;

    /// <summary>Tries again what it stopped at.</summary>
    public void Resume() => _resume.TrySetResult();

    /// <summary>Returns once the tables hold everything up to a position, and the database says so: a read takes its position from there.</summary>
    public async Task ReachAsync(long position, CancellationToken cancellationToken)
    {
        while (true)
        {
            var moved = Volatile.Read(ref _moved);
            if (Volatile.Read(ref _stored) >= position)
            {
                return;
            }

            await moved.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Follows until it is cancelled. Trouble with the database is waited out; an event that cannot be folded stops this projection alone.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await FollowAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (ProjectionFaultException fault)
            {
                await StopAsync(fault, cancellationToken).ConfigureAwait(false);
            }
            catch (PostgresException e) when (e.SqlState == "MBP20")
            {
                // The tables were replaced: start over with what is there now.
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                // The database is away, or something that nobody thought of: neither may end the loop, or the host with it.
                report(e);
                _trouble ??= new Trouble(Stopwatch.GetTimestamp(), e.Message);
                await Task.Delay(Pause, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        _rows.Clear();
        var record = await ProjectionRegistry.FindAsync(pool, projection.Name, cancellationToken).ConfigureAwait(false)
                     ?? throw new InvalidOperationException($"There are no tables of {projection.Name}.");
        _generation = record.Generation;
        _fault = record.Fault is null ? null : _fault;
        // Also one that an earlier run of the host noted: it is over with the first event that is taken.
        var noted = record.Fault is not null;
        Volatile.Write(ref _position, record.Position);
        Store(record.Position);
        await using var connection = await pool.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        while (true)
        {
            IReadOnlyList<Recorded> events;
            try
            {
                var reading = feed.ReadAsync(_position, LargestBatch, cancellationToken).AsTask();
                if (_stored < _position && await Task.WhenAny(reading, Task.Delay(TellEvery, cancellationToken)).ConfigureAwait(false) != reading)
                {
                    await SendAsync(_position, connection, cancellationToken).ConfigureAwait(false);
                }

                events = await reading.ConfigureAwait(false);
            }
            catch (UnknownEventTypeException e)
            {
                throw new ProjectionFaultException(e.Position ?? _position + 1, e.Type, e.Message, e);
            }
            catch (UnreadableEventException e)
            {
                throw new ProjectionFaultException(e.Position, "unreadable", e.Message, e);
            }

            await TakeAsync(events, connection, cancellationToken).ConfigureAwait(false);
            _trouble = null;
            if (noted || _fault is not null)
            {
                (noted, _fault) = (false, null);
                await ProjectionRegistry.SetFaultAsync(pool, projection.Name, fault: null, cancellationToken).ConfigureAwait(false);
            }

            var linger = LingerForEach * events.Count;
            await Task.Delay(givesWay() ? WayGiven : linger < LongestLinger ? linger : LongestLinger, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Takes all of the events or, where one of them cannot be taken, those before it; then it says which.</summary>
    private async Task TakeAsync(IReadOnlyList<Recorded> events, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            await CommitAsync(events, connection, cancellationToken).ConfigureAwait(false);
        }
        catch (ProjectionFaultException fault)
        {
            _rows.Clear();
            var before = events.TakeWhile(e => e.Position < fault.Position).ToList();
            if (before.Count > 0)
            {
                await CommitAsync(before, connection, cancellationToken).ConfigureAwait(false);
            }

            throw;
        }
        catch (Exception e) when (IsAboutRows(e))
        {
            // One of the rows cannot be written or stored; halves are tried until it is known whose.
            _rows.Clear();
            if (events.Count == 1)
            {
                throw new ProjectionFaultException(events[0].Position, events[0].Stored.Type, (e as PostgresException)?.MessageText ?? e.Message, e);
            }

            await TakeAsync([.. events.Take(events.Count / 2)], connection, cancellationToken).ConfigureAwait(false);
            await TakeAsync([.. events.Skip(events.Count / 2)], connection, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task CommitAsync(IReadOnlyList<Recorded> events, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (_rows.Count > MostRowsInMemory)
        {
            _rows.Clear();
        }

        var last = events[^1].Position;
        await _rows.FoldAsync(events, connection, cancellationToken).ConfigureAwait(false);
        if (_rows.Changes == 0 && Stopwatch.GetElapsedTime(_told) < TellEvery)
        {
            Volatile.Write(ref _position, last);
            return;
        }

        await SendAsync(last, connection, cancellationToken).ConfigureAwait(false);
        Volatile.Write(ref _position, last);
        Committed?.Invoke(events);
    }

    /// <summary>Rows and position, in one transaction and one round trip.</summary>
    private async Task SendAsync(long position, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(connection)
        {
            Timeout = 0,
            BatchCommands =
            {
                new("SELECT mbp_projection_advance($1, $2, $3, $4)")
                {
                    Parameters = { new() { Value = projection.Name }, new() { Value = _generation }, new() { Value = _stored }, new() { Value = position } },
                },
            },
        };
        _rows.Send(batch);
        await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        _rows.Written();
        _told = Stopwatch.GetTimestamp();
        Store(position);
    }

    private void Store(long position)
    {
        Volatile.Write(ref _stored, position);
        Interlocked.Exchange(ref _moved, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }

    private async Task StopAsync(ProjectionFaultException fault, CancellationToken cancellationToken)
    {
        _resume = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _fault = fault;
        report(fault);
        var noted = false;
        while (true)
        {
            try
            {
                if (!noted)
                {
                    await ProjectionRegistry.SetFaultAsync(pool, projection.Name, fault, cancellationToken).ConfigureAwait(false);
                    noted = true;
                }

                // A command, or new tables, which clear the fault that is noted.
                await _resume.Task.WaitAsync(TimeSpan.FromSeconds(1), cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (TimeoutException)
            {
                if (await IsClearedAsync(cancellationToken).ConfigureAwait(false))
                {
                    return;
                }
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                report(e);
                await Task.Delay(Pause, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async Task<bool> IsClearedAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await ProjectionRegistry.FindAsync(pool, projection.Name, cancellationToken).ConfigureAwait(false) is { Fault: null };
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    // A value that no column holds, or what PostgreSQL says of rows: class 22, a value does not fit, class 23, a rule of the table is broken,
    // class 42, the table or the right to it is gone.
    // Everything else is the database's trouble, not an event's.
    private static bool IsAboutRows(Exception e) => e switch
    {
        PostgresException { SqlState: var state } => state[..2] is "22" or "23" or "42",
        OverflowException or ArgumentException or FormatException or InvalidCastException => true,
        _ => false,
    };

    private sealed record Trouble(long Since, string What);
}

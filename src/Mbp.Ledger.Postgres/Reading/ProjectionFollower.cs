using System.Diagnostics;
using Mbp.Ledger.Reading;
using Npgsql;

namespace Mbp.Ledger.Postgres.Reading;

/// <summary>
/// Keeps one projection's tables up to the ledger: catches up alone, then goes on in a group with the others, until something is the matter with it
/// that is not the others' business.
/// </summary>
internal sealed class ProjectionFollower(TableProjection projection, EventFeed feed, NpgsqlDataSource pool, Action<Exception> report)
{
    private const int LargestBatch = 2_000;
    private const int MostRowsInMemory = 100_000;

    // The group brings whoever joins to where it is; nobody in it is to wait for more than this.
    private const int Near = 2_000;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    // A database that is away for longer than a restart of it is told of, though it is still waited for.
    private static readonly TimeSpan TroubleLasts = TimeSpan.FromSeconds(15);

    private TaskCompletionSource _resume = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _moved = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _left = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _position = -1;
    private long _stored = -1;
    private volatile Trouble? _trouble;
    private volatile ProjectionFaultException? _fault;

    public TableProjection Projection => projection;

    /// <summary>Its rows in memory.</summary>
    public RowStore Rows { get; } = new(projection, ProjectionRegistry.Serving, isEmpty: false);

    /// <summary>Which set of tables its rows belong to.</summary>
    public long Generation { get; private set; }

    /// <summary>The last event that is in the tables; -1 before they were looked at.</summary>
    public long Position => Volatile.Read(ref _position);

    /// <summary>What the database knows of the position: behind it for a moment where the last events made no row.</summary>
    public long Stored => Volatile.Read(ref _stored);

    /// <summary>Why it stopped, or what has kept it from going on for a while; null while it goes on.</summary>
    public ProjectionFaultException? Fault =>
        _fault ?? (_trouble is { } trouble && Stopwatch.GetElapsedTime(trouble.Since) > TroubleLasts ? new ProjectionFaultException(Position + 1, "database", trouble.What) : null);

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
            if (Stored >= position)
            {
                return;
            }

            await moved.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Follows until it is cancelled. Trouble with the database is waited out; an event that cannot be folded stops this projection alone.</summary>
    public async Task RunAsync(FollowerGroup group, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await CatchUpAsync(cancellationToken).ConfigureAwait(false);
                _left = new(TaskCreationOptions.RunContinuationsAsynchronously);
                group.Join(this);
                await _left.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (ProjectionFaultException fault)
            {
                // Rows of tables that took the old ones' place a moment ago may hold the event already: it fits them no more, and that is no fault.
                if (!await AreReplacedAsync(cancellationToken).ConfigureAwait(false))
                {
                    await StopAsync(fault, cancellationToken).ConfigureAwait(false);
                }
            }
            catch (PostgresException e) when (IsReplaced(e))
            {
                // Start over with the tables that are there now.
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

    /// <summary>Says that it is not in the group any more, and why.</summary>
    public void Leave(Exception why) => _left.TrySetException(why);

    /// <summary>Folds events over the rows in memory.</summary>
    /// <exception cref="ProjectionFaultException">An event cannot be folded; the rows in memory count no more.</exception>
    public Task FoldAsync(IReadOnlyList<Recorded> events, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (Rows.Count > MostRowsInMemory)
        {
            Rows.Clear();
        }

        return Rows.FoldAsync(events, connection, cancellationToken);
    }

    /// <summary>Takes all of the events or, where one of them cannot be taken, those before it; then it says which.</summary>
    public async Task TakeAsync(IReadOnlyList<Recorded> events, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            await CommitAsync(events, connection, cancellationToken).ConfigureAwait(false);
        }
        catch (ProjectionFaultException fault)
        {
            Rows.Clear();
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
            Rows.Clear();
            if (events.Count == 1)
            {
                throw new ProjectionFaultException(events[0].Position, events[0].Stored.Type, (e as PostgresException)?.MessageText ?? e.Message, e);
            }

            await TakeAsync([.. events.Take(events.Count / 2)], connection, cancellationToken).ConfigureAwait(false);
            await TakeAsync([.. events.Skip(events.Count / 2)], connection, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The events up to there have made no row: the database may be told later.</summary>
    public void Move(long position)
    {
        Volatile.Write(ref _position, position);
        _trouble = null;
    }

    /// <summary>The rows of the events, and the position, are in the database.</summary>
    public void Written(long position, IReadOnlyList<Recorded> events)
    {
        Rows.Written();
        Move(position);
        Volatile.Write(ref _stored, position);
        Interlocked.Exchange(ref _moved, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
        if (events.Count > 0)
        {
            Committed?.Invoke(events);
        }
    }

    /// <summary>
    /// Whether it is an event's trouble: a value that no column holds, or what PostgreSQL says of rows (class 22, a value does not fit; class 23, a
    /// rule of the table is broken; class 42, the table or the right to it is gone). Everything else is the database's.
    /// </summary>
    public static bool IsAboutRows(Exception e) => e switch
    {
        PostgresException { SqlState: var state } => state[..2] is "22" or "23" or "42",
        OverflowException or ArgumentException or FormatException or InvalidCastException => true,
        _ => false,
    };

    /// <summary>Whether other tables serve now, or another process follows.</summary>
    public static bool IsReplaced(Exception e) => e is PostgresException { SqlState: "MBP20" };

    /// <summary>Begins with what the database has, and goes on alone until it is near the head and nothing is the matter.</summary>
    private async Task CatchUpAsync(CancellationToken cancellationToken)
    {
        Rows.Clear();
        var record = await ProjectionRegistry.FindAsync(pool, projection.Name, cancellationToken).ConfigureAwait(false)
                     ?? throw new InvalidOperationException($"There are no tables of {projection.Name}.");
        Generation = record.Generation;
        _fault = record.Fault is null ? null : _fault;
        // Also one that an earlier run of the host noted: it is over with the first event that is taken.
        var noted = record.Fault is not null;
        Written(record.Position, []);
        await using var connection = await pool.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        while (noted || feed.Head - _position > Near)
        {
            IReadOnlyList<Recorded> events;
            try
            {
                events = await feed.ReadAsync(_position, LargestBatch, cancellationToken).ConfigureAwait(false);
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
            if (noted)
            {
                await ProjectionRegistry.SetFaultAsync(pool, projection.Name, fault: null, cancellationToken).ConfigureAwait(false);
                (noted, _fault) = (false, null);
            }
        }
    }

    private async Task CommitAsync(IReadOnlyList<Recorded> events, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await FoldAsync(events, connection, cancellationToken).ConfigureAwait(false);
        await ProjectionCommit.SendAsync([this], events[^1].Position, connection, cancellationToken).ConfigureAwait(false);
        Written(events[^1].Position, events);
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

    private async Task<bool> AreReplacedAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await ProjectionRegistry.FindAsync(pool, projection.Name, cancellationToken).ConfigureAwait(false) is { } record && record.Generation != Generation;
        }
        catch (NpgsqlException)
        {
            return false;
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


    private sealed record Trouble(long Since, string What);
}

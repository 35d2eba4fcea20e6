using Mbp.Ledger.Reading;
using NodaTime;
using Npgsql;

namespace Mbp.Ledger.Postgres.Reading;

/// <summary>One projection as operators see it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Version">The version of this build.</param>
/// <param name="State"><c>following</c>, <c>building</c>, <c>stopped</c>, or <c>elsewhere</c> where another process follows.</param>
/// <param name="Position">The last event in its tables.</param>
/// <param name="Fault">Why it stopped.</param>
/// <param name="Rebuild">How far its new tables are, while they are built.</param>
/// <param name="Tables">The tables it fills.</param>
public sealed record ProjectionStatus(
    string Name, int Version, string State, long Position, ProjectionFault? Fault, RebuildProgress? Rebuild, IReadOnlyList<string> Tables);

/// <summary>
/// Keeps all read models in tables up to the ledger, in one process of however many run on a database. Those that are at the head go on together; one that
/// stops, or whose tables are being built, holds up no other, and none of them ever holds up the writer.
/// </summary>
public sealed class ProjectionDaemon : IAsyncDisposable
{
    // Not worth building beside: following through as many is a matter of seconds.
    private const long WorthBuilding = 20_000;

    // For how long a table that was replaced may still be read by somebody who began before.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    // 'MBP' and the projections: one process follows.
    private const string LockSql = "SELECT pg_try_advisory_lock(5063248, 3)";

    private readonly RoleConnections _connections;
    private readonly IEventStore _store;
    private readonly EventCatalog _catalog;
    private readonly EventFeed _feed;
    private readonly IReadOnlyList<TableProjection> _projections;
    private readonly NpgsqlDataSource _sessions;
    private readonly NpgsqlDataSource _pool;
    private readonly Action<string, Exception> _report;
    private readonly Dictionary<string, ProjectionFollower> _followers;
    private readonly Dictionary<string, RebuildProgress> _building = [];
    private readonly Dictionary<string, ProjectionFaultException> _unbuilt = [];
    private readonly Lock _gate = new();
    private volatile bool _leads;
    private volatile IReadOnlyList<ProjectionRecord> _elsewhere = [];

    public ProjectionDaemon(
        RoleConnections connections, IEventStore store, EventCatalog catalog, EventFeed feed, IReadOnlyList<TableProjection> projections, Action<string, Exception> report)
    {
        ArgumentNullException.ThrowIfNull(connections);
        ArgumentNullException.ThrowIfNull(projections);
        (_connections, _store, _catalog, _feed, _projections, _report) = (connections, store, catalog, feed, projections, report);
        _sessions = RoleConnections.Pool("mbp_projections", connections.Projector, c => c.Pooling = false);
        // A lost commit is folded again, so none waits for the disk. Plans are made once and always by index: tables grow, statistics are old.
        _pool = RoleConnections.Pool("mbp_follow", connections.Projector, c =>
        {
            c.Options = $"{c.Options} -c synchronous_commit=off -c jit=off -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c statement_timeout=0".Trim();
            c.MaxAutoPrepare = 120;
            c.AutoPrepareMinUsages = 2;
            c.NoResetOnClose = true;
        });
        _followers = projections.ToDictionary(
            projection => projection.Name, projection => new ProjectionFollower(projection, feed, _pool, e => _report(projection.Name, e)), StringComparer.Ordinal);
        foreach (var follower in _followers.Values)
        {
            follower.Committed += events => Committed?.Invoke(follower.Projection.Name, events);
        }
    }

    /// <summary>Tells of each commit of a projection's rows, with the events that they show.</summary>
    public event Action<string, IReadOnlyList<Recorded>>? Committed;

    /// <summary>Whether followers should be slower for now, for the sake of commands that wait for the same processors.</summary>
    public Func<bool> GivesWay { get; init; } = () => false;

    /// <summary>Whether this process follows.</summary>
    public bool Leads => _leads;

    public IReadOnlyList<ProjectionStatus> Statuses => [.. _projections.Select(StatusOf)];

    public IReadOnlyList<TableProjection> Projections => _projections;

    /// <summary>Follows until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await LeadAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                throw;
            }
            catch (Exception e)
            {
                // Above all the database: it is waited for. Whatever else it is, the host goes on, and so does this.
                _report("projections", e);
            }
            finally
            {
                _leads = false;
            }

            await Task.Delay(Pause, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Has a stopped projection try again; false where there is none of that name here.</summary>
    public bool Resume(string name)
    {
        if (!_followers.TryGetValue(name, out var follower))
        {
            return false;
        }

        follower.Resume();
        return true;
    }

    /// <summary>Returns once a projection's tables hold everything up to a position; the caller's patience is in the token.</summary>
    public async Task ReachAsync(string name, long position, CancellationToken cancellationToken)
    {
        if (_leads)
        {
            await _followers[name].ReachAsync(position, cancellationToken).ConfigureAwait(false);
            return;
        }

        while ((await ProjectionRegistry.FindAsync(_pool, name, cancellationToken).ConfigureAwait(false))?.Position is not { } present || present < position)
        {
            await Task.Delay(10, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Builds projections again beside the ones that serve, in this process.</summary>
    /// <inheritdoc cref="ProjectionRebuild.RunAsync"/>
    public async Task<RebuildReport> RebuildAsync(IReadOnlyList<TableProjection> projections, bool dryRun, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(projections);
        var rebuild = new ProjectionRebuild(_connections, _store, _catalog);
        lock (_gate)
        {
            foreach (var projection in projections)
            {
                _building[projection.Name] = rebuild.Progress;
            }
        }

        try
        {
            return await rebuild.RunAsync(projections, dryRun, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            lock (_gate)
            {
                foreach (var projection in projections.Where(projection => _building.GetValueOrDefault(projection.Name) == rebuild.Progress))
                {
                    _building.Remove(projection.Name);
                }
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _sessions.DisposeAsync().ConfigureAwait(false);
        await _pool.DisposeAsync().ConfigureAwait(false);
    }

    private async Task LeadAsync(CancellationToken cancellationToken)
    {
        await using var session = await _sessions.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        while (true)
        {
            await using var exclusive = new NpgsqlCommand(LockSql, session);
            if (await exclusive.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is true)
            {
                break;
            }

            _elsewhere = await ProjectionRegistry.AllAsync(_pool, cancellationToken).ConfigureAwait(false);
            await Task.Delay(Pause, cancellationToken).ConfigureAwait(false);
        }

        var outdated = await PrepareAsync(session, cancellationToken).ConfigureAwait(false);
        _leads = true;
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var group = new FollowerGroup(_feed, _pool, () => GivesWay());
        var work = _followers.Values
            .Where(follower => !outdated.Contains(follower.Projection))
            .Select(follower => follower.RunAsync(group, ended.Token))
            .Append(group.RunAsync(ended.Token))
            .Append(BuildAsync(outdated, group, ended.Token))
            .Append(KeepHouseAsync(session, ended.Token))
            .ToList();
        try
        {
            // None of them ends by itself but with the lock's session.
            await await Task.WhenAny(work).ConfigureAwait(false);
        }
        finally
        {
            // All of them, before anybody may follow again: two loops over one projection's rows would mix them up.
            await ended.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(work).ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default).ConfigureAwait(false);
        }
    }

    /// <summary>Makes tables where there are none and not much to fold; returns what must be built first, or again.</summary>
    private async Task<IReadOnlyList<TableProjection>> PrepareAsync(NpgsqlConnection session, CancellationToken cancellationToken)
    {
        var known = (await ProjectionRegistry.AllAsync(_pool, cancellationToken).ConfigureAwait(false)).ToDictionary(record => record.Name, StringComparer.Ordinal);
        var head = await _store.HeadAsync(cancellationToken).ConfigureAwait(false);
        var outdated = new List<TableProjection>();
        foreach (var projection in _projections)
        {
            if (!known.TryGetValue(projection.Name, out var record))
            {
                if (head < WorthBuilding)
                {
                    await CreateEmptyAsync(session, projection, cancellationToken).ConfigureAwait(false);
                    continue;
                }

                outdated.Add(projection);
            }
            else if (record.Version != projection.Version || record.Shape != ProjectionRegistry.ShapeOf(projection)
                     || !await ProjectionRegistry.AreThereAsync(_pool, projection, cancellationToken).ConfigureAwait(false))
            {
                outdated.Add(projection);
            }
        }

        return outdated;
    }

    private static async Task CreateEmptyAsync(NpgsqlConnection session, TableProjection projection, CancellationToken cancellationToken)
    {
        await using var transaction = await session.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await ProjectionRegistry.CreateBuildAsync(session, projection, cancellationToken).ConfigureAwait(false);
        foreach (var table in projection.Tables)
        {
            await ProjectionRegistry.ExecuteAsync(session, table.CreateIndexes(ProjectionRegistry.Build), cancellationToken).ConfigureAwait(false);
        }

        await ProjectionRegistry.ServeAsync(session, projection, position: 0, cancellationToken).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>A changed projection builds itself: what serves goes on serving, as old as it is, until the new tables are whole.</summary>
    private async Task BuildAsync(IReadOnlyList<TableProjection> outdated, FollowerGroup group, CancellationToken cancellationToken)
    {
        if (outdated.Count == 0)
        {
            await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(false);
        }

        try
        {
            // In one pass over the ledger, if they all can be.
            await RebuildAsync(outdated, dryRun: false, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            _report("rebuild", e);
        }

        // What was not built then is built alone, as often as it takes: what one of them cannot take holds up no other.
        await Task.WhenAll(outdated.Select(projection => BuildAndFollowAsync(projection, group, cancellationToken)).Append(Task.Delay(Timeout.Infinite, cancellationToken))).ConfigureAwait(false);
    }

    private async Task BuildAndFollowAsync(TableProjection projection, FollowerGroup group, CancellationToken cancellationToken)
    {
        while (!await ProjectionRegistry.IsCurrentAsync(_pool, projection, cancellationToken).ConfigureAwait(false))
        {
            try
            {
                await RebuildAsync([projection], dryRun: false, cancellationToken).ConfigureAwait(false);
            }
            catch (RebuildUnderWayException)
            {
                await Task.Delay(Pause, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                _report("rebuild", e);
                lock (_gate)
                {
                    _unbuilt[projection.Name] = e as ProjectionFaultException ?? new ProjectionFaultException(0, "build", e.Message, e);
                }

                await Task.Delay(Pause * 10, cancellationToken).ConfigureAwait(false);
            }
        }

        lock (_gate)
        {
            _unbuilt.Remove(projection.Name);
        }

        await _followers[projection.Name].RunAsync(group, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Sees to it that the lock is still held, and drops what was replaced and nobody can be reading any more.</summary>
    private async Task KeepHouseAsync(NpgsqlConnection session, CancellationToken cancellationToken)
    {
        for (var i = 0; ; i++)
        {
            await Task.Delay(Pause, cancellationToken).ConfigureAwait(false);
            await ProjectionRegistry.ExecuteAsync(session, "SELECT 1", cancellationToken).ConfigureAwait(false);
            if (i % 10 == 0)
            {
                await DropOldAsync(session, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async Task DropOldAsync(NpgsqlConnection session, CancellationToken cancellationToken)
    {
        var now = SystemClock.Instance.GetCurrentInstant();
        foreach (var record in await ProjectionRegistry.AllAsync(_pool, cancellationToken).ConfigureAwait(false))
        {
            if (now - record.BuiltAt > Duration.FromTimeSpan(Grace) && _projections.FirstOrDefault(p => p.Name == record.Name) is { } projection)
            {
                try
                {
                    await ProjectionRegistry.DropAsync(session, projection, ProjectionRegistry.Old, cancellationToken).ConfigureAwait(false);
                }
                catch (PostgresException e)
                {
                    // Something of somebody's hangs on the old table, a view perhaps. That is no reason to stop following.
                    _report("old tables", e);
                }
            }
        }
    }

    private ProjectionStatus StatusOf(TableProjection projection)
    {
        RebuildProgress? building;
        ProjectionFaultException? unbuilt;
        lock (_gate)
        {
            building = _building.GetValueOrDefault(projection.Name);
            unbuilt = _unbuilt.GetValueOrDefault(projection.Name);
        }

        var (follower, tables) = (_followers[projection.Name], projection.Tables.Select(table => table.Name).ToList());
        if (!_leads)
        {
            var record = _elsewhere.FirstOrDefault(record => record.Name == projection.Name);
            return new(projection.Name, projection.Version, record?.Fault is null ? "elsewhere" : "stopped", record?.Position ?? 0, record?.Fault, building, tables);
        }

        var fault = (follower.Fault ?? unbuilt) is { } stopped ? new ProjectionFault(stopped.Position, stopped.Type, stopped.Cause, default) : null;
        return new(
            projection.Name, projection.Version, fault is not null ? "stopped" : follower.Position < 0 ? "building" : "following", Math.Max(0, follower.Position), fault, building, tables);
    }
}

using System.Diagnostics;
using System.Threading.Channels;
using Mbp.Ledger.Reading;
using Npgsql;

namespace Mbp.Ledger.Postgres.Reading;

/// <summary>
/// Builds projections again from the first event, beside the tables that serve: fold in parallel, COPY, index, ANALYZE, catch up, compare every row,
/// swap in one transaction. Until the swap nothing that serves is touched, so whatever ends it early costs nothing but the time.
/// </summary>
public sealed class ProjectionRebuild(RoleConnections connections, IEventStore store, EventCatalog catalog)
{
    internal const string Different = "DIFFERENT";
    private const string Equal = "equal";

    private const int PagesAhead = 4;
    private const int AppendedAtOnce = 20_000;
    private const int MostRowsInMemory = 400_000;
    private const int SwapTries = 30;

    // 'MBP' and the rebuild: one at a time in a database, whoever runs it.
    private const string LockSql = "SELECT pg_try_advisory_lock(5063248, 4)";

    public RebuildProgress Progress { get; } = new();

    /// <summary>Builds, compares and, unless it is a dry run, swaps.</summary>
    /// <exception cref="RebuildUnderWayException">Another one has not ended.</exception>
    /// <exception cref="ProjectionFaultException">An event cannot be folded: the serving tables stay.</exception>
    public async Task<RebuildReport> RunAsync(IReadOnlyList<TableProjection> projections, bool dryRun, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(projections);
        var watch = Stopwatch.StartNew();
        await using var pool = RoleConnections.Pool("mbp_rebuild", connections.Projector, c =>
        {
            c.Options = $"{c.Options} -c synchronous_commit=off -c jit=off -c statement_timeout=0 -c maintenance_work_mem=128MB".Trim();
            c.MaxPoolSize = 100;
        });
        await using var session = await pool.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using (var exclusive = new NpgsqlCommand(LockSql, session))
        {
            if (await exclusive.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is not true)
            {
                throw new RebuildUnderWayException();
            }
        }

        foreach (var projection in projections)
        {
            await ProjectionRegistry.CreateBuildAsync(session, projection, cancellationToken).ConfigureAwait(false);
        }

        try
        {
            var head = Progress.Head = await store.HeadAsync(cancellationToken).ConfigureAwait(false);
            Progress.Phase = "folding";
            await FoldAsync(projections, head, pool, cancellationToken).ConfigureAwait(false);
            var folded = watch.Elapsed;
            Progress.Phase = "indexing";
            await IndexAsync(projections, pool, cancellationToken).ConfigureAwait(false);
            var indexed = watch.Elapsed;

            Progress.Phase = "catching up";
            var sites = projections.Select(projection => new Site(projection, head)).ToList();
            foreach (var site in sites)
            {
                await CatchUpAsync(site, await store.HeadAsync(cancellationToken).ConfigureAwait(false), session, cancellationToken).ConfigureAwait(false);
            }

            Progress.Phase = "comparing";
            var comparing = Stopwatch.StartNew();
            var digests = new List<TableDigest>();
            long comparedAt = 0;
            foreach (var site in sites)
            {
                var (tables, at) = await CompareAsync(site, pool, session, cancellationToken).ConfigureAwait(false);
                digests.AddRange(tables);
                comparedAt = Math.Max(comparedAt, at);
            }

            comparing.Stop();
            if (!dryRun)
            {
                Progress.Phase = "swapping";
                foreach (var site in sites)
                {
                    await SwapAsync(site, session, cancellationToken).ConfigureAwait(false);
                }
            }

            Progress.Phase = "done";
            return new RebuildReport(
                [.. projections.Select(projection => projection.Name)], head, folded.TotalSeconds, (indexed - folded).TotalSeconds, comparing.Elapsed.TotalSeconds,
                watch.Elapsed.TotalSeconds, comparedAt, !dryRun, digests);
        }
        finally
        {
            await CleanUpAsync(projections, session).ConfigureAwait(false);
        }
    }

    /// <summary>Reads and decodes once; every projection, and every part of it where there are cores to spare, folds and writes on its own.</summary>
    private async Task FoldAsync(IReadOnlyList<TableProjection> projections, long head, NpgsqlDataSource pool, CancellationToken cancellationToken)
    {
        using var failed = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var parts = Math.Clamp(Environment.ProcessorCount / projections.Count, 1, 8);
        var lanes = projections.SelectMany(projection => Enumerable.Range(0, parts).Select(part => new Lane(projection, part, parts))).ToList();
        var work = lanes.Select(lane => Task.Run(() => lane.RunAsync(pool, failed), CancellationToken.None)).ToList();
        try
        {
            await foreach (var page in DecodedPages.ReadAsync(store, catalog, 0, head, failed.Token).ConfigureAwait(false))
            {
                foreach (var lane in lanes)
                {
                    await lane.Pages.WriteAsync(page, failed.Token).ConfigureAwait(false);
                }

                Progress.Position = page[^1].Position;
            }
        }
        catch (Exception e) when (e is UnknownEventTypeException or UnreadableEventException)
        {
            await failed.CancelAsync().ConfigureAwait(false);
            throw new ProjectionFaultException(Progress.Position + 1, "unreadable", e.Message, e);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // A lane failed: what it failed with is below.
        }
        finally
        {
            lanes.ForEach(lane => lane.Pages.TryComplete());
        }

        var all = Task.WhenAll(work);
        await all.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default).ConfigureAwait(false);
        var cause = all.Exception?.InnerExceptions.FirstOrDefault(e => e is not OperationCanceledException);
        if (cause is not null)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(cause);
        }

        await all.ConfigureAwait(false);
    }

    private static Task IndexAsync(IReadOnlyList<TableProjection> projections, NpgsqlDataSource pool, CancellationToken cancellationToken) => Parallel.ForEachAsync(
        projections.SelectMany(projection => projection.Tables),
        new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount, CancellationToken = cancellationToken },
        async (table, token) =>
        {
            await using var connection = await pool.OpenConnectionAsync(token).ConfigureAwait(false);
            await ProjectionRegistry.ExecuteAsync(connection, $"DROP INDEX IF EXISTS {ProjectionRegistry.Build}.{table.EarlyKey()};\n{table.CreateIndexes(ProjectionRegistry.Build)}\nANALYZE {table.Qualified(ProjectionRegistry.Build)};", token).ConfigureAwait(false);
        });

    private async Task CatchUpAsync(Site site, long upTo, NpgsqlConnection session, CancellationToken cancellationToken)
    {
        if (upTo <= site.Position)
        {
            return;
        }

        Progress.Head = Math.Max(Progress.Head, upTo);
        await foreach (var page in DecodedPages.ReadAsync(store, catalog, site.Position, upTo, cancellationToken).ConfigureAwait(false))
        {
            if (site.Rows.Count > MostRowsInMemory)
            {
                site.Rows.Clear();
            }

            await site.Rows.FoldAsync(page, session, cancellationToken).ConfigureAwait(false);
            await using var batch = new NpgsqlBatch(session) { Timeout = 0 };
            site.Rows.Send(batch);
            if (batch.BatchCommands.Count > 0)
            {
                await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            }

            site.Rows.Written();
            site.Position = page[^1].Position;
        }
    }

    /// <summary>Both at one position: the old as a snapshot shows it, the new one caught up to there.</summary>
    private async Task<(IReadOnlyList<TableDigest> Tables, long Position)> CompareAsync(
        Site site, NpgsqlDataSource pool, NpgsqlConnection session, CancellationToken cancellationToken)
    {
        var projection = site.Projection;
        var serving = await ProjectionRegistry.FindAsync(pool, projection.Name, cancellationToken).ConfigureAwait(false);
        var reason = serving is null ? "not compared: nothing serves yet"
            : serving.Version != projection.Version || serving.Shape != ProjectionRegistry.ShapeOf(projection) ? $"not compared: version {serving.Version} serves"
            : serving.Fault is { } fault ? $"not compared: the serving one stopped at position {fault.Position}"
            : !await ProjectionRegistry.AreThereAsync(pool, projection, cancellationToken).ConfigureAwait(false) ? "not compared: a table that should serve is gone"
            : null;
        if (reason is null)
        {
            // The tables that serve follow within milliseconds; where nobody follows they stay behind, and there is nothing to compare with.
            for (var i = 0; serving!.Position < site.Position && i < 50 && await IsFollowedAsync(pool, cancellationToken).ConfigureAwait(false); i++)
            {
                await Task.Delay(100, cancellationToken).ConfigureAwait(false);
                serving = await ProjectionRegistry.FindAsync(pool, projection.Name, cancellationToken).ConfigureAwait(false) ?? serving;
            }

            reason = serving.Position < site.Position ? $"not compared: the serving one is at position {serving.Position}" : null;
        }

        if (reason is not null)
        {
            var alone = await DigestsAsync(projection, ProjectionRegistry.Build, session, cancellationToken).ConfigureAwait(false);
            return ([.. alone.Select(digest => new TableDigest(digest.Table, digest.Rows, digest.Digest, reason))], 0);
        }

        await using var other = await pool.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using var snapshot = await other.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead, cancellationToken).ConfigureAwait(false);
        await using var where = new NpgsqlCommand("SELECT last_seq_id FROM mt_event_progression WHERE name = 'mbp:' || $1", other) { Parameters = { new() { Value = projection.Name } } };
        var position = (long)(await where.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
        await CatchUpAsync(site, position, session, cancellationToken).ConfigureAwait(false);
        var olds = DigestsAsync(projection, ProjectionRegistry.Serving, other, cancellationToken);
        var news = await DigestsAsync(projection, ProjectionRegistry.Build, session, cancellationToken).ConfigureAwait(false);
        var compared = news.Zip(await olds.ConfigureAwait(false), (fresh, old) =>
            new TableDigest(fresh.Table, fresh.Rows, fresh.Digest, fresh == old ? Equal : Different)).ToList();
        return (compared, position);
    }

    // Whether some process holds the lock of those who follow.
    private static async Task<bool> IsFollowedAsync(NpgsqlDataSource pool, CancellationToken cancellationToken)
    {
        await using var command = pool.CreateCommand("SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND classid = 5063248 AND objid = 3 AND granted)");
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is true;
    }

    private static async Task<IReadOnlyList<(string Table, long Rows, string Digest)>> DigestsAsync(
        TableProjection projection, string schema, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var digests = new List<(string, long, string)>();
        foreach (var table in projection.Tables)
        {
            await using var command = new NpgsqlCommand(table.Digest(schema), connection) { CommandTimeout = 0 };
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            digests.Add((table.Name, reader.GetInt64(0), reader.GetString(1)));
        }

        return digests;
    }

    /// <summary>
    /// The new tables take the old ones' names while their follower waits for the record's lock: it finds other tables then, at a position that it can go
    /// on from. Readers that are under way finish first; nobody waits behind us for longer than a moment.
    /// </summary>
    private async Task SwapAsync(Site site, NpgsqlConnection session, CancellationToken cancellationToken)
    {
        for (var tried = 1; ; tried++)
        {
            await CatchUpAsync(site, await store.HeadAsync(cancellationToken).ConfigureAwait(false), session, cancellationToken).ConfigureAwait(false);
            site.Hold();
            await using var transaction = await session.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                await ProjectionRegistry.ExecuteAsync(session, "SET LOCAL lock_timeout = '500ms'; SET LOCAL synchronous_commit = on", cancellationToken).ConfigureAwait(false);
                await using var hold = new NpgsqlCommand(
                    """
                    SELECT coalesce((SELECT last_seq_id FROM mt_event_progression WHERE name = 'mbp:' || p.name), 0)
                    FROM mbp_projection p WHERE p.name = $1 FOR UPDATE OF p
                    """, session) { Parameters = { new() { Value = site.Projection.Name } } };
                await hold.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
                // Read again behind the lock: what was committed while we waited for it counts.
                var serving = (long?)await hold.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) ?? 0;
                await CatchUpAsync(site, serving, session, cancellationToken).ConfigureAwait(false);
                await ProjectionRegistry.ServeAsync(session, site.Projection, site.Position, cancellationToken).ConfigureAwait(false);
                await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.DeadlockDetected)
            {
                if (tried == SwapTries)
                {
                    throw new TimeoutException(
                        $"Somebody has been reading the tables of {site.Projection.Name} in one transaction all the time, so they were not swapped; projections before it in the list were. End that transaction (pg_stat_activity), then try again.", e);
                }

                await transaction.RollbackAsync(CancellationToken.None).ConfigureAwait(false);
                site.Restart();
                await Task.Delay(100, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static async Task CleanUpAsync(IReadOnlyList<TableProjection> projections, NpgsqlConnection session)
    {
        try
        {
            foreach (var projection in projections)
            {
                // After a swap there is nothing left of it here.
                await ProjectionRegistry.DropAsync(session, projection, ProjectionRegistry.Build, CancellationToken.None).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is NpgsqlException or InvalidOperationException)
        {
            // The database went away; the next rebuild, or the next start, drops what is left.
        }
    }

    /// <summary>New tables of one projection and how far they are.</summary>
    private sealed class Site(TableProjection projection, long position)
    {
        private long _safe = position;

        public TableProjection Projection => projection;

        public RowStore Rows { get; } = new(projection, ProjectionRegistry.Build, isEmpty: false);

        public long Position { get; set; } = position;

        /// <summary>Remembers where to go back to.</summary>
        public void Hold() => _safe = Position;

        /// <summary>Goes back to the rows as they are in the database, after a transaction was taken back.</summary>
        public void Restart()
        {
            Rows.Clear();
            Position = _safe;
        }
    }

    /// <summary>One projection, or one of several equal parts of it, folding what it is handed.</summary>
    private sealed class Lane(TableProjection projection, int part, int parts)
    {
        private readonly Channel<IReadOnlyList<Recorded>> _pages = Channel.CreateBounded<IReadOnlyList<Recorded>>(
            new BoundedChannelOptions(PagesAhead) { SingleReader = true, SingleWriter = true });

        public ChannelWriter<IReadOnlyList<Recorded>> Pages => _pages.Writer;

        public async Task RunAsync(NpgsqlDataSource pool, CancellationTokenSource failed)
        {
            try
            {
                await using var connection = await pool.OpenConnectionAsync(failed.Token).ConfigureAwait(false);
                var rows = new RowStore(projection, ProjectionRegistry.Build, isEmpty: true);
                var isWhole = true;
                await foreach (var page in _pages.Reader.ReadAllAsync(failed.Token).ConfigureAwait(false))
                {
                    var mine = parts == 1 ? page : [.. page.Where(recorded => PartOf(recorded) == part)];
                    if (isWhole)
                    {
                        foreach (var recorded in mine)
                        {
                            rows.Fold(recorded);
                        }
                    }
                    else
                    {
                        await rows.FoldAsync(mine, connection, failed.Token).ConfigureAwait(false);
                    }

                    if (rows.Appended >= AppendedAtOnce)
                    {
                        await rows.WriteAppendedAsync(connection, failed.Token).ConfigureAwait(false);
                    }

                    if (rows.Count > MostRowsInMemory / parts)
                    {
                        // More than memory is to hold: from here on rows are looked up, by a key that the tables must have for it.
                        await rows.WriteAsync(connection, failed.Token).ConfigureAwait(false);
                        await EnsureKeysAsync(connection, failed.Token).ConfigureAwait(false);
                        rows.ClearRows();
                        isWhole = false;
                    }
                }

                await rows.WriteAsync(connection, failed.Token).ConfigureAwait(false);
            }
            catch
            {
                await failed.CancelAsync().ConfigureAwait(false);
                throw;
            }
        }

        private int PartOf(Recorded recorded) =>
            projection.Partition(recorded) is { } key ? (int)(unchecked((uint)string.GetHashCode(key, StringComparison.Ordinal)) % (uint)parts) : part;

        private async Task EnsureKeysAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
        {
            foreach (var table in projection.Tables)
            {
                await ProjectionRegistry.ExecuteAsync(
                    connection, $"CREATE UNIQUE INDEX IF NOT EXISTS {table.EarlyKey()} ON {table.Qualified(ProjectionRegistry.Build)} ({string.Join(", ", table.KeyColumns)})", cancellationToken).ConfigureAwait(false);
            }
        }
    }
}

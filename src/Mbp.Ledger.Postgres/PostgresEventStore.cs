using NodaTime;
using Npgsql;
using NpgsqlTypes;

namespace Mbp.Ledger.Postgres;

/// <summary>
/// The ledger in PostgreSQL, on the tables of a Marten with string stream ids. A database holds one shard. Foreign events (a real Marten's)
/// become visible when the writer takes the lease again and adopts them.
/// </summary>
public sealed class PostgresEventStore : IEventStore, IAsyncDisposable
{
    private const int ForgetAtATime = 10_000;

    // A hundred events at a time from the socket; with the default of 8 KiB every dozen would cost a call of the kernel.
    private const int PageBuffer = 64 * 1024;

    // Whatever the database or the role has as its default: a commit and a lease wait as long as they must.
    private const string NoTimeouts = "-c statement_timeout=0 -c lock_timeout=0 -c idle_session_timeout=0";

    private readonly string _shard;
    private readonly NpgsqlDataSource _sessions;
    private readonly NpgsqlDataSource _writers;
    private readonly NpgsqlDataSource _queries;
    private readonly NpgsqlDataSource _readers;
    private readonly NpgsqlDataSource _pages;
    private readonly EventReader _events;
    private readonly HeadWatch _watch;

    public PostgresEventStore(RoleConnections connections, string shard = "main")
    {
        ArgumentNullException.ThrowIfNull(connections);
        ArgumentException.ThrowIfNullOrEmpty(shard);
        _shard = shard;
        // The server must notice soon that a holder vanished without a word, or the lock outlives it by hours.
        _sessions = Dedicated("mbp_lease", connections.Writer, NoTimeouts + " -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c tcp_user_timeout=15000");
        // One plan for ever, and always by index: a plan made for small or never analyzed tables must not last while they grow.
        _writers = Dedicated("mbp_commit", connections.Writer, NoTimeouts + " -c synchronous_commit=on -c jit=off -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off");
        _queries = Prepared(RoleConnections.WriterRole, connections.Writer, "-c jit=off");
        _readers = Prepared(RoleConnections.ReaderRole, connections.Reader, "-c jit=off");
        // Without statistics the planner would sort the rest of the ledger for each page; walking the index is always right here.
        _pages = Prepared("mbp_events", connections.Reader, "-c jit=off -c enable_seqscan=off -c enable_bitmapscan=off -c enable_sort=off", c => c.ReadBufferSize = PageBuffer);
        _events = new EventReader(_pages);
        _watch = new HeadWatch(Dedicated("mbp_listen", connections.Reader, NoTimeouts), HeadAsync);
    }

    public async Task<Lease?> TryAcquireAsync(string holder, CancellationToken cancellationToken)
    {
        var session = await _sessions.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (await AcquireAsync(session, holder, cancellationToken).ConfigureAwait(false) is { } lease)
            {
                _watch.Saw(lease.Position);
                return lease;
            }
        }
        catch
        {
            await session.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        await session.DisposeAsync().ConfigureAwait(false);
        return null;
    }

    public async Task<string?> HolderAsync(CancellationToken cancellationToken)
    {
        await using var command = _readers.CreateCommand("SELECT holder FROM ledger_head WHERE shard = $1");
        command.Parameters.Add(new() { Value = _shard });
        return (string?)await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
    }

    public async Task<long> AppendAsync(Lease lease, Batch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var ours = lease is PostgresLease known && known.Store == this ? known : throw new ArgumentException("The lease is not one of this store.", nameof(lease));
        var head = await ours.Writer.AppendAsync(ours, batch).ConfigureAwait(false);
        _watch.Saw(head);
        return head;
    }

    public IAsyncEnumerable<StoredEvent> ReadStreamAsync(StreamId stream, long afterVersion, CancellationToken cancellationToken) =>
        _events.StreamAsync(stream, afterVersion, cancellationToken);

    public async Task<IReadOnlyDictionary<StreamId, long>> FindVersionsAsync(IReadOnlyCollection<StreamId> streams, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(streams);
        Dictionary<StreamId, long> found = new(streams.Count);
        // As for commands: one index look-up for each, whatever the planner believes.
        await using var command = _readers.CreateCommand("""
            SELECT w.id, s.version
            FROM unnest($1) AS w (id)
            CROSS JOIN LATERAL (SELECT s.version FROM mt_streams s WHERE s.id = w.id AND s.version > 0 OFFSET 0) s
            """);
        command.Parameters.Add(new() { Value = streams.Select(stream => stream.Value).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            found[StreamId.Parse(reader.GetString(0))] = reader.GetInt64(1);
        }

        return found;
    }

    public async IAsyncEnumerable<StoredEvent> ReadAllAsync(long afterPosition, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var head = await HeadAsync(cancellationToken).ConfigureAwait(false);
        await foreach (var stored in ReadRangeAsync(afterPosition, head, cancellationToken).ConfigureAwait(false))
        {
            yield return stored;
        }
    }

    public IAsyncEnumerable<StoredEvent> ReadRangeAsync(long afterPosition, long lastPosition, CancellationToken cancellationToken) =>
        _events.RangeAsync(afterPosition, lastPosition, cancellationToken);

    /// <summary>The version that each stream claims (<c>mt_streams</c>), to compare with its events.</summary>
    public async IAsyncEnumerable<(StreamId Stream, long Version)> ReadStreamVersionsAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var command = _readers.CreateCommand("SELECT id, version FROM mt_streams");
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            yield return (StreamId.Parse(reader.GetString(0)), reader.GetInt64(1));
        }
    }

    /// <summary>The shard that a database holds; null where no writer has ever led.</summary>
    public static async Task<string?> FindShardAsync(RoleConnections connections, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(connections);
        await using var pool = connections.Open(RoleConnections.ReaderRole);
        await using var command = pool.CreateCommand("SELECT shard FROM ledger_head");
        return (string?)await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
    }

    public async Task<long> HeadAsync(CancellationToken cancellationToken)
    {
        await using var command = _readers.CreateCommand("SELECT position FROM ledger_head WHERE shard = $1");
        command.Parameters.Add(new() { Value = _shard });
        return (long?)await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) ?? 0;
    }

    public Task WaitBeyondAsync(long position, CancellationToken cancellationToken) => _watch.WaitBeyondAsync(position, cancellationToken);

    public async Task<Snapshot?> LoadSnapshotAsync(StreamId stream, IFold fold, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(fold);
        await using var command = _readers.CreateCommand("SELECT version, state FROM ledger_snapshot WHERE stream_id = $1 AND fold = $2 AND fold_version = $3");
        command.Parameters.AddRange(new NpgsqlParameter[] {new() { Value = stream.Value }, new() { Value = fold.Name }, new() { Value = fold.Version } });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        return await reader.ReadAsync(cancellationToken).ConfigureAwait(false)
            ? new Snapshot(stream, fold.Name, fold.Version, reader.GetInt64(0), reader.GetFieldValue<byte[]>(1))
            : null;
    }

    public async Task SaveSnapshotAsync(Snapshot snapshot, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        await using var command = _queries.CreateCommand("""
            INSERT INTO ledger_snapshot (stream_id, fold, fold_version, version, state) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (stream_id, fold) DO UPDATE SET fold_version = excluded.fold_version, version = excluded.version, state = excluded.state
            WHERE (ledger_snapshot.fold_version, ledger_snapshot.version) < (excluded.fold_version, excluded.version)
            """);
        command.Parameters.AddRange(new NpgsqlParameter[] {
            new() { Value = snapshot.Stream.Value }, new() { Value = snapshot.Fold }, new() { Value = snapshot.FoldVersion },
            new() { Value = snapshot.Version }, new() { Value = snapshot.State.ToArray() } });
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    public async Task<IReadOnlyDictionary<CommandKey, CommandRecord>> FindCommandsAsync(IReadOnlyCollection<CommandKey> keys, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(keys);
        Dictionary<CommandKey, CommandRecord> found = [];
        if (keys.Count == 0)
        {
            return found;
        }

        // OFFSET 0 holds the planner to one index look-up for each key, whatever it believes about the table's size.
        await using var command = _queries.CreateCommand("""
            SELECT k.principal, k.key, c.hash, c.last_position, c.event_count, c.at
            FROM unnest($1, $2) AS k (principal, key)
            CROSS JOIN LATERAL (SELECT * FROM ledger_command c WHERE c.principal = k.principal AND c.key = k.key OFFSET 0) c
            """);
        command.Parameters.AddRange(new NpgsqlParameter[] {
            new() { Value = keys.Select(key => key.Principal).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text },
            new() { Value = keys.Select(key => key.Key).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text } });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            found[new(reader.GetString(0), reader.GetString(1))] =
                new(reader.GetFieldValue<byte[]>(2), reader.GetInt64(3), reader.GetInt32(4), reader.GetDateTime(5).ToInstant());
        }

        return found;
    }

    /// <summary>Forgets answered commands from before a time, in small transactions; returns how many.</summary>
    public async Task<long> DeleteOldCommandsAsync(Instant before, CancellationToken cancellationToken)
    {
        long all = 0;
        int some;
        do
        {
            await using var command = _queries.CreateCommand(
                "DELETE FROM ledger_command WHERE ctid = ANY (ARRAY(SELECT ctid FROM ledger_command WHERE at < $1 LIMIT $2))");
            command.Parameters.AddRange(new NpgsqlParameter[] {new() { Value = before.ToTimestamp() }, new() { Value = ForgetAtATime } });
            some = await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            all += some;
        }
        while (some == ForgetAtATime);
        return all;
    }

    public async ValueTask DisposeAsync()
    {
        await _watch.DisposeAsync().ConfigureAwait(false);
        foreach (var pool in new[] { _sessions, _writers, _queries, _readers, _pages })
        {
            await pool.DisposeAsync().ConfigureAwait(false);
        }
    }

    private static NpgsqlDataSource Dedicated(string name, string connection, string options) => RoleConnections.Pool(name, connection, c =>
    {
        c.Pooling = false;
        // A wait that is cut off closes the socket at once, and does not wait for the server's word on it.
        c.CancellationTimeout = -1;
        c.Options = $"{c.Options} {options}".Trim();
    });

    // A handful of statements recur all the time. Parsed and planned once for each connection they cost a third; no session state is left behind.
    private static NpgsqlDataSource Prepared(string name, string connection, string options, Action<NpgsqlConnectionStringBuilder>? change = null) => RoleConnections.Pool(name, connection, c =>
    {
        change?.Invoke(c);
        c.Options = $"{c.Options} {options}".Trim();
        c.MaxAutoPrepare = 20;
        c.AutoPrepareMinUsages = 2;
        c.NoResetOnClose = true;
    });

    private async Task<PostgresLease?> AcquireAsync(NpgsqlConnection session, string holder, CancellationToken cancellationToken)
    {
        await using var tryLock = new NpgsqlCommand("SELECT pg_try_advisory_lock(5063248, 2)", session);
        if (await tryLock.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is not true)
        {
            return null;
        }

        // Committed with the statement, before anything is read: from here on no earlier holder can commit.
        await using var take = new NpgsqlCommand("SELECT new_epoch, new_position, new_at FROM ledger_take_lease($1, $2)", session)
        {
            CommandTimeout = 0,
            Parameters = { new() { Value = _shard }, new() { Value = holder } },
        };
        long epoch, position;
        Instant at;
        try
        {
            await using var reader = await take.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            (epoch, position, at) = (reader.GetInt64(0), reader.GetInt64(1), reader.GetDateTime(2).ToInstant());
        }
        catch (PostgresException e) when (e.SqlState == "MBP04")
        {
            throw new PostgresSetupException(e.MessageText, e);
        }

        await LeafAdoption.RunAsync(session, _events, epoch, position, cancellationToken).ConfigureAwait(false);
        var writer = await Writer.OpenAsync(_writers, _shard, epoch, position, cancellationToken).ConfigureAwait(false);
        return new PostgresLease(this, _shard, session, writer, epoch, position, at);
    }
}

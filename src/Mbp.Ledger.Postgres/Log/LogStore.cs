using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using NodaTime;
using Npgsql;
using NpgsqlTypes;

namespace Mbp.Ledger.Postgres.Log;

/// <summary>One public log.</summary>
/// <param name="Epoch">From 1; a later one took over where its predecessor was given up.</param>
/// <param name="Origin">Its name, and that of its keys.</param>
/// <param name="At">When it began.</param>
public sealed record LogRecord(int Epoch, string Origin, Instant At);

/// <summary>A key of the log and the sizes that it may sign.</summary>
/// <param name="Until">The last one; null while the key is in use.</param>
public sealed record LogKeyRecord(VerifierKey Key, long From, long? Until)
{
    public string Id => LogKeys.IdOf(Key);
}

/// <summary>A tree head that was signed.</summary>
/// <param name="Note">As it was published, without later cosignatures.</param>
/// <param name="KeyId">The id of the first key that signed it.</param>
/// <param name="At">When it was stored.</param>
public sealed record StoredCheckpoint(long Size, MerkleHash Root, SignedNote Note, string KeyId, Instant At);

/// <summary>What a witness said of a checkpoint.</summary>
public sealed record StoredCosignature(long Size, string Key, NoteSignature Line, Instant At);

/// <summary>The tables of the public log (<c>Sql/010_log.sql</c>). What the keeper writes goes over a session of its own: <see cref="LogKeeper"/>; what others say of checkpoints is in <see cref="AnchorStore"/>.</summary>
public sealed class LogStore : IAsyncDisposable
{
    private const string Columns = "size, root, note, key_id, at";

    // Small or never analyzed tables must not lead to a plan that lasts while they grow.
    private const string ByIndex = "-c jit=off -c enable_seqscan=off -c enable_sort=off -c enable_bitmapscan=off";

    private readonly NpgsqlDataSource _writers;

    public LogStore(RoleConnections connections)
    {
        ArgumentNullException.ThrowIfNull(connections);
        Readers = RoleConnections.Pool("mbp_log", connections.Reader, c =>
        {
            c.Options = $"{c.Options} {ByIndex}".Trim();
            c.MaxAutoPrepare = 20;
            c.AutoPrepareMinUsages = 2;
            c.NoResetOnClose = true;
        });
        _writers = RoleConnections.Pool("mbp_log_writer", connections.Writer, c => c.MaxPoolSize = 4);
    }

    internal NpgsqlDataSource Readers { get; }

    public ValueTask DisposeAsync() => DisposeBothAsync();

    private async ValueTask DisposeBothAsync()
    {
        await Readers.DisposeAsync().ConfigureAwait(false);
        await _writers.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>The log of today; null before the first start of a host.</summary>
    public Task<LogRecord?> FindAsync(CancellationToken cancellationToken) => FirstAsync(
        Readers, "SELECT epoch, origin, at FROM ledger_log ORDER BY epoch DESC LIMIT 1",
        reader => new LogRecord(reader.GetInt32(0), reader.GetString(1), reader.GetDateTime(2).ToInstant()), [], cancellationToken);

    /// <summary>Every log that there was, the first first.</summary>
    public Task<IReadOnlyList<LogRecord>> LogsAsync(CancellationToken cancellationToken) => AllAsync(
        "SELECT epoch, origin, at FROM ledger_log ORDER BY epoch", reader => new LogRecord(reader.GetInt32(0), reader.GetString(1), reader.GetDateTime(2).ToInstant()), [], cancellationToken);

    /// <summary>Begins the log that takes over from one that was given up, with its first key, and ends the time of the old one's keys: both or neither.</summary>
    /// <param name="old">The epoch that ends.</param>
    /// <param name="until">The last size that it signed.</param>
    /// <param name="next">The epoch that begins.</param>
    /// <param name="origin">Its name.</param>
    /// <param name="key">Its first key.</param>
    /// <param name="from">The first size that it signs.</param>
    /// <param name="cancellationToken">Before the commit.</param>
    /// <returns>Whether this call began it.</returns>
    public async Task<bool> TakeOverAsync(int old, long until, int next, string origin, VerifierKey key, long from, CancellationToken cancellationToken)
    {
        var changed = await ExecuteAsync(
            """
            WITH log AS (INSERT INTO ledger_log (epoch, origin) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING epoch),
                 ended AS (UPDATE ledger_key SET until_size = greatest(from_size, $6) WHERE epoch = $5 AND until_size IS NULL AND EXISTS (SELECT FROM log))
            INSERT INTO ledger_key (epoch, key_id, vkey, from_size) SELECT epoch, $3, $4, $7 FROM log
            """,
            [next, origin, LogKeys.IdOf(key), key.ToString(), old, until, from], cancellationToken).ConfigureAwait(false);
        return changed > 0;
    }

    /// <summary>Begins a log with its first key, unless somebody else was first.</summary>
    /// <returns>Whether this call began it.</returns>
    public async Task<bool> BeginAsync(int epoch, string origin, VerifierKey key, CancellationToken cancellationToken)
    {
        var began = await ExecuteAsync(
            """
            WITH log AS (INSERT INTO ledger_log (epoch, origin) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING epoch)
            INSERT INTO ledger_key (epoch, key_id, vkey, from_size) SELECT epoch, $3, $4, 0 FROM log
            """,
            [epoch, origin, LogKeys.IdOf(key), key.ToString()], cancellationToken).ConfigureAwait(false);
        return began == 1;
    }

    /// <summary>All keys of a log, the oldest first.</summary>
    public Task<IReadOnlyList<LogKeyRecord>> KeysAsync(int epoch, CancellationToken cancellationToken) => AllAsync(
        "SELECT vkey, from_size, until_size FROM ledger_key WHERE epoch = $1 ORDER BY from_size, key_id",
        reader => new LogKeyRecord(VerifierKey.Parse(reader.GetString(0)), reader.GetInt64(1), reader.IsDBNull(2) ? null : reader.GetInt64(2)), [epoch], cancellationToken);

    /// <summary>Adds a key, which signs from a size on.</summary>
    public Task AddKeyAsync(int epoch, VerifierKey key, long from, CancellationToken cancellationToken) => ExecuteAsync(
        "INSERT INTO ledger_key (epoch, key_id, vkey, from_size) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        [epoch, LogKeys.IdOf(key), key.ToString(), from], cancellationToken);

    /// <summary>The newest checkpoint.</summary>
    public Task<StoredCheckpoint?> NewestAsync(int epoch, CancellationToken cancellationToken) => FirstAsync(
        Readers, $"SELECT {Columns} FROM ledger_checkpoint WHERE epoch = $1 ORDER BY size DESC LIMIT 1", Read, [epoch], cancellationToken);

    /// <summary>The largest checkpoint of the logs before one.</summary>
    public Task<StoredCheckpoint?> LargestBeforeAsync(int epoch, CancellationToken cancellationToken) => FirstAsync(
        Readers, $"SELECT {Columns} FROM ledger_checkpoint WHERE epoch < $1 ORDER BY size DESC LIMIT 1", Read, [epoch], cancellationToken);

    /// <summary>The checkpoint of a size.</summary>
    public Task<StoredCheckpoint?> AtAsync(int epoch, long size, CancellationToken cancellationToken) => FirstAsync(
        Readers, $"SELECT {Columns} FROM ledger_checkpoint WHERE epoch = $1 AND size = $2", Read, [epoch, size], cancellationToken);

    /// <summary>The first checkpoint of a size or above.</summary>
    public Task<StoredCheckpoint?> FirstFromAsync(int epoch, long size, CancellationToken cancellationToken) => FirstAsync(
        Readers, $"SELECT {Columns} FROM ledger_checkpoint WHERE epoch = $1 AND size >= $2 ORDER BY size LIMIT 1", Read, [epoch, size], cancellationToken);

    /// <summary>Checkpoints beyond a size, the smallest first.</summary>
    public Task<IReadOnlyList<StoredCheckpoint>> ListAsync(int epoch, long after, int limit, CancellationToken cancellationToken) => AllAsync(
        $"SELECT {Columns} FROM ledger_checkpoint WHERE epoch = $1 AND size > $2 ORDER BY size LIMIT $3", Read, [epoch, after, limit], cancellationToken);

    /// <summary>How many checkpoints there are.</summary>
    public async Task<long> CountAsync(int epoch, CancellationToken cancellationToken) => (await FirstAsync(
        Readers, "SELECT count(*) FROM ledger_checkpoint WHERE epoch = $1", reader => (object)reader.GetInt64(0), [epoch], cancellationToken).ConfigureAwait(false)) is long count ? count : 0;

    /// <summary>Whether a checkpoint has a size within [<paramref name="from"/>, <paramref name="before"/>).</summary>
    public async Task<bool> IsPublishedAsync(int epoch, long from, long before, CancellationToken cancellationToken) =>
        await FirstAsync(Readers, "SELECT size FROM ledger_checkpoint WHERE epoch = $1 AND size >= $2 AND size < $3 ORDER BY size LIMIT 1", reader => (object)reader.GetInt64(0), [epoch, from, before], cancellationToken)
            .ConfigureAwait(false) is not null;

    /// <summary>What witnesses said of a checkpoint, the first first.</summary>
    public Task<IReadOnlyList<StoredCosignature>> CosignaturesAsync(int epoch, long size, CancellationToken cancellationToken) => AllAsync(
        "SELECT size, key, line, at FROM ledger_cosignature WHERE epoch = $1 AND size = $2 ORDER BY at, key",
        reader => new StoredCosignature(reader.GetInt64(0), reader.GetString(1), NoteSignature.Parse(reader.GetString(2)), reader.GetDateTime(3).ToInstant()), [epoch, size], cancellationToken);

    /// <summary>Tiles, their checkpoint and the end of a key's time, all or nothing. For the keeper's session, which holds the lock.</summary>
    internal static async Task InsertAsync(
        NpgsqlConnection session, int epoch, IReadOnlyList<FullTile> tiles, SignedNote? note, NpgsqlLogSequenceNumber lsn, string? retire, CancellationToken cancellationToken)
    {
        // A batch without a transaction of its own is one: everything up to its end is committed together.
        await using var batch = new NpgsqlBatch(session);
        if (tiles.Count > 0)
        {
            batch.BatchCommands.Add(new NpgsqlBatchCommand("INSERT INTO ledger_tile (level, idx, hashes, root) SELECT * FROM unnest($1, $2, $3, $4)")
            {
                Parameters =
                {
                    new() { Value = tiles.Select(tile => tile.Level).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Integer },
                    new() { Value = tiles.Select(tile => tile.Index).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bigint },
                    new() { Value = tiles.Select(tile => tile.Hashes.ToArray()).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bytea },
                    new() { Value = tiles.Select(tile => tile.Root.ToArray()).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bytea },
                },
            });
        }

        if (note is not null)
        {
            var checkpoint = Checkpoint.Of(note);
            batch.BatchCommands.Add(new NpgsqlBatchCommand("INSERT INTO ledger_checkpoint (epoch, size, root, note, key_id, commit_lsn) VALUES ($1, $2, $3, $4, $5, $6)")
            {
                Parameters =
                {
                    new() { Value = epoch }, new() { Value = checkpoint.Size }, new() { Value = checkpoint.Root.ToArray() }, new() { Value = note.Format() },
                    new() { Value = note.Signatures[0].KeyId.ToString("x8", System.Globalization.CultureInfo.InvariantCulture) }, new() { Value = lsn, NpgsqlDbType = NpgsqlDbType.PgLsn },
                },
            });
        }

        if (retire is not null)
        {
            batch.BatchCommands.Add(new NpgsqlBatchCommand(
                "UPDATE ledger_key SET until_size = (SELECT max(size) FROM ledger_checkpoint WHERE epoch = $1) WHERE epoch = $1 AND key_id = $2 AND until_size IS NULL")
            {
                Parameters = { new() { Value = epoch }, new() { Value = retire } },
            });
        }

        await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private static StoredCheckpoint Read(NpgsqlDataReader reader) => new(
        reader.GetInt64(0), new MerkleHash(reader.GetFieldValue<byte[]>(1)), SignedNote.Parse(reader.GetString(2)), reader.GetString(3), reader.GetDateTime(4).ToInstant());

    private static async Task<T?> FirstAsync<T>(
        NpgsqlDataSource pool, string sql, Func<NpgsqlDataReader, T> read, object[] parameters, CancellationToken cancellationToken)
        where T : class
    {
        await using var command = pool.CreateCommand(sql);
        command.Parameters.AddRange(parameters.Select(value => new NpgsqlParameter { Value = value }).ToArray());
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        return await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? read(reader) : null;
    }

    private async Task<IReadOnlyList<T>> AllAsync<T>(string sql, Func<NpgsqlDataReader, T> read, object[] parameters, CancellationToken cancellationToken)
    {
        await using var command = Readers.CreateCommand(sql);
        command.Parameters.AddRange(parameters.Select(value => new NpgsqlParameter { Value = value }).ToArray());
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var all = new List<T>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            all.Add(read(reader));
        }

        return all;
    }

    private async Task<int> ExecuteAsync(string sql, object[] parameters, CancellationToken cancellationToken)
    {
        await using var command = _writers.CreateCommand(sql);
        command.Parameters.AddRange(parameters.Select(value => new NpgsqlParameter { Value = value }).ToArray());
        return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }
}

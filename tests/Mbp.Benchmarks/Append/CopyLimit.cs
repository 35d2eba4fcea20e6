using Mbp.Ledger;
using Mbp.Ledger.Postgres;
using Npgsql;
using NpgsqlTypes;

namespace Mbp.Benchmarks.Append;

/// <summary>
/// The physical limit: the rows of a batch by binary COPY, PostgreSQL's fastest way in, into the ledger's own tables with all their keys, indexes
/// and triggers, under the same check (fence and position of the head row, expected version of every stream), durable at the end. What is not
/// COPY goes along in as few round trips as the protocol allows: one before it, one after it. The idempotency keys, a column of few rows, go with
/// the latter: a second COPY would cost two round trips more than it saves.
/// </summary>
internal sealed class CopyLimit : IAsyncDisposable
{
    private const string Shard = "main";

    private readonly NpgsqlDataSource _pool;
    private readonly NpgsqlConnection _connection;
    private readonly long _epoch;
    private long _position;

    private CopyLimit(NpgsqlDataSource pool, NpgsqlConnection connection, long epoch, long position) =>
        (_pool, _connection, _epoch, _position) = (pool, connection, epoch, position);

    /// <summary>Takes over a ledger from its writer, which must not come back.</summary>
    public static async Task<CopyLimit> TakeOverAsync(RoleConnections connections, Lease lease, long position)
    {
        var pool = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connections.Writer)
        {
            // As the store's own committing session, but for what only helps its statement.
            MaxAutoPrepare = 20, AutoPrepareMinUsages = 1, Options = "-c synchronous_commit=on -c jit=off -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off",
        });
        return new CopyLimit(pool, await pool.OpenConnectionAsync().ConfigureAwait(false), lease.Epoch, position);
    }

    public async Task AppendAsync(Batch batch)
    {
        var moves = batch.Moves();
        var at = batch.Events[^1].At.ToDateTimeUtc();
        await BeginAsync(batch, moves, at).ConfigureAwait(false);
        await CopyEventsAsync(batch).ConfigureAwait(false);
        var first = _position + 1;
        _position += batch.Events.Count;
        await using var seal = new NpgsqlBatch(_connection)
        {
            BatchCommands =
            {
                Keys(batch, first),
                new NpgsqlBatchCommand("INSERT INTO ledger_leaf (last_position, first_position, leaves, hashes) VALUES ($1, $2, $3, $4)")
                {
                    Parameters = { new() { Value = _position }, new() { Value = first }, new() { Value = batch.Leaves.Leaves }, new() { Value = batch.Leaves.PackedHashes() } },
                },
                new NpgsqlBatchCommand("INSERT INTO ledger_salt (last_position, salts) VALUES ($1, $2)")
                {
                    Parameters = { new() { Value = _position }, new() { Value = batch.Leaves.Salts } },
                },
                new NpgsqlBatchCommand("SELECT setval('mt_events_sequence', $1), pg_notify('mbp_ledger', $2)")
                {
                    Parameters = { new() { Value = _position }, new() { Value = $"{_position}" } },
                },
                new NpgsqlBatchCommand("COMMIT"),
            },
        };
        await seal.ExecuteNonQueryAsync().ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync().ConfigureAwait(false);
        await _pool.DisposeAsync().ConfigureAwait(false);
    }

    // A transaction that is begun and committed by hand: both ride along with other statements and cost no round trip of their own.
    private async Task BeginAsync(Batch batch, IReadOnlyList<StreamMove> moves, DateTime at)
    {
        var (started, continued) = (moves.Where(m => m.Expected == 0).ToList(), moves.Where(m => m.Expected != 0).ToList());
        await using var check = new NpgsqlBatch(_connection)
        {
            BatchCommands =
            {
                new NpgsqlBatchCommand("BEGIN"),
                new NpgsqlBatchCommand("""
                    UPDATE ledger_head SET position = position + $4, at = $5
                    WHERE shard = $1 AND epoch = $2 AND position = $3 AND NOT EXISTS (SELECT FROM mt_events WHERE seq_id > $3)
                    """)
                {
                    Parameters = { new() { Value = Shard }, new() { Value = _epoch }, new() { Value = _position }, new() { Value = (long)batch.Events.Count }, new() { Value = at } },
                },
                new NpgsqlBatchCommand("""
                    UPDATE mt_streams SET version = s.version, timestamp = $1 FROM unnest($2, $3, $4) AS s (id, expected, version)
                    WHERE mt_streams.id = s.id AND mt_streams.version = s.expected
                    """)
                {
                    Parameters =
                    {
                        new() { Value = at }, new() { Value = continued.Select(m => m.Stream.Value).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text },
                        new() { Value = continued.Select(m => m.Expected).ToArray() }, new() { Value = continued.Select(m => m.Version).ToArray() },
                    },
                },
            },
        };
        if (started.Count > 0)
        {
            check.BatchCommands.Add(new NpgsqlBatchCommand("""
                INSERT INTO mt_streams (id, version, timestamp, created, tenant_id, is_archived)
                SELECT s.id, s.version, $1, $1, '*DEFAULT*', false FROM unnest($2, $3) AS s (id, version)
                """)
            {
                Parameters =
                {
                    new() { Value = at }, new() { Value = started.Select(m => m.Stream.Value).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text },
                    new() { Value = started.Select(m => m.Version).ToArray() },
                },
            });
        }

        await check.ExecuteNonQueryAsync().ConfigureAwait(false);
        if (check.BatchCommands[1].RecordsAffected != 1 || check.BatchCommands[2].RecordsAffected != continued.Count)
        {
            throw new ConcurrencyException("The ledger is not as the batch expects it.");
        }
    }

    private async Task CopyEventsAsync(Batch batch)
    {
        await using var copy = await _connection.BeginBinaryImportAsync("""
            COPY mt_events (seq_id, id, stream_id, version, data, type, timestamp, tenant_id, mt_dotnet_type, correlation_id, causation_id, headers, is_archived)
            FROM STDIN (FORMAT BINARY)
            """).ConfigureAwait(false);
        var position = _position;
        foreach (var e in batch.Events)
        {
            // Rows go into a buffer; only a full one waits for the network.
            await copy.StartRowAsync().ConfigureAwait(false);
            await copy.WriteAsync(++position, NpgsqlDbType.Bigint).ConfigureAwait(false);
            await copy.WriteAsync(e.Id, NpgsqlDbType.Uuid).ConfigureAwait(false);
            await copy.WriteAsync(e.Stream.Value, NpgsqlDbType.Varchar).ConfigureAwait(false);
            await copy.WriteAsync(e.Version, NpgsqlDbType.Bigint).ConfigureAwait(false);
            await copy.WriteAsync(e.Body.Data, NpgsqlDbType.Jsonb).ConfigureAwait(false);
            await copy.WriteAsync(e.Body.Type, NpgsqlDbType.Varchar).ConfigureAwait(false);
            await copy.WriteAsync(e.At.ToDateTimeUtc(), NpgsqlDbType.TimestampTz).ConfigureAwait(false);
            await copy.WriteAsync("*DEFAULT*", NpgsqlDbType.Varchar).ConfigureAwait(false);
            await copy.WriteAsync(e.Body.DotnetType, NpgsqlDbType.Varchar).ConfigureAwait(false);
            await copy.WriteAsync(e.CorrelationId, NpgsqlDbType.Varchar).ConfigureAwait(false);
            await copy.WriteAsync(e.CausationId, NpgsqlDbType.Varchar).ConfigureAwait(false);
            await copy.WriteAsync(e.Headers, NpgsqlDbType.Jsonb).ConfigureAwait(false);
            await copy.WriteAsync(false, NpgsqlDbType.Boolean).ConfigureAwait(false);
        }

        await copy.CompleteAsync().ConfigureAwait(false);
    }

    private static NpgsqlBatchCommand Keys(Batch batch, long first) => new("""
        INSERT INTO ledger_command (principal, key, hash, last_position, event_count, at)
        SELECT * FROM unnest($1, $2, $3, $4, $5, $6)
        """)
    {
        Parameters =
        {
            new() { Value = batch.Commands.Select(c => c.Key.Principal).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text },
            new() { Value = batch.Commands.Select(c => c.Key.Key).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text },
            new() { Value = batch.Commands.Select(c => c.Hash.ToArray()).ToArray() },
            new() { Value = batch.Commands.Select(c => first - 1 + c.FirstEvent + c.EventCount).ToArray() },
            new() { Value = batch.Commands.Select(c => c.EventCount).ToArray() },
            new() { Value = batch.Commands.Select(c => c.At.ToDateTimeUtc()).ToArray() },
        },
    };
}

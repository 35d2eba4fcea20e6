using Mbp.Ledger;
using Mbp.Ledger.Writing;
using NodaTime;
using Npgsql;
using NpgsqlTypes;

namespace Mbp.Benchmarks.Naive;

/// <summary>
/// The write path that most services would begin with, done well, on the product's own tables: for each request, on a pooled connection, look up
/// the idempotency key, load every state that the command reads (newest snapshot and the events after it), decide with the product's decider,
/// and commit one transaction that moves the streams from the expected versions, inserts the events and the idempotency row. Whoever meets a
/// stream that somebody else has moved meanwhile loads again and retries after a short, random pause.
/// </summary>
/// <remarks>
/// What makes the comparison fair: the same PostgreSQL settings, tables, keys, triggers, deciders, events and promises (durable when answered,
/// exactly once for each key), all statements prepared, one round trip for all reads of a kind and one for all writes. It is helped where its
/// design would otherwise cripple it: snapshots every 50 events (the product: 500), so that no request folds more than 49 events of a stream,
/// and positions from a bare sequence, which may leave gaps that the product does not allow.
/// </remarks>
internal sealed class NaiveLedger : IAsyncDisposable
{
    private const int SnapshotEvery = 50;
    private const int MostAttempts = 50;
    private const int LongestPauseMs = 4;

    private readonly EventCatalog _catalog;
    private readonly NpgsqlDataSource _pool;

    public NaiveLedger(string connection, EventCatalog catalog)
    {
        _catalog = catalog;
        _pool = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connection) { MaxAutoPrepare = 50, AutoPrepareMinUsages = 2, Options = "-c jit=off" });
    }

    /// <summary>Carries a command out.</summary>
    /// <exception cref="LedgerBusyException">Others were faster every time.</exception>
    public async Task<CommandOutcome> ExecuteAsync(Operation operation, CommandContext context, CancellationToken cancellationToken)
    {
        for (var attempt = 1; attempt <= MostAttempts; attempt++)
        {
            if (await TryAsync(operation, context, cancellationToken).ConfigureAwait(false) is { } outcome)
            {
                return outcome;
            }

            await Task.Delay(Random.Shared.Next(LongestPauseMs + 1), cancellationToken).ConfigureAwait(false);
        }

        throw new LedgerBusyException($"Others were faster {MostAttempts} times.");
    }

    public ValueTask DisposeAsync() => _pool.DisposeAsync();

    /// <returns>Null = somebody else moved a stream in between.</returns>
    private async Task<CommandOutcome?> TryAsync(Operation operation, CommandContext context, CancellationToken cancellationToken)
    {
        await using var connection = await _pool.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        if (context.Key is { } key && await FindAsync(connection, key, context.Hash, cancellationToken).ConfigureAwait(false) is { } known)
        {
            return known;
        }

        var states = await LoadAsync(connection, operation.Reads, cancellationToken).ConfigureAwait(false);
        var now = SystemClock.Instance.GetCurrentInstant();
        var at = Instant.FromUnixTimeTicks(now.ToUnixTimeTicks() / 10 * 10);
        var decision = operation.Decide(states, at);
        if (decision.Rejection is { } rejection)
        {
            return new CommandOutcome(rejection, 0, []);
        }

        try
        {
            return await CommitAsync(connection, context, states, [.. decision.Events], at, cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.DeadlockDetected)
        {
            return null;
        }
    }

    private async Task<CommandOutcome?> FindAsync(NpgsqlConnection connection, CommandKey key, ReadOnlyMemory<byte> hash, CancellationToken cancellationToken)
    {
        (byte[] Hash, long Position, int Count) found;
        await using (var command = new NpgsqlCommand("SELECT hash, last_position, event_count FROM ledger_command WHERE principal = $1 AND key = $2", connection)
        {
            Parameters = { new() { Value = key.Principal }, new() { Value = key.Key } },
        })
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false))
        {
            if (!await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                return null;
            }

            found = (reader.GetFieldValue<byte[]>(0), reader.GetInt64(1), reader.GetInt32(2));
        }

        return found.Hash.AsSpan().SequenceEqual(hash.Span)
            ? new CommandOutcome(null, found.Position, await AnsweredAsync(connection, found.Position, found.Count, cancellationToken).ConfigureAwait(false), Replayed: true)
            : new CommandOutcome(LedgerErrors.KeyMismatch, found.Position, []);
    }

    // Positions of one command need not follow each other here, but no other command's events share its transaction.
    private async Task<IReadOnlyList<Recorded>> AnsweredAsync(NpgsqlConnection connection, long last, int count, CancellationToken cancellationToken)
    {
        var events = new List<Recorded>(count);
        await using var command = new NpgsqlCommand("""
            SELECT seq_id, stream_id, version, id, type, data, timestamp, correlation_id, causation_id FROM mt_events
            WHERE causation_id = (SELECT causation_id FROM mt_events WHERE seq_id = $1) AND seq_id > $1 - 10000 AND seq_id <= $1 ORDER BY seq_id
            """, connection)
        {
            Parameters = { new() { Value = last } },
        };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            events.Add(_catalog.Decode(new StoredEvent(
                reader.GetInt64(0), StreamId.Parse(reader.GetString(1)), reader.GetInt64(2), reader.GetGuid(3), reader.GetString(4),
                reader.GetFieldValue<byte[]>(5), Instant.FromDateTimeUtc(reader.GetDateTime(6)), reader.GetString(7), reader.GetString(8), default)));
        }

        return events;
    }

    private async Task<LoadedStates> LoadAsync(NpgsqlConnection connection, IReadOnlyList<StateRef> reads, CancellationToken cancellationToken)
    {
        var states = new LoadedStates(reads);
        await using (var command = new NpgsqlCommand("""
            SELECT s.stream_id, s.fold, s.version, s.state
            FROM unnest($1, $2) AS r (stream_id, fold) JOIN ledger_snapshot s ON s.stream_id = r.stream_id AND s.fold = r.fold
            """, connection)
        {
            Parameters = { Texts(reads.Select(r => r.Stream.Value)), Texts(reads.Select(r => r.Fold.Name)) },
        })
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false))
        {
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                states.Snapshot(reader.GetString(0), reader.GetString(1), reader.GetInt64(2), reader.GetFieldValue<byte[]>(3));
            }
        }

        // OFFSET 0 holds the planner to one walk of the index for each stream, whatever it believes about the table's size.
        await using (var command = new NpgsqlCommand("""
            SELECT e.stream_id, e.version, e.type, e.data
            FROM unnest($1, $2) AS s (stream_id, after)
            CROSS JOIN LATERAL (SELECT * FROM mt_events e WHERE e.stream_id = s.stream_id AND e.version > s.after ORDER BY e.version OFFSET 0) e
            """, connection)
        {
            Parameters =
            {
                Texts(states.Streams), new() { Value = states.Streams.Select(states.SnapshotOf).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bigint },
            },
        })
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false))
        {
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                states.Apply(reader.GetString(0), reader.GetInt64(1), _catalog.Decode(reader.GetString(2), reader.GetFieldValue<byte[]>(3)));
            }
        }

        return states;
    }

    private async Task<CommandOutcome?> CommitAsync(
        NpgsqlConnection connection, CommandContext context, LoadedStates states, IReadOnlyList<StreamEvent> events, Instant at, CancellationToken cancellationToken)
    {
        var (causation, time) = (Guid.CreateVersion7().ToString("N"), at.ToDateTimeUtc());
        var moves = events.GroupBy(e => e.Stream.Value)
            .Select(g => (Stream: g.Key, Expected: states.VersionOf(g.Key), Version: states.VersionOf(g.Key) + g.Count())).ToList();
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await using var batch = new NpgsqlBatch(connection, transaction);
        foreach (var (stream, expected, version) in moves)
        {
            batch.BatchCommands.Add(expected == 0
                ? Command("INSERT INTO mt_streams (id, version, timestamp, created, tenant_id, is_archived) VALUES ($1, $2, $3, $3, '*DEFAULT*', false)", stream, version, time)
                : Command("UPDATE mt_streams SET version = $2, timestamp = $3 WHERE id = $1 AND version = $4", stream, version, time, expected));
        }

        var recorded = new List<Recorded>(events.Count);
        foreach (var (stream, body) in events)
        {
            var (encoded, version, id) = (_catalog.Encode(body), states.Apply(stream.Value, body), Guid.CreateVersion7());
            recorded.Add(new Recorded(new StoredEvent(0, stream, version, id, encoded.Type, encoded.Data, at, context.CorrelationId, causation, default), body));
            var insert = Command("""
                INSERT INTO mt_events
                  (seq_id, id, stream_id, version, data, type, timestamp, tenant_id, mt_dotnet_type, correlation_id, causation_id, headers, is_archived)
                VALUES (nextval('mt_events_sequence'), $1, $2, $3, $4, $5, $6, '*DEFAULT*', $7, $8, $9, jsonb_build_object('actor', $10), false)
                """, id, stream.Value, version, encoded.Data, encoded.Type, time, encoded.DotnetType, context.CorrelationId, causation, context.Actor);
            insert.Parameters[3].NpgsqlDbType = NpgsqlDbType.Jsonb;
            insert.Parameters[9].NpgsqlDbType = NpgsqlDbType.Text;
            batch.BatchCommands.Add(insert);
        }

        if (context.Key is { } key)
        {
            batch.BatchCommands.Add(Command("""
                INSERT INTO ledger_command (principal, key, hash, last_position, event_count, at) VALUES ($1, $2, $3, currval('mt_events_sequence'), $4, $5)
                """, key.Principal, key.Key, context.Hash.ToArray(), events.Count, time));
        }

        batch.BatchCommands.Add(new NpgsqlBatchCommand("SELECT CASE WHEN $1 THEN currval('mt_events_sequence') END") { Parameters = { new() { Value = events.Count > 0 } } });
        var position = await batch.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) as long? ?? 0;
        if (Enumerable.Range(0, moves.Count).Any(i => batch.BatchCommands[i].RecordsAffected != 1))
        {
            await transaction.RollbackAsync(cancellationToken).ConfigureAwait(false);
            return null;
        }

        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        await SaveSnapshotsAsync(connection, states, moves, cancellationToken).ConfigureAwait(false);
        return new CommandOutcome(null, position, recorded);
    }

    private static async Task SaveSnapshotsAsync(
        NpgsqlConnection connection, LoadedStates states, List<(string Stream, long Expected, long Version)> moves, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(connection);
        foreach (var (stream, expected, version) in moves)
        {
            if (expected / SnapshotEvery == version / SnapshotEvery)
            {
                continue;
            }

            foreach (var (fold, state) in states.Of(stream))
            {
                batch.BatchCommands.Add(Command("""
                    INSERT INTO ledger_snapshot (stream_id, fold, fold_version, version, state) VALUES ($1, $2, $3, $4, $5)
                    ON CONFLICT (stream_id, fold) DO UPDATE SET fold_version = excluded.fold_version, version = excluded.version, state = excluded.state
                    WHERE ledger_snapshot.version < excluded.version
                    """, stream, fold.Name, fold.Version, version, fold.Save(state)));
            }
        }

        if (batch.BatchCommands.Count > 0)
        {
            await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private static NpgsqlBatchCommand Command(string sql, params ReadOnlySpan<object> values)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var value in values)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        }

        return command;
    }

    private static NpgsqlParameter Texts(IEnumerable<string> values) => new() { Value = values.ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text };
}

using Mbp.Ledger.Reacting;
using Npgsql;

namespace Mbp.Ledger.Postgres.Reacting;

/// <summary>Cursors in <c>mt_event_progression</c> and messages in <c>ledger_outbox</c>, as the projector. No connection is made before the first use.</summary>
public sealed class PostgresSubscriptions(RoleConnections connections) : ISubscriptionStore, IAsyncDisposable
{
    // One statement: the messages are there if and only if the cursor moved.
    private const string Advance = """
        WITH moved AS (
          UPDATE mt_event_progression SET last_seq_id = $3, last_updated = clock_timestamp() WHERE name = $1 AND last_seq_id = $2 RETURNING 1
        ),
        sent AS (
          INSERT INTO ledger_outbox (id, position, destination, body, at)
          SELECT m.id, m.position, m.destination, m.body, clock_timestamp() FROM moved, unnest($4, $5, $6, $7) AS m (id, position, destination, body)
          ON CONFLICT (id) DO NOTHING
        )
        SELECT count(*) FROM moved
        """;

    // None of it waits for the disk: what is lost with the server is done again, under the same keys and ids.
    private readonly NpgsqlDataSource _pool = RoleConnections.Pool(
        "mbp_subscriptions", (connections ?? throw new ArgumentNullException(nameof(connections))).Projector, c => c.Options = $"{c.Options} -c synchronous_commit=off -c jit=off".Trim());

    public async Task<long?> FindAsync(string cursor, CancellationToken cancellationToken)
    {
        await using var command = Command("SELECT last_seq_id FROM mt_event_progression WHERE name = $1", cursor);
        return (long?)await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
    }

    public async Task CreateAsync(string cursor, long position, CancellationToken cancellationToken)
    {
        await using var command = Command(
            "INSERT INTO mt_event_progression (name, last_seq_id, last_updated) VALUES ($1, $2, clock_timestamp()) ON CONFLICT (name) DO NOTHING", cursor, position);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    public async Task<bool> AdvanceAsync(string cursor, long from, long to, IReadOnlyList<PlacedMessage> messages, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(messages);
        await using var command = Command(
            Advance, cursor, from, to,
            messages.Select(m => m.Message.Id).ToArray(), messages.Select(m => m.Position).ToArray(),
            messages.Select(m => m.Message.Destination).ToArray(), messages.Select(m => m.Message.Body.ToArray()).ToArray());
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is 1L;
    }

    public async Task<IReadOnlyList<OutboxMessage>> WaitingAsync(string destination, int most, CancellationToken cancellationToken)
    {
        await using var command = Command("SELECT id, body FROM ledger_outbox WHERE destination = $1 ORDER BY position, id LIMIT $2", destination, most);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var waiting = new List<OutboxMessage>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            waiting.Add(new OutboxMessage(reader.GetGuid(0), destination, reader.GetFieldValue<byte[]>(1)));
        }

        return waiting;
    }

    public async Task DeleteAsync(Guid message, CancellationToken cancellationToken)
    {
        await using var command = Command("DELETE FROM ledger_outbox WHERE id = $1", message);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    public ValueTask DisposeAsync() => _pool.DisposeAsync();

    private NpgsqlCommand Command(string sql, params object[] values)
    {
        var command = _pool.CreateCommand(sql);
        foreach (var value in values)
        {
            command.Parameters.Add(new() { Value = value });
        }

        return command;
    }
}

using System.Runtime.InteropServices;
using Npgsql;
using NpgsqlTypes;

namespace Mbp.Ledger.Postgres;

/// <summary>The prepared statement of <c>Sql/commit.sql</c> with its parameters; one for each writer's connection.</summary>
internal sealed class CommitCommand : IAsyncDisposable
{
    private static readonly string Sql = Migrations.Resource(typeof(CommitCommand).Assembly, "Mbp.Ledger.Postgres.Sql.commit.sql");

    private readonly NpgsqlCommand _command;
    private readonly NpgsqlParameter<string> _shard;
    private readonly NpgsqlParameter<long> _epoch;
    private readonly NpgsqlParameter<long> _expected;
    private readonly NpgsqlParameter<long> _count;
    private readonly NpgsqlParameter<DateTime?> _at;
    private readonly NpgsqlParameter<string[]> _newIds;
    private readonly NpgsqlParameter<long[]> _newVersions;
    private readonly NpgsqlParameter<string[]> _oldIds;
    private readonly NpgsqlParameter<long[]> _oldExpected;
    private readonly NpgsqlParameter<long[]> _oldVersions;
    private readonly NpgsqlParameter<Guid[]> _eventIds;
    private readonly NpgsqlParameter<string[]> _streamIds;
    private readonly NpgsqlParameter<long[]> _versions;
    private readonly NpgsqlParameter<byte[][]> _bodies;
    private readonly NpgsqlParameter<string[]> _types;
    private readonly NpgsqlParameter<DateTime[]> _times;
    private readonly NpgsqlParameter<string[]> _dotnetTypes;
    private readonly NpgsqlParameter<string[]> _correlations;
    private readonly NpgsqlParameter<string[]> _causations;
    private readonly NpgsqlParameter<byte[]?[]> _headers;
    private readonly NpgsqlParameter<string[]> _principals;
    private readonly NpgsqlParameter<string[]> _keys;
    private readonly NpgsqlParameter<byte[][]> _hashes;
    private readonly NpgsqlParameter<long[]> _lastEvents;
    private readonly NpgsqlParameter<int[]> _eventCounts;
    private readonly NpgsqlParameter<DateTime[]> _commandTimes;
    private readonly NpgsqlParameter<Guid[]> _messageIds;
    private readonly NpgsqlParameter<string[]> _destinations;
    private readonly NpgsqlParameter<byte[][]> _messages;
    private readonly NpgsqlParameter<ReadOnlyMemory<byte>> _leaves;
    private readonly NpgsqlParameter<byte[]> _leafHashes;
    private readonly NpgsqlParameter<ReadOnlyMemory<byte>> _salts;

    private CommitCommand(NpgsqlConnection connection)
    {
        // No timeout: a commit that was sent is waited for. Giving up would not undo it, and a cancelled wait for a standby looks like success.
        _command = new NpgsqlCommand(Sql, connection) { CommandTimeout = 0 };
        const NpgsqlDbType array = NpgsqlDbType.Array;
        _shard = Add<string>(NpgsqlDbType.Text);
        _epoch = Add<long>(NpgsqlDbType.Bigint);
        _expected = Add<long>(NpgsqlDbType.Bigint);
        _count = Add<long>(NpgsqlDbType.Bigint);
        _at = Add<DateTime?>(NpgsqlDbType.TimestampTz);
        _newIds = Add<string[]>(array | NpgsqlDbType.Text);
        _newVersions = Add<long[]>(array | NpgsqlDbType.Bigint);
        _oldIds = Add<string[]>(array | NpgsqlDbType.Text);
        _oldExpected = Add<long[]>(array | NpgsqlDbType.Bigint);
        _oldVersions = Add<long[]>(array | NpgsqlDbType.Bigint);
        _eventIds = Add<Guid[]>(array | NpgsqlDbType.Uuid);
        _streamIds = Add<string[]>(array | NpgsqlDbType.Text);
        _versions = Add<long[]>(array | NpgsqlDbType.Bigint);
        _bodies = Add<byte[][]>(array | NpgsqlDbType.Jsonb);
        _types = Add<string[]>(array | NpgsqlDbType.Text);
        _times = Add<DateTime[]>(array | NpgsqlDbType.TimestampTz);
        _dotnetTypes = Add<string[]>(array | NpgsqlDbType.Text);
        _correlations = Add<string[]>(array | NpgsqlDbType.Text);
        _causations = Add<string[]>(array | NpgsqlDbType.Text);
        _headers = Add<byte[]?[]>(array | NpgsqlDbType.Jsonb);
        _principals = Add<string[]>(array | NpgsqlDbType.Text);
        _keys = Add<string[]>(array | NpgsqlDbType.Text);
        _hashes = Add<byte[][]>(array | NpgsqlDbType.Bytea);
        _lastEvents = Add<long[]>(array | NpgsqlDbType.Bigint);
        _eventCounts = Add<int[]>(array | NpgsqlDbType.Integer);
        _commandTimes = Add<DateTime[]>(array | NpgsqlDbType.TimestampTz);
        _messageIds = Add<Guid[]>(array | NpgsqlDbType.Uuid);
        _destinations = Add<string[]>(array | NpgsqlDbType.Text);
        _messages = Add<byte[][]>(array | NpgsqlDbType.Bytea);
        _leaves = Add<ReadOnlyMemory<byte>>(NpgsqlDbType.Bytea);
        _leafHashes = Add<byte[]>(NpgsqlDbType.Bytea);
        _salts = Add<ReadOnlyMemory<byte>>(NpgsqlDbType.Bytea);
    }

    public static async Task<CommitCommand> PrepareAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var command = new CommitCommand(connection);
        try
        {
            await command._command.PrepareAsync(cancellationToken).ConfigureAwait(false);
            return command;
        }
        catch
        {
            await command.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Sends the batch and waits for its outcome, however long it takes. <paramref name="cut"/> closes the socket: the outcome is then unknown.</summary>
    public async Task<long> ExecuteAsync(string shard, long epoch, long expected, Batch batch, IReadOnlyList<StreamMove> moves, CancellationToken cut)
    {
        _shard.TypedValue = shard;
        _epoch.TypedValue = epoch;
        _expected.TypedValue = expected;
        SetEvents(batch.Events);
        SetStreams(moves);
        SetCommands(batch.Commands);
        SetOutbox(batch.Outbox);
        _leaves.TypedValue = batch.Leaves.Leaves;
        _leafHashes.TypedValue = batch.Leaves.PackedHashes();
        _salts.TypedValue = batch.Leaves.Salts;
        return (long)(await _command.ExecuteScalarAsync(cut).ConfigureAwait(false))!;
    }

    public ValueTask DisposeAsync() => _command.DisposeAsync();

    private void SetEvents(IReadOnlyList<NewEvent> events)
    {
        _count.TypedValue = events.Count;
        _at.TypedValue = events.Count == 0 ? null : events[^1].At.ToTimestamp();
        _eventIds.TypedValue = Column(events, e => e.Id);
        _streamIds.TypedValue = Column(events, e => e.Stream.Value);
        _versions.TypedValue = Column(events, e => e.Version);
        _bodies.TypedValue = Column(events, e => e.Body.Data);
        _types.TypedValue = Column(events, e => e.Body.Type);
        _times.TypedValue = Column(events, e => e.At.ToTimestamp());
        _dotnetTypes.TypedValue = Column(events, e => e.Body.DotnetType);
        _correlations.TypedValue = Column(events, e => e.CorrelationId);
        _causations.TypedValue = Column(events, e => e.CausationId);
        _headers.TypedValue = Column(events, e => e.Headers.IsEmpty ? null : Bytes(e.Headers));
    }

    private void SetStreams(IReadOnlyList<StreamMove> moves)
    {
        var started = moves.Where(move => move.Expected == 0).ToList();
        var continued = moves.Where(move => move.Expected != 0).ToList();
        _newIds.TypedValue = Column(started, move => move.Stream.Value);
        _newVersions.TypedValue = Column(started, move => move.Version);
        _oldIds.TypedValue = Column(continued, move => move.Stream.Value);
        _oldExpected.TypedValue = Column(continued, move => move.Expected);
        _oldVersions.TypedValue = Column(continued, move => move.Version);
    }

    private void SetCommands(IReadOnlyList<NewCommand> commands)
    {
        _principals.TypedValue = Column(commands, command => command.Key.Principal);
        _keys.TypedValue = Column(commands, command => command.Key.Key);
        _hashes.TypedValue = Column(commands, command => Bytes(command.Hash));
        _lastEvents.TypedValue = Column(commands, command => (long)command.FirstEvent + command.EventCount);
        _eventCounts.TypedValue = Column(commands, command => command.EventCount);
        _commandTimes.TypedValue = Column(commands, command => command.At.ToTimestamp());
    }

    private void SetOutbox(IReadOnlyList<OutboxMessage> messages)
    {
        _messageIds.TypedValue = Column(messages, message => message.Id);
        _destinations.TypedValue = Column(messages, message => message.Destination);
        _messages.TypedValue = Column(messages, message => Bytes(message.Body));
    }

    private NpgsqlParameter<T> Add<T>(NpgsqlDbType type)
    {
        var parameter = new NpgsqlParameter<T> { NpgsqlDbType = type };
        _command.Parameters.Add(parameter);
        return parameter;
    }

    private static T[] Column<TRow, T>(IReadOnlyList<TRow> rows, Func<TRow, T> value)
    {
        var column = new T[rows.Count];
        for (var i = 0; i < column.Length; i++)
        {
            column[i] = value(rows[i]);
        }

        return column;
    }

    private static byte[] Bytes(ReadOnlyMemory<byte> memory) =>
        MemoryMarshal.TryGetArray(memory, out var segment) && segment.Array is { } whole && whole.Length == memory.Length ? whole : memory.ToArray();
}

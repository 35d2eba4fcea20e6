using System.Runtime.CompilerServices;
using Npgsql;
using NpgsqlTypes;

namespace Mbp.Ledger.Postgres;

/// <summary>Reads events page by page: memory stays bounded, and no transaction stays open behind a slow reader for long.</summary>
internal sealed class EventReader(NpgsqlDataSource pool)
{
    // Pages grow: whoever wants a few events is not made to wait for thousands, whoever wants all gets them in long strides.
    private const int FirstPage = 250;
    private const int LargestPage = 5_000;

    private const string Columns = "SELECT seq_id, stream_id, version, id, type, data, timestamp, correlation_id, causation_id, headers FROM mt_events";

    public IAsyncEnumerable<StoredEvent> RangeAsync(long after, long upTo, CancellationToken cancellationToken) => PagesAsync(
        $"{Columns} WHERE seq_id > $1 AND seq_id <= $2 ORDER BY seq_id LIMIT $3", e => e.Position, after, new() { Value = upTo }, cancellationToken);

    public IAsyncEnumerable<StoredEvent> StreamAsync(StreamId stream, long after, CancellationToken cancellationToken) => PagesAsync(
        $"{Columns} WHERE version > $1 AND stream_id = $2 ORDER BY version LIMIT $3",
        e => e.Version, after, new() { Value = stream.Value, NpgsqlDbType = NpgsqlDbType.Varchar }, cancellationToken);

    private async IAsyncEnumerable<StoredEvent> PagesAsync(
        string sql, Func<StoredEvent, long> cursor, long after, NpgsqlParameter scope, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var names = new Names();
        await using var connection = await pool.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        var from = new NpgsqlParameter<long> { TypedValue = after };
        var size = new NpgsqlParameter<int> { TypedValue = FirstPage };
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0, Parameters = { from, scope, size } };
        for (var full = true; full; size.TypedValue = LargestPage)
        {
            var rows = 0;
            await using var reader = await command.ExecuteReaderAsync(System.Data.CommandBehavior.Default, cancellationToken).ConfigureAwait(false);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                var stored = Read(reader, names);
                from.TypedValue = cursor(stored);
                rows++;
                yield return stored;
            }

            full = rows == size.TypedValue;
        }
    }

    // Bodies travel as jsonb's own bytes, which are UTF-8 text: no string is made of them. What a foreign event lacks reads as empty.
    private static StoredEvent Read(NpgsqlDataReader reader, Names names) => new(
        reader.GetInt64(0),
        names.Stream(reader.GetString(1)),
        reader.GetInt64(2),
        reader.GetGuid(3),
        names.Type(reader.GetString(4)),
        reader.GetFieldValue<byte[]>(5),
        reader.GetDateTime(6).ToInstant(),
        reader.IsDBNull(7) ? "" : reader.GetString(7),
        reader.IsDBNull(8) ? "" : reader.GetString(8),
        reader.IsDBNull(9) ? default : reader.GetFieldValue<byte[]>(9));

    // Few types and few streams recur in a long read; kept once, they do not live once for each event.
    private sealed class Names
    {
        private readonly Dictionary<string, string> _types = new(StringComparer.Ordinal);
        private (string Name, StreamId Id) _last = ("", default);

        public string Type(string type)
        {
            if (!_types.TryGetValue(type, out var kept))
            {
                _types.Add(type, kept = type);
            }

            return kept;
        }

        public StreamId Stream(string name)
        {
            if (_last.Name != name)
            {
                _last = (name, StreamId.Parse(name));
            }

            return _last.Id;
        }
    }
}

using System.Runtime.CompilerServices;
using System.Text;
using Mbp.Ledger.Json;
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
        var row = new Row();
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
                var stored = Read(reader, row);
                from.TypedValue = cursor(stored);
                rows++;
                yield return stored;
            }

            full = rows == size.TypedValue;
        }
    }

    // Bodies travel as jsonb's own bytes, which are UTF-8 text: no string is made of them. What a foreign event lacks reads as empty.
    internal static StoredEvent Read(NpgsqlDataReader reader, Row row) => new(
        reader.GetInt64(0),
        StreamId.Parse(row.Name(reader, 1)),
        reader.GetInt64(2),
        reader.GetGuid(3),
        row.Name(reader, 4),
        reader.GetFieldValue<byte[]>(5),
        reader.GetDateTime(6).ToInstant(),
        reader.IsDBNull(7) ? "" : row.Repeated(reader, 7, ref row.CorrelationId),
        reader.IsDBNull(8) ? "" : row.Repeated(reader, 8, ref row.CausationId),
        reader.IsDBNull(9) ? default : row.Headers(reader, 9));

    /// <summary>
    /// What one row shares with those before it: streams and types recur all the time, ids with the events of one command, headers with nearly all. A
    /// string or an array for each of them would be most of what a long read allocates.
    /// </summary>
    internal sealed class Row
    {
        // Ids of the ledger are far shorter. What fills it, or is not ASCII, is read as any other text.
        private readonly byte[] _bytes = new byte[512];
        private byte[] _headers = [];

        public string CorrelationId = "";
        public string CausationId = "";

        public string Name(NpgsqlDataReader reader, int column) =>
            Bytes(reader, column) is { IsEmpty: false } name && Ascii.IsValid(name) ? RecurringText.Of(name) : reader.GetString(column);

        public string Repeated(NpgsqlDataReader reader, int column, ref string last)
        {
            var id = Bytes(reader, column);
            return !id.IsEmpty && Ascii.Equals(id, last) ? last : last = reader.GetString(column);
        }

        public ReadOnlyMemory<byte> Headers(NpgsqlDataReader reader, int column)
        {
            // The first byte is the version of jsonb's format on the wire.
            var headers = Bytes(reader, column);
            return headers.Length > 1 && headers[1..].SequenceEqual(_headers) ? _headers : _headers = reader.GetFieldValue<byte[]>(column);
        }

        private ReadOnlySpan<byte> Bytes(NpgsqlDataReader reader, int column)
        {
            var length = (int)reader.GetBytes(column, 0, _bytes, 0, _bytes.Length);
            return length < _bytes.Length ? _bytes.AsSpan(0, length) : default;
        }
    }
}

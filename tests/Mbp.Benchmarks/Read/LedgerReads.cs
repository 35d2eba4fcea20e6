using System.Data;
using System.Text.Json;
using Mbp.Domain;
using Mbp.Ledger;
using Mbp.Ledger.Json;
using Mbp.Ledger.Postgres;
using Mbp.Ledger.Reading;
using Npgsql;
using NpgsqlTypes;

namespace Mbp.Benchmarks.Read;

/// <summary>Three ways through the whole ledger in order. Each returns how many events it saw.</summary>
internal static class LedgerReads
{
    private const string All =
        "SELECT seq_id, stream_id, version, id, type, data, timestamp, correlation_id, causation_id, headers FROM mt_events WHERE seq_id > $1 AND seq_id <= $2 ORDER BY seq_id";

    private static readonly EventCatalog Catalog = Slices.Catalog();
    private static readonly Dictionary<string, Type> Types = Catalog.Names.ToDictionary(e => e.Name, e => e.Type, StringComparer.Ordinal);

    /// <summary>Nothing can be faster: the rows come over the wire, and none of them is looked at.</summary>
    public static async Task<long> RowsOnlyAsync(NpgsqlDataSource source, long head)
    {
        await using var command = Command(source, head);
        await using var reader = await command.ExecuteReaderAsync(CommandBehavior.SequentialAccess).ConfigureAwait(false);
        var rows = 0L;
        while (await reader.ReadAsync().ConfigureAwait(false))
        {
            rows++;
        }

        return rows;
    }

    /// <summary>The product's way: what a rebuild and the audit read.</summary>
    public static async Task<long> DecodedAsync(PostgresEventStore store, long head)
    {
        var events = 0L;
        await foreach (var page in DecodedPages.ReadAsync(store, Catalog, 0, head, CancellationToken.None).ConfigureAwait(false))
        {
            events += page.Count;
        }

        return events;
    }

    /// <summary>The way that comes to mind first: one reader over everything, a string of each column, a document of each body, and the type looked up by its name.</summary>
    public static async Task<long> NaiveAsync(NpgsqlDataSource source, long head)
    {
        await using var command = Command(source, head);
        await using var reader = await command.ExecuteReaderAsync().ConfigureAwait(false);
        var events = 0L;
        while (await reader.ReadAsync().ConfigureAwait(false))
        {
            using var body = JsonDocument.Parse(reader.GetString(5));
            var data = body.Deserialize(Types[reader.GetString(4)], LedgerJson.Options) ?? throw new JsonException("The event is null.");
            using var headers = JsonDocument.Parse(reader.GetString(9));
            var row = new NaiveRow(
                reader.GetInt64(0), reader.GetString(1), reader.GetInt64(2), reader.GetGuid(3), data, reader.GetDateTime(6), reader.GetString(7), reader.GetString(8),
                headers.RootElement.GetProperty("actor").GetString());
            events += row.Version > 0 ? 1 : 0;
        }

        return events;
    }

    private static NpgsqlCommand Command(NpgsqlDataSource source, long head)
    {
        var command = source.CreateCommand(All);
        command.CommandTimeout = 0;
        command.Parameters.Add(new() { Value = 0L, NpgsqlDbType = NpgsqlDbType.Bigint });
        command.Parameters.Add(new() { Value = head, NpgsqlDbType = NpgsqlDbType.Bigint });
        return command;
    }

    private sealed record NaiveRow(
        long Position, string Stream, long Version, Guid Id, object Data, DateTime At, string CorrelationId, string CausationId, string? Actor);
}

using System.Security.Cryptography;
using System.Text;
using Mbp.Ledger.Reading;
using NodaTime;
using Npgsql;

namespace Mbp.Ledger.Postgres.Reading;

/// <summary>What the database says of one projection: which tables serve, how far they are, and why they stopped, if they did.</summary>
/// <param name="Name">The projection's name.</param>
/// <param name="Version">The version that its tables were made by.</param>
/// <param name="Shape">A hash of the tables' definition.</param>
/// <param name="Generation">Grows each time that the tables are replaced.</param>
/// <param name="Position">The last event that is in the tables.</param>
/// <param name="BuiltAt">When the tables were made.</param>
/// <param name="Fault">Why it stopped; null while it goes on.</param>
public sealed record ProjectionRecord(string Name, int Version, string Shape, long Generation, long Position, Instant BuiltAt, ProjectionFault? Fault)
{
    /// <summary>All of a database, as it says itself.</summary>
    public static async Task<IReadOnlyList<ProjectionRecord>> AllAsync(RoleConnections connections, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(connections);
        await using var pool = connections.Open(RoleConnections.ReaderRole);
        return await ProjectionRegistry.AllAsync(pool, cancellationToken).ConfigureAwait(false);
    }
}

/// <param name="Position">The event that it stopped at.</param>
/// <param name="Type">Its wire name.</param>
/// <param name="Cause">What is wrong.</param>
/// <param name="At">Since when.</param>
public sealed record ProjectionFault(long Position, string Type, string Cause, Instant At);

/// <summary>Reads and writes what the database knows of the projections. Whatever changes tables and their record changes both in one transaction.</summary>
internal static class ProjectionRegistry
{
    /// <summary>Serving tables, tables being built, and tables that were replaced.</summary>
    public const string Serving = "public", Build = "mbp_build", Old = "mbp_old";

    private const string Select = """
        SELECT p.name, p.version, p.shape, p.generation, coalesce(g.last_seq_id, 0), p.built_at, p.fault_position, p.fault_type, p.fault, p.fault_at
        FROM mbp_projection p LEFT JOIN mt_event_progression g ON g.name = 'mbp:' || p.name
        """;

    /// <summary>A hash of the tables' names, columns, types and keys: another shape is another set of tables, whatever the version says.</summary>
    public static string ShapeOf(TableProjection projection) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join(
        '\n', projection.Tables.Select(table => table.CreateTable(Serving) + table.CreateIndexes(Serving))))))[..16];

    public static async Task<IReadOnlyList<ProjectionRecord>> AllAsync(NpgsqlDataSource pool, CancellationToken cancellationToken)
    {
        await using var command = pool.CreateCommand($"{Select} ORDER BY p.name");
        return await ReadAsync(command, cancellationToken).ConfigureAwait(false);
    }

    public static async Task<ProjectionRecord?> FindAsync(NpgsqlDataSource pool, string name, CancellationToken cancellationToken)
    {
        await using var command = pool.CreateCommand($"{Select} WHERE p.name = $1");
        command.Parameters.Add(new() { Value = name });
        return (await ReadAsync(command, cancellationToken).ConfigureAwait(false)) is [var found] ? found : null;
    }

    /// <summary>Whether the tables that serve are those of this build, and all there.</summary>
    public static async Task<bool> IsCurrentAsync(NpgsqlDataSource pool, TableProjection projection, CancellationToken cancellationToken) =>
        await FindAsync(pool, projection.Name, cancellationToken).ConfigureAwait(false) is { } record
        && record.Version == projection.Version && record.Shape == ShapeOf(projection)
        && await AreThereAsync(pool, projection, cancellationToken).ConfigureAwait(false);

    /// <summary>Whether all of a projection's serving tables exist: somebody may have dropped one.</summary>
    public static async Task<bool> AreThereAsync(NpgsqlDataSource pool, TableProjection projection, CancellationToken cancellationToken)
    {
        await using var command = pool.CreateCommand("SELECT bool_and(to_regclass(name) IS NOT NULL) FROM unnest($1) AS name");
        command.Parameters.Add(new() { Value = projection.Tables.Select(table => table.Qualified(Serving)).ToArray() });
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is true;
    }

    public static async Task SetFaultAsync(NpgsqlDataSource pool, string name, ProjectionFaultException? fault, CancellationToken cancellationToken)
    {
        await using var command = pool.CreateCommand("""
            UPDATE mbp_projection SET fault = $2, fault_position = $3, fault_type = $4, fault_at = CASE WHEN $2 IS NULL THEN NULL ELSE clock_timestamp() END WHERE name = $1
            """);
        command.Parameters.AddRange(new NpgsqlParameter[]
        {
            new() { Value = name }, new() { Value = (object?)fault?.Cause ?? DBNull.Value, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Text },
            new() { Value = (object?)fault?.Position ?? DBNull.Value, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Bigint },
            new() { Value = (object?)fault?.Type ?? DBNull.Value, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Text },
        });
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Makes new tables the serving ones, in the caller's transaction: the old ones step aside, and the position is the new tables'.</summary>
    public static async Task ServeAsync(NpgsqlConnection session, TableProjection projection, long position, CancellationToken cancellationToken)
    {
        var sql = new StringBuilder();
        foreach (var table in projection.Tables)
        {
            sql.Append($"DROP TABLE IF EXISTS {table.Qualified(Old)};\nALTER TABLE IF EXISTS {table.Qualified(Serving)} SET SCHEMA {Old};\nALTER TABLE {table.Qualified(Build)} SET SCHEMA {Serving};\n");
        }

        await ExecuteAsync(session, sql.ToString(), cancellationToken).ConfigureAwait(false);
        await using var record = new NpgsqlCommand("""
            INSERT INTO mbp_projection (name, version, shape, generation, built_at) VALUES ($1, $2, $3, 1, clock_timestamp())
            ON CONFLICT (name) DO UPDATE SET version = excluded.version, shape = excluded.shape, generation = mbp_projection.generation + 1,
              built_at = excluded.built_at, fault = NULL, fault_position = NULL, fault_type = NULL, fault_at = NULL
            """, session) { Parameters = { new() { Value = projection.Name }, new() { Value = projection.Version }, new() { Value = ShapeOf(projection) } } };
        await record.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        await using var progress = new NpgsqlCommand("""
            INSERT INTO mt_event_progression (name, last_seq_id, last_updated) VALUES ('mbp:' || $1, $2, clock_timestamp())
            ON CONFLICT (name) DO UPDATE SET last_seq_id = excluded.last_seq_id, last_updated = excluded.last_updated
            """, session) { Parameters = { new() { Value = projection.Name }, new() { Value = position } } };
        await progress.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Empty tables to build in; what an earlier try left there goes.</summary>
    public static Task CreateBuildAsync(NpgsqlConnection session, TableProjection projection, CancellationToken cancellationToken) => ExecuteAsync(
        session,
        string.Join('\n', projection.Tables.Select(table => $"DROP TABLE IF EXISTS {table.Qualified(Build)};\n{table.CreateTable(Build)}")),
        cancellationToken);

    public static Task DropAsync(NpgsqlConnection session, TableProjection projection, string schema, CancellationToken cancellationToken) => ExecuteAsync(
        session, string.Join('\n', projection.Tables.Select(table => $"DROP TABLE IF EXISTS {table.Qualified(schema)};")), cancellationToken);

    public static async Task ExecuteAsync(NpgsqlConnection session, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, session) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async Task<IReadOnlyList<ProjectionRecord>> ReadAsync(NpgsqlCommand command, CancellationToken cancellationToken)
    {
        var records = new List<ProjectionRecord>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            records.Add(new ProjectionRecord(
                reader.GetString(0), reader.GetInt32(1), reader.GetString(2), reader.GetInt64(3), reader.GetInt64(4), reader.GetDateTime(5).ToInstant(),
                reader.IsDBNull(6) ? null : new ProjectionFault(reader.GetInt64(6), reader.GetString(7), reader.GetString(8), reader.GetDateTime(9).ToInstant())));
        }

        return records;
    }
}

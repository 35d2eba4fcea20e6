using Mbp.Ledger.Postgres;
using Mbp.Ledger.Postgres.Embedded;
using Npgsql;
using Xunit;

namespace Mbp.Testing;

/// <summary>
/// A fresh, migrated database for one test class (<c>IClassFixture</c>), on a server that the whole test run shares and that goes with it.
/// </summary>
public sealed class PostgresFixture : IAsyncLifetime
{
    private static readonly Lazy<Task<EmbeddedPostgres>> Shared =
        new(() => EmbeddedPostgres.StartAsync(new(DataFolder: null, Ephemeral: true), CancellationToken.None));

    private RoleConnections? _connections;

    /// <summary>The database's name.</summary>
    public string Database { get; } = $"test_{Guid.NewGuid():n}";

    /// <summary>One connection string for each role, to this database.</summary>
    public RoleConnections Connections => _connections ?? throw new InvalidOperationException("The fixture has not been initialized.");

    /// <summary>The server's superuser on this database: for what an administrator or an accident does.</summary>
    public string Superuser { get; private set; } = "";

    public async Task InitializeAsync()
    {
        var server = await Shared.Value;
        _connections = await server.CreateDatabaseAsync(Database, CancellationToken.None);
        Superuser = new NpgsqlConnectionStringBuilder(server.Superuser) { Database = Database, Pooling = false }.ConnectionString;
        await Migrations.Ledger.RunAsync(_connections.Owner, CancellationToken.None);
    }

    /// <summary>Runs a statement under any connection string.</summary>
    public static async Task<int> ExecuteAsync(string connection, string sql)
    {
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connection) { Pooling = false });
        await using var command = source.CreateCommand(sql);
        return await command.ExecuteNonQueryAsync();
    }

    /// <summary>All rows of a query, each as text with <c>|</c> between its columns.</summary>
    public static async Task<IReadOnlyList<string>> RowsAsync(string connection, string sql)
    {
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connection) { Pooling = false });
        await using var command = source.CreateCommand(sql);
        await using var reader = await command.ExecuteReaderAsync();
        List<string> rows = [];
        while (await reader.ReadAsync())
        {
            var values = new object[reader.FieldCount];
            reader.GetValues(values);
            rows.Add(string.Join('|', values.Select(value => value is DBNull ? "" : Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture))));
        }

        return rows;
    }

    // The server stays for the next class; its watchdog ends it with this process. The database is left, as dropping it costs more than it frees.
    public Task DisposeAsync() => Task.CompletedTask;
}

using Npgsql;

namespace Mbp.Ledger.Postgres.Embedded;

/// <summary>The roles and the database of an embedded server.</summary>
internal static class EmbeddedRoles
{
    public const string Database = "mbp";

    /// <summary>Makes what is missing. Passwords of an earlier start are kept, as others may be using them.</summary>
    public static async Task<RoleConnections> EnsureAsync(string superuser, string connectionsFile, CancellationToken cancellationToken)
    {
        var server = new NpgsqlConnectionStringBuilder(superuser);
        var kept = RoleConnections.Load(connectionsFile);
        var connections = kept?.With(c => c.Port = server.Port)
            ?? new(RoleConnections.Roles.ToDictionary(role => role, role => Connection(server.Port, role, Cluster.NewPassword(), Database).ConnectionString));

        await using (var pool = RoleConnections.Pool("mbp_setup", superuser, c => c.Pooling = false))
        await using (var session = await pool.OpenConnectionAsync(cancellationToken).ConfigureAwait(false))
        {
            foreach (var role in RoleConnections.Roles)
            {
                var exists = await ScalarAsync(session, $"SELECT 1 FROM pg_roles WHERE rolname = '{role}'", cancellationToken).ConfigureAwait(false) is not null;
                if (!exists || kept is null)
                {
                    var password = new NpgsqlConnectionStringBuilder(connections[role]).Password;
                    await ScalarAsync(session, $"{(exists ? "ALTER" : "CREATE")} ROLE {role} LOGIN PASSWORD '{password}'", cancellationToken).ConfigureAwait(false);
                }
            }

            // The keeper of the public log looks how far standbys are.
            await ScalarAsync(session, $"GRANT pg_read_all_stats TO {RoleConnections.WriterRole}", cancellationToken).ConfigureAwait(false);
            await EnsureDatabaseAsync(session, Database, cancellationToken).ConfigureAwait(false);
        }

        connections.Save(connectionsFile);
        return connections;
    }

    public static async Task EnsureDatabaseAsync(NpgsqlConnection session, string name, CancellationToken cancellationToken)
    {
        if (await ScalarAsync(session, $"SELECT 1 FROM pg_database WHERE datname = '{name}'", cancellationToken).ConfigureAwait(false) is null)
        {
            await ScalarAsync(session, $"CREATE DATABASE \"{name}\" OWNER mbp_owner", cancellationToken).ConfigureAwait(false);
        }
    }

    public static NpgsqlConnectionStringBuilder Connection(int port, string user, string password, string database) => new()
    {
        Host = "127.0.0.1",
        Port = port,
        Username = user,
        Password = password,
        Database = database,
        MaxPoolSize = 40,
        // Nothing leaves the machine, and asking for encryption costs a round trip.
        SslMode = SslMode.Disable,
        GssEncryptionMode = GssEncryptionMode.Disable,
    };

    private static async Task<object?> ScalarAsync(NpgsqlConnection session, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, session) { CommandTimeout = 300 };
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
    }
}

using Npgsql;

namespace Mbp.Ledger.Postgres;

/// <summary>
/// A server that somebody else runs (<c>--postgres</c>). The roles are made without login and granted to the given login, which then acts as
/// one of them on each connection: two hosts with different data folders need no common secret but that login.
/// </summary>
public static class ExternalServer
{
    private const int Attempts = 20;

    /// <exception cref="PostgresSetupException">The server cannot be used as it is; the message says what to do.</exception>
    public static async Task<RoleConnections> ConnectAsync(string connection, CancellationToken cancellationToken)
    {
        var login = Parse(connection);
        await using var pool = RoleConnections.Pool("mbp_setup", login.ConnectionString, c => c.Pooling = false);
        try
        {
            await using var session = await pool.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            if (session.PostgreSqlVersion.Major < 15)
            {
                throw new PostgresSetupException($"The server is PostgreSQL {session.PostgreSqlVersion}; version 15 or newer is needed.");
            }

            await MakeRolesAsync(session, login, cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InvalidCatalogName)
        {
            throw new PostgresSetupException(
                $"The database \"{login.Database}\" does not exist on {login.Host}. Make it first: CREATE DATABASE {Quote(login.Database!)};", e);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification)
        {
            throw new PostgresSetupException($"The server refuses the login \"{login.Username}\": {e.MessageText}", e);
        }
        catch (NpgsqlException e) when (e is not PostgresException)
        {
            throw new PostgresSetupException($"No PostgreSQL answers at {login.Host}:{login.Port}: {e.Message}", e);
        }

        return new(RoleConnections.Roles.ToDictionary(role => role, role => ActingAs(login, role)));
    }

    private static NpgsqlConnectionStringBuilder Parse(string connection)
    {
        NpgsqlConnectionStringBuilder login;
        try
        {
            login = new(connection);
        }
        catch (ArgumentException e)
        {
            // The message of the exception may quote the string, password included.
            throw new PostgresSetupException("The PostgreSQL connection string cannot be read. Example: Host=db;Username=mbp;Password=...;Database=mbp", e);
        }

        if (string.IsNullOrEmpty(login.Host))
        {
            throw new PostgresSetupException("The PostgreSQL connection string names no Host.");
        }

        return string.IsNullOrEmpty(login.Database)
            ? throw new PostgresSetupException("The PostgreSQL connection string names no Database. Without one the server would choose by the login's name.")
            : login;
    }

    private static string ActingAs(NpgsqlConnectionStringBuilder login, string role) => new NpgsqlConnectionStringBuilder(login.ConnectionString)
    {
        Options = $"{login.Options} -c role={role}".Trim(),
        // The reset of a pooled session (DISCARD ALL) would put the login's own role back, with all its rights.
        NoResetOnClose = true,
    }.ConnectionString;

    private static async Task MakeRolesAsync(NpgsqlConnection session, NpgsqlConnectionStringBuilder login, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var script in RoleConnections.Roles.Select(RoleScript).Append(GrantScript(login.Database!)))
            {
                await RunAsync(session, script, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            throw new PostgresSetupException(
                $"The login \"{login.Username}\" may not prepare the database ({e.MessageText}). Have an administrator run this in \"{login.Database}\" once:\n\n"
                + string.Concat(RoleConnections.Roles.Select(role => $"CREATE ROLE {role} NOLOGIN;\nGRANT {role} TO {Quote(login.Username!)};\n"))
                + $"GRANT CREATE ON DATABASE {Quote(login.Database!)} TO mbp_owner;\nGRANT CREATE, USAGE ON SCHEMA public TO mbp_owner;\nGRANT pg_read_all_stats TO mbp_writer;\n",
                e);
        }
    }

    // Roles belong to the whole server, and no lock does: another host may be making them at this moment, for this database or another.
    private static async Task RunAsync(NpgsqlConnection session, string sql, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                if (session.State != System.Data.ConnectionState.Open)
                {
                    // What two hosts do to one role at a time is an internal error of the server's, after which the session is closed here.
                    await session.OpenAsync(cancellationToken).ConfigureAwait(false);
                }

                await using var command = new NpgsqlCommand(sql, session);
                await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (PostgresException e) when (attempt < Attempts && e.SqlState is (PostgresErrorCodes.DuplicateObject or PostgresErrorCodes.UniqueViolation
                or PostgresErrorCodes.UndefinedObject or PostgresErrorCodes.InternalError))
            {
                // The last one is "tuple concurrently updated".
                await Task.Delay(100, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static string RoleScript(string role) => $$"""
        DO $$
        BEGIN
          IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{{role}}') THEN
            CREATE ROLE {{role}} NOLOGIN;
          END IF;
          -- Since PostgreSQL 16 who makes a role may administer it, and that is not yet the right to act as it.
          IF NOT pg_has_role('{{role}}', CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END) THEN
            GRANT {{role}} TO CURRENT_USER;
          END IF;
        END $$
        """;

    private static string GrantScript(string database) => $$"""
        DO $$
        BEGIN
          IF NOT has_database_privilege('mbp_owner', current_database(), 'CREATE') THEN
            GRANT CREATE ON DATABASE {{Quote(database)}} TO mbp_owner;
          END IF;
          IF NOT has_schema_privilege('mbp_owner', 'public', 'CREATE') THEN
            GRANT CREATE, USAGE ON SCHEMA public TO mbp_owner;
          END IF;
          -- The keeper of the public log looks how far standbys are. Not every login may grant that; /status says so where it matters.
          IF NOT pg_has_role('mbp_writer', 'pg_read_all_stats', 'MEMBER') THEN
            BEGIN
              GRANT pg_read_all_stats TO mbp_writer;
            EXCEPTION WHEN insufficient_privilege THEN
              NULL;
            END;
          END IF;
        END $$
        """;

    private static string Quote(string identifier) => $"\"{identifier.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}

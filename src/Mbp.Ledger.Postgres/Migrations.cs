using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Npgsql;

namespace Mbp.Ledger.Postgres;

/// <summary>
/// The numbered scripts of one component, run once each and in order. A script that was released never changes: a later one corrects it.
/// </summary>
/// <param name="Component">Whose scripts: numbers are counted for each component.</param>
/// <param name="Scripts">In order.</param>
public sealed partial record Migrations(string Component, IReadOnlyList<MigrationScript> Scripts)
{
    // 'MBP' and the migrations: the same key for every component, as a component may build on another's tables.
    private const string LockSql = "SELECT pg_advisory_xact_lock(5063248, 1)";

    private const string VersionTableSql = """
        CREATE TABLE IF NOT EXISTS mbp_schema_version (
          component text        NOT NULL,
          number    int         NOT NULL,
          name      text        NOT NULL,
          hash      text        NOT NULL,
          at        timestamptz NOT NULL DEFAULT now(),
          CONSTRAINT pk_mbp_schema_version PRIMARY KEY (component, number)
        )
        """;

    /// <summary>The tables of the ledger itself.</summary>
    public static Migrations Ledger { get; } = FromResources("ledger", typeof(Migrations).Assembly);

    /// <summary>Takes the embedded resources named <c>*.NNN_what.sql</c> of an assembly.</summary>
    public static Migrations FromResources(string component, Assembly assembly)
    {
        ArgumentNullException.ThrowIfNull(assembly);
        return new(component, [.. assembly.GetManifestResourceNames()
            .Select(name => (name, match: ScriptName().Match(name)))
            .Where(found => found.match.Success)
            .Select(found => new MigrationScript(int.Parse(found.match.Groups[1].ValueSpan, provider: null), found.match.Groups[2].Value, Resource(assembly, found.name)))
            .OrderBy(script => script.Number)]);
    }

    /// <summary>
    /// Brings the database up to date, as the owner; returns how many scripts ran. All of them in one transaction, so that a failure leaves
    /// the schema as it was, and under one lock, so that hosts that start together are safe.
    /// </summary>
    /// <exception cref="PostgresSetupException">The database was made by a newer or a different build.</exception>
    public async Task<int> RunAsync(string ownerConnection, CancellationToken cancellationToken)
    {
        await using var pool = RoleConnections.Pool("mbp_migrations", ownerConnection, c => c.Pooling = false);
        await using var session = await pool.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using var transaction = await session.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await ExecuteAsync(session, LockSql, cancellationToken).ConfigureAwait(false);
        await ExecuteAsync(session, VersionTableSql, cancellationToken).ConfigureAwait(false);
        var done = await DoneAsync(session, cancellationToken).ConfigureAwait(false);
        if (done.Keys.Except(Scripts.Select(script => script.Number)).Order().ToList() is [var unknown, ..])
        {
            throw new PostgresSetupException($"The database has schema version {Component}/{unknown}, which this build does not know: it was used by a newer build.");
        }

        var ran = 0;
        foreach (var script in Scripts)
        {
            if (!done.TryGetValue(script.Number, out var hash))
            {
                await ExecuteAsync(session, script.Sql, cancellationToken).ConfigureAwait(false);
                await RecordAsync(session, script, cancellationToken).ConfigureAwait(false);
                ran++;
            }
            else if (hash != script.Hash)
            {
                throw new PostgresSetupException($"The script {Component}/{script.Number} ({script.Name}) is not the one that made this database.");
            }
        }

        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        return ran;
    }

    internal static string Resource(Assembly assembly, string name)
    {
        using var stream = assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"{name} is not embedded.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    private static async Task ExecuteAsync(NpgsqlConnection session, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, session) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task<Dictionary<int, string>> DoneAsync(NpgsqlConnection session, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT number, hash FROM mbp_schema_version WHERE component = $1", session) { Parameters = { new() { Value = Component } } };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        Dictionary<int, string> done = [];
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            done.Add(reader.GetInt32(0), reader.GetString(1));
        }

        return done;
    }

    private async Task RecordAsync(NpgsqlConnection session, MigrationScript script, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("INSERT INTO mbp_schema_version (component, number, name, hash) VALUES ($1, $2, $3, $4)", session)
        {
            Parameters = { new() { Value = Component }, new() { Value = script.Number }, new() { Value = script.Name }, new() { Value = script.Hash } },
        };
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    [GeneratedRegex(@"\.(\d{3})_(\w+)\.sql$", RegexOptions.CultureInvariant)]
    private static partial Regex ScriptName();
}

/// <summary>One step of a schema.</summary>
public sealed record MigrationScript(int Number, string Name, string Sql)
{
    /// <summary>Line ends do not count: they change with the checkout.</summary>
    public string Hash { get; } = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Sql.ReplaceLineEndings("\n"))));
}

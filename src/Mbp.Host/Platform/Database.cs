using Mbp.Ledger.Postgres;
using Mbp.Ledger.Postgres.Embedded;
using Mbp.Ledger.Postgres.Log;

namespace Mbp.Host.Platform;

/// <summary>The database that the host runs on, its own or somebody else's, migrated and with one connection for each role.</summary>
public sealed class Database : IAsyncDisposable
{
    private readonly EmbeddedPostgres? _embedded;

    private Database(RoleConnections connections, PostgresEventStore store, OperatorKeys keys, PublicLog log, EmbeddedPostgres? embedded) =>
        (Connections, Store, Keys, Log, _embedded) = (connections, store, keys, log, embedded);

    public RoleConnections Connections { get; }

    public PostgresEventStore Store { get; }

    public OperatorKeys Keys { get; }

    /// <summary>The public log of the ledger.</summary>
    public PublicLog Log { get; }

    /// <exception cref="PostgresSetupException">Something is missing; the message names it and how to get it.</exception>
    public static async Task<Database> OpenAsync(MbpOptions options, Action<string> say, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(say);
        var data = Path.GetFullPath(options.Data);
        if (options.Ephemeral && File.Exists(Path.Combine(data, "postgres-password")))
        {
            // Its connections.json holds the only passwords of that ledger; a throw-away database must not replace them.
            throw new PostgresSetupException($"{data} holds a ledger. Give --ephemeral a folder of its own with --data, for its keys and connection strings.");
        }

        Directory.CreateDirectory(data);
        EmbeddedPostgres? embedded = null;
        try
        {
            RoleConnections connections;
            if (options.Postgres is { } external)
            {
                connections = await ExternalServer.ConnectAsync(external, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                embedded = await EmbeddedPostgres
                    .StartAsync(new EmbeddedPostgresOptions(options.Ephemeral ? null : data, options.Ephemeral, say), cancellationToken).ConfigureAwait(false);
                connections = embedded.Connections;
            }

            await Migrations.Ledger.RunAsync(connections.Owner, cancellationToken).ConfigureAwait(false);
            connections.Save(Path.Combine(data, "connections.json"));
            var log = await PublicLog.OpenAsync(connections, LogFolder(data, options), options.LogName, cancellationToken).ConfigureAwait(false);
            return new Database(connections, new PostgresEventStore(connections, options.Shard), OperatorKeys.LoadOrCreate(data), log, embedded);
        }
        catch
        {
            if (embedded is not null)
            {
                await embedded.DisposeAsync().ConfigureAwait(false);
            }

            throw;
        }
    }

    // The log of a throw-away database is thrown away with it: its keys and its last head would be another log's the next time.
    private static string LogFolder(string data, MbpOptions options)
    {
        var folder = Path.Combine(data, options.Ephemeral ? "log-ephemeral" : "log");
        if (options.Ephemeral && Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        return folder;
    }

    public async ValueTask DisposeAsync()
    {
        await Log.DisposeAsync().ConfigureAwait(false);
        await Store.DisposeAsync().ConfigureAwait(false);
        if (_embedded is not null)
        {
            await _embedded.DisposeAsync().ConfigureAwait(false);
        }
    }
}

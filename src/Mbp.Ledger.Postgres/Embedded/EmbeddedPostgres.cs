using System.Diagnostics;
using Npgsql;

namespace Mbp.Ledger.Postgres.Embedded;

/// <param name="DataFolder">Where the data lives; null only for an ephemeral server, which then makes a folder of its own.</param>
/// <param name="Ephemeral">The server and its folder go with the host, however the host ends.</param>
/// <param name="Log">Told what an operator should know: where things went, what was downloaded.</param>
/// <param name="Binaries">The programs to use; null = look for them.</param>
public sealed record EmbeddedPostgresOptions(string? DataFolder, bool Ephemeral = false, Action<string>? Log = null, PostgresBinaries? Binaries = null);

/// <summary>
/// A private PostgreSQL for this host, on 127.0.0.1. It outlives a host that is killed, and the next host finds it; several hosts on one data
/// folder share it, and the last one to stop gracefully stops it.
/// </summary>
public sealed class EmbeddedPostgres : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan WatchEvery = TimeSpan.FromSeconds(1);

    private readonly Cluster _cluster;
    private readonly string _folder;
    private readonly FileStream? _use;
    private readonly Watchdog? _watchdog;
    private readonly SemaphoreSlim _creating = new(1);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _watch;
    private int _stopped;

    private EmbeddedPostgres(
        Cluster cluster, string folder, FileStream? use, Watchdog? watchdog, RoleConnections connections, string superuser, PostgresBinaries binaries, Action<string> log)
    {
        _cluster = cluster;
        _folder = folder;
        _use = use;
        _watchdog = watchdog;
        Connections = connections;
        Superuser = superuser;
        Binaries = binaries;
        _watch = Task.Run(() => WatchAsync(log));
    }

    /// <summary>The connections of the database <c>mbp</c>, also in <c>connections.json</c> in the data folder.</summary>
    public RoleConnections Connections { get; }

    /// <summary>For administration and tests; the product itself never uses it after the start.</summary>
    public string Superuser { get; }

    public PostgresBinaries Binaries { get; }

    /// <summary>PostgreSQL's own data folder.</summary>
    public string ClusterFolder => _cluster.Data;

    /// <exception cref="PostgresSetupException">It cannot be started; the message says why and what helps.</exception>
    public static async Task<EmbeddedPostgres> StartAsync(EmbeddedPostgresOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        var log = options.Log ?? (_ => { });
        var user = ServerUser.Choose();
        var binaries = options.Binaries ?? await PostgresBinaries.FindAsync(log, cancellationToken).ConfigureAwait(false);
        binaries = await binaries.WithinReachAsync(user, log, cancellationToken).ConfigureAwait(false);
        return options.Ephemeral
            ? await StartEphemeralAsync(binaries, user, log, cancellationToken).ConfigureAwait(false)
            : await StartLastingAsync(options.DataFolder ?? throw new ArgumentException("A lasting server needs a data folder.", nameof(options)), binaries, user, log, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Makes one more database, with the same roles.</summary>
    public async Task<RoleConnections> CreateDatabaseAsync(string name, CancellationToken cancellationToken)
    {
        await _creating.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await using var pool = RoleConnections.Pool("mbp_setup", Superuser, c => c.Pooling = false);
            await using var session = await pool.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            await EmbeddedRoles.EnsureDatabaseAsync(session, name, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _creating.Release();
        }

        return Connections.With(c => c.Database = name);
    }

    /// <summary>Stops the server, unless another living host uses it.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _stopped, 1) != 0)
        {
            return;
        }

        await _stopping.CancelAsync().ConfigureAwait(false);
        await _watch.ConfigureAwait(false);
        if (_watchdog is not null)
        {
            await _watchdog.DisposeAsync().ConfigureAwait(false);
            return;
        }

        await using var turn = await FileLock.TakeAsync(StartLock(_folder), cancellationToken).ConfigureAwait(false);
        await _use!.DisposeAsync().ConfigureAwait(false);
        await using var alone = FileLock.TryTake(UseLock(_folder));
        if (alone is not null && _cluster.RunningPort() is not null)
        {
            await _cluster.StopAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None).ConfigureAwait(false);
        _creating.Dispose();
        _stopping.Dispose();
    }

    // A server whose first process was killed (by hand, or for want of memory) ends all its sessions and does not come back by itself.
    private async Task WatchAsync(Action<string> log)
    {
        using var timer = new PeriodicTimer(WatchEvery);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false))
            {
                if (_cluster.RunningPort() is null)
                {
                    await StartAgainAsync(log).ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The host stops.
        }
    }

    private async Task StartAgainAsync(Action<string> log)
    {
        // Several hosts on one data folder notice at the same time; one of them starts it.
        await using var turn = _use is null ? null : await FileLock.TakeAsync(StartLock(_folder), _stopping.Token).ConfigureAwait(false);
        if (_cluster.RunningPort() is not null)
        {
            return;
        }

        try
        {
            log("PostgreSQL has died. It is started again.");
            var port = await _cluster.StartAsync(CancellationToken.None).ConfigureAwait(false);
            if (port != new NpgsqlConnectionStringBuilder(Superuser).Port)
            {
                log($"Another program has taken PostgreSQL's port; it is on {port} now. Start the host again.");
            }
        }
        catch (Exception e) when (e is PostgresSetupException or IOException)
        {
            log($"PostgreSQL does not start; it is tried again. {e.Message}");
        }
    }

    private static async Task<EmbeddedPostgres> StartEphemeralAsync(PostgresBinaries binaries, ServerUser user, Action<string> log, CancellationToken cancellationToken)
    {
        var folder = await ReachableAsync(Directory.CreateTempSubdirectory("mbp-e-").FullName, user, _ => { }, cancellationToken).ConfigureAwait(false);
        var cluster = new Cluster(folder, binaries, user, ephemeral: true);
        var watchdog = Watchdog.Start(folder, cluster.StopCommand("immediate"));
        try
        {
            var password = Cluster.NewPassword();
            await cluster.InitializeAsync(password, cancellationToken).ConfigureAwait(false);
            var superuser = SuperuserOf(await cluster.StartAsync(cancellationToken).ConfigureAwait(false), password);
            var connections = await EmbeddedRoles.EnsureAsync(superuser, Path.Combine(folder, "connections.json"), cancellationToken).ConfigureAwait(false);
            return new(cluster, folder, use: null, watchdog, connections, superuser, binaries, log);
        }
        catch
        {
            await watchdog.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static async Task<EmbeddedPostgres> StartLastingAsync(string dataFolder, PostgresBinaries binaries, ServerUser user, Action<string> log, CancellationToken cancellationToken)
    {
        dataFolder = Path.GetFullPath(dataFolder);
        Directory.CreateDirectory(dataFolder);
        await using var turn = await FileLock.TakeAsync(StartLock(dataFolder), cancellationToken).ConfigureAwait(false);
        var use = FileLock.TryShare(UseLock(dataFolder)) ?? throw new PostgresSetupException($"{UseLock(dataFolder)} is held by another process.");
        try
        {
            var folder = await ReachableAsync(Path.Combine(dataFolder, "postgres"), user, log, cancellationToken).ConfigureAwait(false);
            var cluster = new Cluster(folder, binaries, user, ephemeral: false);
            var password = Password(Path.Combine(dataFolder, "postgres-password"), cluster.Exists);
            if (!cluster.Exists)
            {
                await cluster.InitializeAsync(password, cancellationToken).ConfigureAwait(false);
            }

            var port = await RunningAsync(cluster, password, log, cancellationToken).ConfigureAwait(false)
                ?? await cluster.StartAsync(cancellationToken).ConfigureAwait(false);
            var superuser = SuperuserOf(port, password);
            var connections = await EmbeddedRoles.EnsureAsync(superuser, Path.Combine(dataFolder, "connections.json"), cancellationToken).ConfigureAwait(false);
            return new(cluster, dataFolder, use, watchdog: null, connections, superuser, binaries, log);
        }
        catch
        {
            await use.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    // The folder itself if the server's user can write there, else the same place under /var/lib/mbp every time.
    private static async Task<string> ReachableAsync(string folder, ServerUser user, Action<string> log, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        await user.OwnAsync(folder, cancellationToken).ConfigureAwait(false);
        if (!user.Changed || await user.CanAsync("-w", folder, cancellationToken).ConfigureAwait(false))
        {
            return folder;
        }

        var place = ServerUser.SharedPlace(folder);
        log($"{user.Name}, who runs PostgreSQL, cannot reach {folder}: the data is kept in {place}.");
        Directory.Delete(folder);
        Directory.CreateDirectory(place);
        await user.OwnAsync(place, cancellationToken).ConfigureAwait(false);
        return await user.CanAsync("-w", place, cancellationToken).ConfigureAwait(false)
            ? place
            : throw new PostgresSetupException($"{user.Name}, who runs PostgreSQL, can write neither in {folder} nor in {place}.");
    }

    // A server that a killed host left behind, or that another host started, is used as it is. One that is starting or stopping is waited for.
    private static async Task<int?> RunningAsync(Cluster cluster, string password, Action<string> log, CancellationToken cancellationToken)
    {
        for (var waited = Stopwatch.StartNew(); cluster.RunningPort() is { } port; await Task.Delay(100, cancellationToken).ConfigureAwait(false))
        {
            try
            {
                await using var pool = RoleConnections.Pool("mbp_setup", SuperuserOf(port, password), c => c.Pooling = false);
                await using var session = await pool.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
                log($"The PostgreSQL of this data folder is running already, on port {port}.");
                return port;
            }
            catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.InvalidPassword)
            {
                throw new PostgresSetupException($"The server on {cluster.Data} (port {port}) does not take the password in the data folder. Was the file postgres-password replaced?", e);
            }
            catch (NpgsqlException e)
            {
                if (waited.Elapsed > Patience)
                {
                    throw new PostgresSetupException($"A PostgreSQL works on {cluster.Data} (port {port}) and does not answer: {e.Message}", e);
                }
            }
        }

        return null;
    }

    private static string Password(string path, bool clusterExists)
    {
        if (File.Exists(path))
        {
            return File.ReadAllText(path).Trim();
        }

        if (clusterExists)
        {
            throw new PostgresSetupException($"{path} is missing, and the database cannot be administered without it. Put it back from the backup.");
        }

        var password = Cluster.NewPassword();
        SecretFile.Write(path, System.Text.Encoding.ASCII.GetBytes(password));
        return password;
    }

    private static string SuperuserOf(int port, string password) => EmbeddedRoles.Connection(port, "postgres", password, "postgres").ConnectionString;

    private static string StartLock(string folder) => Path.Combine(folder, "postgres.lock");

    private static string UseLock(string folder) => Path.Combine(folder, "postgres.users");
}

using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Mbp.Ledger.Postgres.Embedded;

/// <summary>One PostgreSQL data folder: made, started, stopped. The caller sees to it that nobody else does so at the same time.</summary>
internal sealed class Cluster(string folder, PostgresBinaries binaries, ServerUser user, bool ephemeral)
{
    private const int StartAttempts = 20;

    private readonly string _data = Path.Combine(Path.GetFullPath(folder), "data");
    private readonly string _log = Path.Combine(folder, "server.log");

    public string Data => _data;

    public bool Exists => File.Exists(Path.Combine(_data, "PG_VERSION"));

    private string Settings => Path.Combine(_data, "mbp.conf");

    /// <summary>The superuser's password is set here and nowhere else; the folder appears whole or not at all.</summary>
    public async Task InitializeAsync(string password, CancellationToken cancellationToken)
    {
        var half = Path.Combine(folder, $"data.{Guid.NewGuid():n}");
        var secret = Path.Combine(folder, $"initial-password.{Guid.NewGuid():n}");
        try
        {
            SecretFile.Write(secret, System.Text.Encoding.ASCII.GetBytes(password));
            await user.OwnAsync(secret, cancellationToken).ConfigureAwait(false);
            string[] speed = ephemeral ? ["--no-sync"] : [];
            await Shell.RunAsync(
                user.Command([binaries.InitDb, "-D", half, "-U", "postgres", $"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--data-checksums", .. speed]),
                cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresSetupException e)
        {
            throw new PostgresSetupException($"PostgreSQL could not make its data folder in {folder}. {e.Message}", e);
        }
        finally
        {
            File.Delete(secret);
        }

        await File.AppendAllTextAsync(Path.Combine(half, "postgresql.conf"), "\n# Rewritten at every start. What stands below this line wins over it.\ninclude 'mbp.conf'\n", cancellationToken).ConfigureAwait(false);
        Directory.Move(half, _data);
    }

    /// <exception cref="PostgresSetupException">It does not start; the message holds what the server printed.</exception>
    public async Task<int> StartAsync(CancellationToken cancellationToken)
    {
        RequireVersion();
        if (RunningPort() is null)
        {
            // The server would believe a number that another program of its user has by now. That no process of an old server is left, it
            // finds out by itself from the shared memory.
            File.Delete(Path.Combine(_data, "postmaster.pid"));
        }

        var port = RememberedPort();
        for (var attempt = 1; ; attempt++)
        {
            port = port is { } wanted && IsFree(wanted) ? wanted : FreePort();
            await PrepareAsync(port.Value, cancellationToken).ConfigureAwait(false);
            var logged = File.Exists(_log) ? new FileInfo(_log).Length : 0;
            var (exit, output) = await Shell.TryAsync(
                user.Command(binaries.PgCtl, "start", "-D", _data, "-l", _log, "-w", "-t", "600"), cancellationToken).ConfigureAwait(false);
            if (exit == 0)
            {
                return port.Value;
            }

            var said = File.Exists(_log) ? (await File.ReadAllTextAsync(_log, cancellationToken).ConfigureAwait(false))[(int)Math.Min(logged, new FileInfo(_log).Length)..] : "";
            if (attempt == StartAttempts || !IsPassing(said))
            {
                RemoveSockets();
                throw new PostgresSetupException($"PostgreSQL in {_data} does not start (its log is {_log}):\n{output.Trim()}\n{said.Trim()}");
            }

            // Somebody took the port in between, or the last processes of a killed server are still going down.
            port = said.Contains("could not bind", StringComparison.Ordinal) ? null : port;
            await Task.Delay(500, cancellationToken).ConfigureAwait(false);
        }
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await Shell.RunAsync(StopCommand("fast"), cancellationToken).ConfigureAwait(false);
        RemoveSockets();
    }

    public IReadOnlyList<string> StopCommand(string mode) => user.Command(binaries.PgCtl, "stop", "-D", _data, "-m", mode, "-w", "-t", "60");

    /// <summary>The port of a server process that works on this folder now, ready or not; null = there is none.</summary>
    public int? RunningPort()
    {
        string[] lines;
        try
        {
            lines = File.ReadAllLines(Path.Combine(_data, "postmaster.pid"));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }

        if (lines.Length < 4 || !int.TryParse(lines[0], CultureInfo.InvariantCulture, out var pid) || !int.TryParse(lines[3], CultureInfo.InvariantCulture, out var port))
        {
            return null;
        }

        return WorksHere(pid) ? port : null;
    }

    // A number in a file left behind may be another program's by now; a server works in its data folder.
    private bool WorksHere(int pid)
    {
        if (!OperatingSystem.IsLinux())
        {
            return Process.GetProcesses().Any(process => process.Id == pid);
        }

        try
        {
            return new DirectoryInfo($"/proc/{pid}/cwd").ResolveLinkTarget(returnFinalTarget: false)?.FullName == _data;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is gone, or it is somebody else's and so not our server.
            return false;
        }
    }

    public static string NewPassword() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24));

    private async Task PrepareAsync(int port, CancellationToken cancellationToken)
    {
        RemoveSockets();
        // A fresh one each time, as a killed server leaves its socket behind; a short one, as the system allows about a hundred characters.
        var sockets = Directory.CreateTempSubdirectory("mbp-s-").FullName;
        await user.OwnAsync(sockets, cancellationToken).ConfigureAwait(false);
        if (new FileInfo(_log) is { Exists: true, Length: > 16 << 20 })
        {
            File.Move(_log, $"{_log}.old", overwrite: true);
        }

        SecretFile.Write(Settings, System.Text.Encoding.UTF8.GetBytes($"""
            # Written by MBP at every start.
            listen_addresses = '127.0.0.1'
            port = {port}
            unix_socket_directories = '{sockets}'
            max_connections = 300
            shared_buffers = 256MB
            max_wal_size = 4GB
            min_wal_size = 256MB
            checkpoint_completion_target = 0.9
            wal_compression = on
            fsync = on
            full_page_writes = on
            synchronous_commit = on
            commit_delay = 0
            jit = off
            password_encryption = 'scram-sha-256'
            log_checkpoints = off
            log_line_prefix = '%m [%p] %u@%d '

            """));
        await user.OwnAsync(Settings, cancellationToken).ConfigureAwait(false);
    }

    private void RequireVersion()
    {
        var made = File.ReadAllText(Path.Combine(_data, "PG_VERSION")).Trim();
        if (made != binaries.Major.ToString(CultureInfo.InvariantCulture))
        {
            throw new PostgresSetupException(
                $"{_data} was made by PostgreSQL {made}, and the programs found are version {binaries.Major} ({binaries.Folder}). "
                + $"Name the folder of version {made} in {PostgresBinaries.Variable}, or move the data over with pg_upgrade.");
        }
    }

    private int? RememberedPort() => Setting("port") is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : null;

    private string? SocketFolder() => Setting("unix_socket_directories")?.Trim('\'');

    private void RemoveSockets()
    {
        if (SocketFolder() is { } sockets && Directory.Exists(sockets))
        {
            Directory.Delete(sockets, recursive: true);
        }
    }

    private string? Setting(string name) => File.Exists(Settings)
        ? File.ReadLines(Settings).FirstOrDefault(line => line.StartsWith($"{name} = ", StringComparison.Ordinal))?[(name.Length + 3)..]
        : null;

    private static bool IsPassing(string said) =>
        said.Contains("could not bind", StringComparison.Ordinal)
        || said.Contains("pre-existing shared memory block", StringComparison.Ordinal)
        || said.Contains("\"postmaster.pid\" already exists", StringComparison.Ordinal);

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}

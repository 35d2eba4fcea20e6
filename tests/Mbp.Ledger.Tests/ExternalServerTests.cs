using Mbp.Ledger.Postgres;
using Mbp.Ledger.Postgres.Embedded;
using Mbp.Testing;
using Npgsql;
using Xunit;
using static Mbp.Ledger.Tests.Given;

namespace Mbp.Ledger.Tests;

/// <summary>A server of somebody else's, without our roles.</summary>
public sealed class ExternalServerTests : IAsyncLifetime
{
    private EmbeddedPostgres? _server;

    private static CancellationToken None => CancellationToken.None;

    private string Superuser => _server!.Superuser;

    public async Task InitializeAsync()
    {
        _server = await EmbeddedPostgres.StartAsync(new(DataFolder: null, Ephemeral: true), None);
        // As a stranger's server would be: no role and no database of ours.
        await PostgresFixture.ExecuteAsync(Superuser, "DROP DATABASE mbp WITH (FORCE)");
        await PostgresFixture.ExecuteAsync(Superuser, $"DROP ROLE {string.Join(", ", RoleConnections.Roles)}");
        await PostgresFixture.ExecuteAsync(Superuser, "CREATE ROLE plain LOGIN PASSWORD 'p'");
        await PostgresFixture.ExecuteAsync(Superuser, "CREATE ROLE maker LOGIN CREATEROLE PASSWORD 'p'");
        await PostgresFixture.ExecuteAsync(Superuser, "CREATE DATABASE app OWNER maker");
    }

    public Task DisposeAsync() => _server!.DisposeAsync().AsTask();

    [Fact]
    public async Task Two_hosts_share_a_login_that_may_make_roles()
    {
        var hosts = await Task.WhenAll(ExternalServer.ConnectAsync(Login("maker"), None), ExternalServer.ConnectAsync(Login("maker"), None));
        await Task.WhenAll(hosts.Select(host => Migrations.Ledger.RunAsync(host.Owner, None)));
        await using var a = new PostgresEventStore(hosts[0]);
        await using var b = new PostgresEventStore(hosts[1]);
        await using var lease = await a.TryAcquireAsync("a", None);
        Assert.Null(await b.TryAcquireAsync("b", None));
        Assert.Equal(1, await a.AppendAsync(lease!, new Batch(Event(Stream(), 1))));
        Assert.Equal(1, await b.HeadAsync(None));

        // The role must hold on a session that was in the pool before, prepared statements or not.
        await using var pool = hosts[0].Open(RoleConnections.WriterRole);
        for (var i = 0; i < 3; i++)
        {
            await using var command = pool.CreateCommand("SELECT current_user::text");
            Assert.Equal("mbp_writer", await command.ExecuteScalarAsync());
        }
    }

    [Fact]
    public async Task A_login_without_rights_gets_the_script_for_the_administrator()
    {
        var e = await Assert.ThrowsAsync<PostgresSetupException>(() => ExternalServer.ConnectAsync(Login("plain"), None));
        Assert.Contains("GRANT mbp_writer TO \"plain\";", e.Message, StringComparison.Ordinal);

        // The script is what it promises.
        var script = e.Message[e.Message.IndexOf("CREATE ROLE", StringComparison.Ordinal)..];
        await PostgresFixture.ExecuteAsync(new NpgsqlConnectionStringBuilder(Superuser) { Database = "app" }.ConnectionString, script);
        var connections = await ExternalServer.ConnectAsync(Login("plain"), None);
        Assert.Equal(Migrations.Ledger.Scripts.Count, await Migrations.Ledger.RunAsync(connections.Owner, None));
    }

    [Theory]
    [InlineData("Host=127.0.0.1;Username=x", "names no Database")]
    [InlineData("Database=x;Username=x", "names no Host")]
    [InlineData("Host=127.0.0.1;Port=1;Username=x;Database=x", "No PostgreSQL answers at 127.0.0.1:1")]
    [InlineData("Password=secret;nonsense", "cannot be read")]
    public async Task A_connection_that_cannot_work_is_explained(string connection, string words)
    {
        var e = await Assert.ThrowsAsync<PostgresSetupException>(() => ExternalServer.ConnectAsync(connection, None));
        Assert.Contains(words, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_database_and_a_wrong_password_are_named()
    {
        var missing = await Assert.ThrowsAsync<PostgresSetupException>(() => ExternalServer.ConnectAsync(Login("maker", database: "nowhere"), None));
        Assert.Contains("CREATE DATABASE \"nowhere\"", missing.Message, StringComparison.Ordinal);
        var wrong = await Assert.ThrowsAsync<PostgresSetupException>(() => ExternalServer.ConnectAsync(Login("maker", password: "q"), None));
        Assert.Contains("refuses the login \"maker\"", wrong.Message, StringComparison.Ordinal);
    }

    private string Login(string name, string database = "app", string password = "p") => new NpgsqlConnectionStringBuilder(Superuser)
    {
        Username = name,
        Password = password,
        Database = database,
    }.ConnectionString;
}

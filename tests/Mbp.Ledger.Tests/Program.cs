using Mbp.Ledger.Postgres.Embedded;
using Npgsql;

namespace Mbp.Ledger.Tests;

/// <summary>A host that starts a server, says so and waits, for tests that kill it: <c>FOLDER</c>, or <c>--ephemeral</c>.</summary>
internal static class Program
{
    private static async Task<int> Main(string[] args)
    {
        var options = args is ["--ephemeral"] ? new EmbeddedPostgresOptions(DataFolder: null, Ephemeral: true) : new EmbeddedPostgresOptions(args[0]);
        await using var server = await EmbeddedPostgres.StartAsync(options, CancellationToken.None);
        Console.WriteLine($"{new NpgsqlConnectionStringBuilder(server.Superuser).Port} {server.ClusterFolder}");
        await Console.In.ReadToEndAsync();
        return 0;
    }
}

using System.CommandLine;
using Mbp.Cli.Api;
using Mbp.Cli.Files;
using Mbp.Domain.Governance.Custody;
using Mbp.Ledger.Postgres;
using Mbp.Ledger.Postgres.Custody;
using Mbp.Ledger.Postgres.Embedded;

namespace Mbp.Cli.Auditing;

/// <summary><c>mbp audit replay</c>: the ledger again from its first event, trusting nothing but the events.</summary>
internal static class AuditVerb
{
    public static Command Create()
    {
        var market = new Option<string?>("--market") { Description = "Show this market's final state, too; the whole ledger is gone through all the same." };
        var to = new Option<long?>("--to") { Description = "Stop after the command at this position." };
        var replay = new Command("replay", "Folds the ledger again, asks every decider again, and holds each invariant to every position.") { market, to };
        var ledger = new LedgerOptions().AddTo(replay);
        replay.SetAction(async (parsed, cancellationToken) =>
        {
            await using var database = await ledger.OpenAsync(parsed, cancellationToken).ConfigureAwait(false);
            var live = await LiveDigest.TryGetAsync(ledger.Host, parsed, cancellationToken).ConfigureAwait(false);
            await using var leaves = new DeepCheck(database.Connections, database.Store, Erasable.Of);
            var run = new ReplayRun(database.Store, leaves, live);
            var head = await database.Store.HeadAsync(cancellationToken).ConfigureAwait(false);
            await Importing.Progress.ShowAsync(
                "events", Math.Min(head, parsed.GetValue(to) ?? head), () => run.Audit.Position, run.GoAsync(parsed.GetValue(to), cancellationToken)).ConfigureAwait(false);
            await ledger.SayAsync(parsed, run.ToJson, () => run.ToText(parsed.GetValue(market))).ConfigureAwait(false);
            if (parsed.GetValue(market) is { } asked && !run.Audit.States.Markets.ContainsKey(asked))
            {
                throw new EnvironmentException($"There is no market '{asked}' in what was replayed.");
            }

            return run.Holds ? 0 : 1;
        });
        return new Command("audit", "Checks the ledger.") { replay };
    }
}

/// <summary>The database of a host, running or not: where nothing answers, the embedded server is started for the time of the command.</summary>
internal sealed class LedgerAccess(RoleConnections connections, PostgresEventStore store, EmbeddedPostgres? embedded) : IAsyncDisposable
{
    public RoleConnections Connections => connections;

    public PostgresEventStore Store => store;

    public static async Task<LedgerAccess> OpenAsync(string data, string? postgres, CancellationToken cancellationToken)
    {
        if (postgres is not null)
        {
            return await AtAsync(await ExternalServer.ConnectAsync(postgres, cancellationToken).ConfigureAwait(false), null, cancellationToken).ConfigureAwait(false);
        }

        var connections = RoleConnections.Load(Path.Combine(data, "connections.json"))
                          ?? throw new EnvironmentException($"There is no ledger in {data}: connections.json is missing. Is --data the host's data folder?");
        if (await AnswersAsync(connections, cancellationToken).ConfigureAwait(false))
        {
            return await AtAsync(connections, null, cancellationToken).ConfigureAwait(false);
        }

        var embedded = await EmbeddedPostgres.StartAsync(new EmbeddedPostgresOptions(Path.GetFullPath(data)), cancellationToken).ConfigureAwait(false);
        return await AtAsync(embedded.Connections, embedded, cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        await store.DisposeAsync().ConfigureAwait(false);
        if (embedded is not null)
        {
            await embedded.DisposeAsync().ConfigureAwait(false);
        }
    }

    private static async Task<LedgerAccess> AtAsync(RoleConnections connections, EmbeddedPostgres? embedded, CancellationToken cancellationToken) => new(
        connections,
        new PostgresEventStore(
            connections,
            await PostgresEventStore.FindShardAsync(connections, cancellationToken).ConfigureAwait(false)
            ?? throw new EnvironmentException("No writer has ever led this database: there is no ledger in it.")),
        embedded);

    private static async Task<bool> AnswersAsync(RoleConnections connections, CancellationToken cancellationToken)
    {
        try
        {
            await using var pool = connections.Open(RoleConnections.ReaderRole);
            await using var session = await pool.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (Npgsql.NpgsqlException)
        {
            return false;
        }
    }
}

/// <summary>The running host's hash over its read models, at the position that they showed.</summary>
internal sealed record LiveDigest(string Digest, long Position)
{
    /// <summary>Null when no host answers: then there is nothing live to compare with, and the report says so.</summary>
    public static async Task<LiveDigest?> TryGetAsync(HostConnection host, ParseResult parsed, CancellationToken cancellationToken)
    {
        try
        {
            using var api = host.Client(parsed, patience: TimeSpan.Zero);
            var answer = await api.GetAsync("/v2/audit/digest", cancellationToken).ConfigureAwait(false);
            return answer.IsOk ? new LiveDigest(answer.Text("digest"), answer.Number("position")) : null;
        }
        catch (EnvironmentException)
        {
            return null;
        }
    }
}

using System.Globalization;
using Mbp.Domain;
using Mbp.Host.Tests.Hosting;
using Mbp.Ledger.Postgres;
using Mbp.Ledger.Postgres.Reading;
using Mbp.Testing;
using Npgsql;

namespace Mbp.Host.Tests.Projections;

/// <summary>The read models in tables under a real host: what serves, what stops, what is built again.</summary>
public sealed class ProjectionTests(HostFixture host) : IClassFixture<HostFixture>
{
    [Fact]
    public async Task The_tables_are_as_everybody_outside_knows_them()
    {
        await FollowedAsync();
        var columns = await RowsAsync("""
            SELECT c.table_name, c.column_name, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' ELSE '' END
            FROM information_schema.columns c
            JOIN pg_attribute a ON a.attrelid = ('public.' || c.table_name)::regclass AND a.attname = c.column_name
            WHERE c.table_schema = 'public' AND c.table_name LIKE 'mbp\_%' AND c.table_name NOT IN ('mbp_projection', 'mbp_schema_version')
            ORDER BY c.table_name, c.ordinal_position
            """);
        var keys = await RowsAsync("""
            SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename LIKE 'mbp\_%' AND tablename NOT IN ('mbp_projection', 'mbp_schema_version') ORDER BY indexname
            """);
        Snapshot.Match(string.Join('\n', columns.Concat(keys)) + "\n");
    }

    [Fact]
    public async Task Rows_that_were_followed_are_the_rows_that_are_built()
    {
        await TradeAsync("followed", trades: 60);
        // What a follower has in memory does not survive it; what it goes on from is in its tables.
        await host.RestartAsync();
        await TradeAsync("followed-on", trades: 60);
        await FollowedAsync();
        var report = await RebuildAsync(dryRun: true);
        Assert.All(report.Tables, table => Assert.Equal("equal", table.Comparison));
        Assert.True(report.Position > 0 && !report.Swapped);
        Assert.True(report.Tables.Single(table => table.Table == "mbp_trades").Rows >= 120);
        Assert.Empty(await RowsAsync("SELECT tablename FROM pg_tables WHERE schemaname = 'mbp_build'"));
    }

    [Fact]
    public async Task A_rebuild_under_load_fails_no_read_and_mends_what_was_changed()
    {
        await TradeAsync("loaded", trades: 30);
        await FollowedAsync();
        using var stop = new CancellationTokenSource();
        var (reads, trading) = (ReadAsync(stop.Token), TradeUntilAsync("loading", stop.Token));

        var first = await RebuildAsync(dryRun: false);
        Assert.All(first.Tables, table => Assert.Equal("equal", table.Comparison));
        Assert.True(first.Swapped);

        await PostgresFixture.ExecuteAsync(host.Superuser, "UPDATE mbp_trades SET amount = amount + 1 WHERE position = (SELECT min(position) FROM mbp_trades)");
        var second = await RebuildAsync(dryRun: false);
        Assert.Equal(["mbp_trades"], second.Tables.Where(table => table.Comparison == "DIFFERENT").Select(table => table.Table));
        Assert.False(second.DigestEqual);

        await stop.CancelAsync();
        await trading;
        Assert.True(await reads > 20);
        await FollowedAsync();
        Assert.True((await RebuildAsync(dryRun: true)).DigestEqual);
        Assert.Equal(["0"], await RowsAsync("SELECT count(*) FROM mbp_trades t WHERE amount <> (SELECT (data->>'amount')::numeric FROM mt_events WHERE seq_id = t.position)"));
    }

    [Fact]
    public async Task A_rebuild_that_dies_leaves_what_serves_and_the_next_one_clears_up()
    {
        await TradeAsync("dying", trades: 40);
        await FollowedAsync();
        var generation = await RowsAsync("SELECT name, generation FROM mbp_projection ORDER BY name");
        var died = false;
        for (var i = 0; i < 20 && !died; i++)
        {
            var rebuild = RebuildAsync(dryRun: true);
            while (!rebuild.IsCompleted && (await RowsAsync("SELECT to_regclass('mbp_build.mbp_audit_trail')::text"))[0].Length == 0)
            {
                await Task.Delay(1);
            }

            // The server sees the same of a kill -9: its sessions end in the middle of what they did.
            await RowsAsync("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE '%mbp_build%' AND pid <> pg_backend_pid()");
            died = await Record.ExceptionAsync(() => rebuild) is not null;
        }

        Assert.True(died, "No rebuild was cut off.");
        Assert.Equal(generation, await RowsAsync("SELECT name, generation FROM mbp_projection ORDER BY name"));
        await TradeAsync("alive", trades: 3);
        await FollowedAsync();
        Assert.True((await RebuildAsync(dryRun: false)).DigestEqual);
        Assert.Empty(await RowsAsync("SELECT tablename FROM pg_tables WHERE schemaname = 'mbp_build'"));
    }

    [Fact]
    public async Task Whoever_lost_the_lock_follows_again_and_nothing_is_there_twice()
    {
        var market = await TradeAsync("locked", trades: 5);
        for (var round = 0; round < 3; round++)
        {
            // The session that holds the lock, and with it the right to follow.
            await RowsAsync("SELECT pg_terminate_backend(pid)::text FROM pg_locks WHERE locktype = 'advisory' AND classid = 5063248 AND objid = 3 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())");
            for (var i = 0; i < 30; i++)
            {
                await BuyAsync(market, "1");
                await Task.Delay(50);
            }
        }

        await FollowedAsync();
        Assert.True((await RebuildAsync(dryRun: true)).DigestEqual);
        Assert.DoesNotContain("projection_up{projection=\"trades\"} 0", (await host.Api.GetAsync("/metrics")).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_rebuilds_at_once_are_refused()
    {
        await using var other = new NpgsqlConnection(host.Superuser);
        await other.OpenAsync();
        await using (var hold = new NpgsqlCommand("SELECT pg_advisory_lock(5063248, 4)", other))
        {
            await hold.ExecuteNonQueryAsync();
        }

        var refused = await Assert.ThrowsAsync<RebuildUnderWayException>(() => RebuildAsync(dryRun: true));
        Assert.Contains("under way", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_event_that_cannot_be_stored_stops_its_projection_alone_until_it_is_mended()
    {
        await TradeAsync("before", trades: 3);
        await FollowedAsync();
        await PostgresFixture.ExecuteAsync(host.Superuser, "ALTER TABLE mbp_trades ADD CONSTRAINT too_much CHECK (amount < 77) NOT VALID");
        var market = await TradeAsync("poisoned", trades: 3);
        await BuyAsync(market, "78");
        await TradeAsync("after", trades: 3);

        var stopped = await UntilStoppedAsync("trades");
        var poison = (await RowsAsync("SELECT min(seq_id) FROM mt_events WHERE type = 'trade_executed' AND data->>'amount' = '78'"))[0];
        Assert.Equal((poison, "trade_executed"), (stopped["fault"]!["position"]!.ToString(), (string?)stopped["fault"]!["type"]));
        Assert.Contains("too_much", (string?)stopped["fault"]!["cause"], StringComparison.Ordinal);
        // Everything before it is there, nothing of it is, and the others go on.
        Assert.Equal(["0"], await RowsAsync($"SELECT count(*) FROM mt_events e LEFT JOIN mbp_trades t ON t.position = e.seq_id WHERE e.type = 'trade_executed' AND e.seq_id < {poison} AND t.position IS NULL"));
        Assert.Equal(["0"], await RowsAsync($"SELECT count(*) FROM mbp_trades WHERE position >= {poison}"));
        await FollowedAsync(except: "trades");

        var health = await host.Api.GetAsync("/health/ready");
        Assert.Equal(503, health.Status);
        Assert.Contains(poison, (string?)health.Json["components"]!["projection:trades"], StringComparison.Ordinal);
        Assert.Contains("projection_up{projection=\"trades\"} 0", (await host.Api.GetAsync("/metrics")).Text, StringComparison.Ordinal);
        Assert.Contains("projection_up{projection=\"prices\"} 1", (await host.Api.GetAsync("/metrics")).Text, StringComparison.Ordinal);
        Assert.Contains("trades", (await host.Api.GetAsync("/status")).Ok().Json["warnings"]!.ToJsonString(), StringComparison.Ordinal);
        // The writer never noticed.
        await BuyAsync(market, "5");

        // Trying again without a fix changes nothing, with one it goes on where it was.
        (await host.Api.PostAsync("/v2/projections/trades/resume")).Ok();
        Assert.Equal(poison, (await UntilStoppedAsync("trades"))["fault"]!["position"]!.ToString());
        await PostgresFixture.ExecuteAsync(host.Superuser, "ALTER TABLE mbp_trades DROP CONSTRAINT too_much");
        (await host.Api.PostAsync("/v2/projections/trades/resume")).Ok();
        await FollowedAsync();
        await host.Api.ReadyAsync();
        Assert.True((await RebuildAsync(dryRun: true)).DigestEqual);
        Assert.Equal(404, (await host.Api.PostAsync("/v2/projections/nothing/resume")).Status);
    }

    [Fact]
    public async Task A_read_that_asked_for_a_position_says_that_it_is_there()
    {
        // Trades make no row of a resolution: its tables are up to them all the same, and have to say so.
        var market = await TradeAsync("asked", trades: 2);
        for (var i = 0; i < 10; i++)
        {
            var position = (await host.Api.BuyAsync(market, _accounts[market], "YES", "1")).Ok().Position;
            var answer = (await host.Api.GetAsync(string.Create(CultureInfo.InvariantCulture, $"/v2/resolutions?min_position={position}"))).Ok();
            Assert.True(answer.Position >= position, $"Asked for {position}, answered {answer.Position}.");
        }
    }

    [Fact]
    public async Task A_fault_is_over_after_a_restart_that_finds_it_mended()
    {
        var market = await TradeAsync("mended", trades: 3);
        await FollowedAsync();
        await PostgresFixture.ExecuteAsync(host.Superuser, "ALTER TABLE mbp_trades ADD CONSTRAINT too_much CHECK (amount < 177)");
        await BuyAsync(market, "178");
        await UntilStoppedAsync("trades");
        await host.RestartAsync(whileStopped: () => PostgresFixture.ExecuteAsync(host.Superuser, "ALTER TABLE mbp_trades DROP CONSTRAINT too_much").GetAwaiter().GetResult());
        await FollowedAsync();
        for (var until = DateTimeOffset.UtcNow.AddSeconds(10); (await RowsAsync("SELECT count(*) FROM mbp_projection WHERE fault IS NOT NULL"))[0] != "0"; await Task.Delay(50))
        {
            Assert.True(DateTimeOffset.UtcNow < until, "The fault is still noted.");
        }

        Assert.True((await RebuildAsync(dryRun: true)).DigestEqual);
    }

    [Fact]
    public async Task A_table_that_was_dropped_is_a_fault_and_can_be_built_again()
    {
        var market = await TradeAsync("dropped", trades: 3);
        await FollowedAsync();
        await PostgresFixture.ExecuteAsync(host.Superuser, "DROP TABLE mbp_trades");
        // In quiet nobody has noticed yet.
        var report = await RebuildAsync(dryRun: true);
        Assert.Contains("gone", report.Tables.Single(table => table.Table == "mbp_trades").Comparison, StringComparison.Ordinal);
        await BuyAsync(market, "5");
        Assert.Contains("mbp_trades", (string?)(await UntilStoppedAsync("trades"))["fault"]!["cause"], StringComparison.Ordinal);
        Assert.True((await RebuildAsync(dryRun: false)).Swapped);
        await FollowedAsync();
        Assert.True((await RebuildAsync(dryRun: true)).DigestEqual);
    }

    [Fact]
    public async Task What_hangs_on_an_old_table_stops_nobody()
    {
        var market = await TradeAsync("viewed", trades: 3);
        await FollowedAsync();
        await PostgresFixture.ExecuteAsync(host.Superuser, "CREATE VIEW somebodys AS SELECT * FROM mbp_trades");
        Assert.True((await RebuildAsync(dryRun: false)).Swapped);
        await PostgresFixture.ExecuteAsync(host.Superuser, "UPDATE mbp_projection SET built_at = built_at - interval '1 hour'");
        for (var i = 0; i < 24; i++)
        {
            await BuyAsync(market, "1");
            await Task.Delay(500);
        }

        await FollowedAsync();
        await PostgresFixture.ExecuteAsync(host.Superuser, "DROP VIEW somebodys");
        Assert.True((await RebuildAsync(dryRun: true)).DigestEqual);
    }

    [Fact]
    public async Task Another_version_of_a_projection_builds_itself_at_the_next_start()
    {
        await TradeAsync("versions", trades: 20);
        await FollowedAsync();
        var rows = await RowsAsync("SELECT count(*) FROM mbp_trades");
        await host.RestartAsync(whileStopped: () => PostgresFixture.ExecuteAsync(
            host.Superuser, "UPDATE mbp_projection SET version = 0 WHERE name = 'trades'; ALTER TABLE mbp_trades DROP COLUMN fee; ALTER TABLE mbp_trades ADD COLUMN old int").GetAwaiter().GetResult());
        await FollowedAsync();
        Assert.Equal(rows, await RowsAsync("SELECT count(*) FROM mbp_trades WHERE fee >= 0"));
        Assert.Equal(["1|True"], await RowsAsync("SELECT version, generation > 1 FROM mbp_projection WHERE name = 'trades'"));
        Assert.True((await RebuildAsync(dryRun: true)).DigestEqual);
    }

    private async Task<string> TradeAsync(string name, int trades)
    {
        var id = $"{name}-{Guid.CreateVersion7():N}"[..32];
        await host.Api.AccountAsync(id, "1000000");
        var market = await host.Api.MarketAsync(id);
        for (var i = 0; i < trades; i++)
        {
            host.Clock.Advance(NodaTime.Duration.FromSeconds(7));
            await ((i % 5) switch
            {
                3 => host.Api.SellAsync(market, id, "YES", "1"),
                4 => host.Api.PostAsync($"/v2/markets/{market}/liquidity", new { op = i % 2 == 0 ? "add" : "remove", amount = i % 2 == 0 ? "10" : null, lpShares = i % 2 == 0 ? null : "5", account = id }),
                _ => host.Api.BuyAsync(market, id, i % 2 == 0 ? "YES" : "NO", (1 + i % 9).ToString(CultureInfo.InvariantCulture)),
            });
        }

        _accounts[market] = id;
        return market;
    }

    private readonly Dictionary<string, string> _accounts = [];

    private async Task BuyAsync(string market, string amount) => (await host.Api.BuyAsync(market, _accounts[market], "YES", amount)).Ok();

    private async Task TradeUntilAsync(string name, CancellationToken stop)
    {
        for (var i = 0; !stop.IsCancellationRequested; i++)
        {
            await TradeAsync($"{name}{i}", trades: 5);
        }
    }

    /// <summary>Reads tables as fast as it can; any failure is the test's.</summary>
    private async Task<int> ReadAsync(CancellationToken stop)
    {
        await using var pool = host.Host.Database.Connections.Open(RoleConnections.ReaderRole);
        for (var reads = 0; ; reads++)
        {
            if (stop.IsCancellationRequested)
            {
                return reads;
            }

            await using var command = pool.CreateCommand("SELECT t.amount, b.balance, q.price FROM mbp_trades t JOIN mbp_balances b USING (account_id) JOIN mbp_quotes q ON q.market_id = t.market_id AND q.ts = t.ts ORDER BY t.position DESC LIMIT 5");
            await using var reader = await command.ExecuteReaderAsync(CancellationToken.None);
            while (await reader.ReadAsync(CancellationToken.None))
            {
                Assert.True(reader.GetDecimal(0) > 0);
            }
        }
    }

    private Task<RebuildReport> RebuildAsync(bool dryRun)
    {
        var database = host.Host.Database;
        return new ProjectionRebuild(database.Connections, database.Store, Slices.Catalog()).RunAsync(ReadModels.All, dryRun, CancellationToken.None);
    }

    private async Task<System.Text.Json.Nodes.JsonNode> UntilStoppedAsync(string name)
    {
        for (var until = DateTimeOffset.UtcNow.AddSeconds(20); ; await Task.Delay(30))
        {
            var item = (await host.Api.GetAsync("/v2/projections")).Ok().Json["items"]!.AsArray().Single(item => (string?)item!["name"] == name)!;
            if ((string?)item["state"] == "stopped")
            {
                return item;
            }

            Assert.True(DateTimeOffset.UtcNow < until, $"It does not stop: {item.ToJsonString()}");
        }
    }

    /// <summary>Waits until every projection is at the ledger's head.</summary>
    private async Task FollowedAsync(string? except = null)
    {
        var head = await host.Api.HeadAsync();
        for (var until = DateTimeOffset.UtcNow.AddSeconds(30); ; await Task.Delay(20))
        {
            var items = (await host.Api.GetAsync("/v2/projections")).Ok().Json["items"]!.AsArray().Where(item => (string?)item!["name"] != except).ToList();
            if (items.All(item => item!["position"]!.GetValue<long>() >= head && (string?)item["state"] == "following"))
            {
                return;
            }

            Assert.True(DateTimeOffset.UtcNow < until, $"Not at {head}: {string.Join('\n', items.Select(item => item!.ToJsonString()))}");
        }
    }

    private Task<IReadOnlyList<string>> RowsAsync(string sql) => PostgresFixture.RowsAsync(host.Superuser, sql);
}

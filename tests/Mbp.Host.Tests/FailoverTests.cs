using System.Collections.Concurrent;
using System.Globalization;
using Mbp.Host.Tests.Hosting;
using Mbp.Testing;
using NodaTime;
using Npgsql;

namespace Mbp.Host.Tests;

/// <summary>Two hosts on one database: one writes, the other reads and waits its turn.</summary>
public sealed class FailoverTests(PostgresFixture database) : IClassFixture<PostgresFixture>, IAsyncLifetime
{
    private readonly string _data = Directory.CreateTempSubdirectory("mbp-two-").FullName;
    private readonly List<IAsyncDisposable> _hosts = [];

    private string Connection => new NpgsqlConnectionStringBuilder(database.Superuser) { Pooling = true }.ConnectionString;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var host in _hosts)
        {
            await host.DisposeAsync();
        }

        Directory.Delete(_data, recursive: true);
    }

    [Fact]
    public async Task The_second_reads_refuses_commands_by_name_and_takes_over_when_the_first_stops()
    {
        var (first, one) = await HostAsync();
        var (_, two) = await HostAsync();
        var account = await one.AccountAsync("stopper", "1000");
        var market = await one.MarketAsync(await one.AccountAsync("stophouse", "50000"));
        var trade = (await one.BuyAsync(market, account, "YES", "10", "before")).Ok();

        // Reads follow.
        Assert.Equal("990", (await two.GetAsync($"/v2/accounts/{account}?min_position={trade.Position}")).Ok()["balance"]);
        var refused = await two.BuyAsync(market, account, "YES", "10");
        Assert.Equal((503, "ledger.not_writer"), (refused.Status, refused.Code));
        Assert.Equal(one.Address.ToString().TrimEnd('/'), refused["writer"].TrimEnd('/'));

        await first.DisposeAsync();
        await UntilWriterAsync(two);
        // The answer that the first host gave is known to the second.
        Assert.Equal(trade.Repeated, (await two.BuyAsync(market, account, "YES", "10", "before")).Ok().Repeated);
        (await two.BuyAsync(market, account, "NO", "10")).Ok();
        await PositionsAreGaplessAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Nothing_acknowledged_is_lost_when_the_writers_session_or_process_dies(bool process)
    {
        ChildHost? child = null;
        Api one;
        if (process)
        {
            child = await ChildHost.StartAsync(_data, "--postgres", Connection);
            _hosts.Add(child);
            one = child.Api;
        }
        else
        {
            (_, one) = await HostAsync();
        }

        // A host is ready as a standby, too; the story begins with this one in the lead.
        for (var until = DateTimeOffset.UtcNow.AddSeconds(20); !(await one.GetAsync("/status")).Json["writer"]!.GetValue<bool>(); await Task.Delay(20))
        {
            Assert.True(DateTimeOffset.UtcNow < until, "It never led.");
        }

        var (_, two) = await HostAsync();
        var account = await one.AccountAsync($"loser{process}", "100000");
        var market = await one.MarketAsync(account, new { liquidity = "50000" });
        var acknowledged = new ConcurrentBag<string>();
        var clients = Enumerable.Range(0, 4).Select(async client =>
        {
            for (var n = 0; n < 60; n++)
            {
                var key = string.Create(CultureInfo.InvariantCulture, $"{process}-{client}-{n}");
                for (var until = DateTimeOffset.UtcNow.AddSeconds(30); ; await Task.Delay(20))
                {
                    Assert.True(DateTimeOffset.UtcNow < until, "No host took the trade.");
                    if (await TryAsync(n % 2 == 0 ? one : two, key) || await TryAsync(n % 2 == 0 ? two : one, key))
                    {
                        break;
                    }
                }
            }

            async Task<bool> TryAsync(Api api, string key)
            {
                try
                {
                    var answer = await api.BuyAsync(market, account, "YES", "1", key);
                    Assert.True(answer.IsOk || answer.Status == 503, answer.ToString());
                    if (answer.IsOk)
                    {
                        acknowledged.Add(answer["tradeId"]);
                    }

                    return answer.IsOk;
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            }
        }).ToList();
        await Task.Delay(300);
        if (child is not null)
        {
            await child.KillAsync();
        }
        else
        {
            await PostgresFixture.ExecuteAsync(database.Superuser, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = 5063248 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())");
        }

        await Task.WhenAll(clients);
        await UntilWriterAsync(process ? two : null, one, two);
        var reader = process ? two : one;
        var written = (await TradesAsync(reader, market)).ToList();
        Assert.Equal(240, written.Count);
        Assert.Equal(written.Order(), acknowledged.Distinct().Order());
        await PositionsAreGaplessAsync();
    }

    private static async Task<IEnumerable<string>> TradesAsync(Api api, string market) =>
        (await api.EventsAsync(market)).Where(e => (string)e["type"]! == "trade_executed").Select(e => (string)e["data"]!["tradeId"]!);

    private async Task<(RunningHost Host, Api Api)> HostAsync()
    {
        var address = new Uri($"http://127.0.0.1:{ChildHost.FreePort()}");
        var host = await MbpHost.StartAsync(new() { Urls = address.ToString(), Data = _data, Postgres = Connection, Clock = SystemClock.Instance }, CancellationToken.None);
        _hosts.Add(host);
        var api = new Api(address, await File.ReadAllTextAsync(Path.Combine(_data, "api-key")));
        await api.ReadyAsync();
        return (host, api);
    }

    private static async Task UntilWriterAsync(Api? certain, params Api[] any)
    {
        for (var until = DateTimeOffset.UtcNow.AddSeconds(20); ; await Task.Delay(50))
        {
            foreach (var api in certain is null ? any : [certain])
            {
                if ((bool)(await api.GetAsync("/status")).Ok().Json["writer"]!)
                {
                    return;
                }
            }

            Assert.True(DateTimeOffset.UtcNow < until, "Nobody became the writer.");
        }
    }

    private async Task PositionsAreGaplessAsync() => Assert.Equal(
        ["t|t"], await PostgresFixture.RowsAsync(database.Superuser, "SELECT CASE WHEN count(*) = max(seq_id) AND min(seq_id) = 1 THEN 't' END, CASE WHEN max(seq_id) = (SELECT position FROM ledger_head) THEN 't' END FROM mt_events"));
}

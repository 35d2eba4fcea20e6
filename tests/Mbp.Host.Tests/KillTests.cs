using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Numerics;
using System.Text.Json.Nodes;
using Mbp.Host.Tests.Hosting;
using Npgsql;

namespace Mbp.Host.Tests;

/// <summary>kill -9 on the host, on PostgreSQL and on its sessions, with commands under way, on a lasting data folder.</summary>
public sealed class KillTests : IAsyncLifetime, IDisposable
{
    private readonly ServerFolder _folder = new();
    private ChildHost? _host;

    private Api Api => _host!.Api;

    public async Task InitializeAsync() => _host = await ChildHost.StartAsync(_folder.Path);

    public async Task DisposeAsync() => await _host!.DisposeAsync();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_host_that_is_killed_again_and_again_keeps_every_trade_that_it_acknowledged_once()
    {
        var market = await GivenAsync();
        var acknowledged = new ConcurrentDictionary<string, string>();
        for (var round = 0; round < 3; round++)
        {
            var clients = Enumerable.Range(0, 8).Select(client => TradeUntilGoneAsync(market, client, round, acknowledged)).ToList();
            // In the middle of its work, however long a busy machine takes to come to it.
            var before = acknowledged.Count;
            for (var until = DateTimeOffset.UtcNow.AddSeconds(20); acknowledged.Count < before + 10 && DateTimeOffset.UtcNow < until;)
            {
                await Task.Delay(20);
            }

            await _host!.KillAsync();
            await Task.WhenAll(clients);
            await _host.DisposeAsync();
            _host = await ChildHost.StartAsync(_folder.Path);
        }

        Assert.True(acknowledged.Count > 20, $"Only {acknowledged.Count} trades were acknowledged.");
        await ReplayChangesNothingAsync(market, acknowledged);
    }

    [Fact]
    public async Task A_database_that_is_killed_under_the_host_is_started_again_and_no_ok_was_false()
    {
        var market = await GivenAsync();
        var acknowledged = new ConcurrentDictionary<string, string>();
        var refusals = new ConcurrentBag<Answer>();
        using var stop = new CancellationTokenSource();
        var clients = Enumerable.Range(0, 4).Select(client => TradeAsync(market, client, acknowledged, refusals, stop.Token)).ToList();

        await Task.Delay(300);
        await TerminateAsync();
        await AcceptedAgainAsync(acknowledged);
        await KillPostmasterAsync();
        // While it is away, reads of the ledger are refused honestly, too.
        var read = await Api.GetAsync($"/v2/markets/{market}/events");
        Assert.Equal((503, "ledger.unavailable"), (read.Status, read.Code));
        await AcceptedAgainAsync(acknowledged);

        await stop.CancelAsync();
        await Task.WhenAll(clients);
        Assert.All(refusals, answer => Assert.Equal((503, true), (answer.Status, answer.Code is "ledger.busy" or "ledger.unknown_outcome" or "ledger.not_writer" or "ledger.unavailable")));
        Assert.NotEmpty(refusals);
        await ReplayChangesNothingAsync(market, acknowledged);
    }

    private async Task<string> GivenAsync()
    {
        await Api.AccountAsync("house", "50000");
        for (var client = 0; client < 8; client++)
        {
            await Api.AccountAsync($"client{client}", "10000");
        }

        return await Api.MarketAsync("house", new { liquidity = "40000" });
    }

    private Task<Answer> BuyAsync(string market, string key) => Api.BuyAsync(market, $"client{key[0]}", key.Length % 2 == 0 ? "YES" : "NO", "1", key);

    private async Task TradeUntilGoneAsync(string market, int client, int round, ConcurrentDictionary<string, string> acknowledged)
    {
        try
        {
            for (var n = 0; ; n++)
            {
                var key = string.Create(CultureInfo.InvariantCulture, $"{client}-{round}-{n}");
                acknowledged[key] = (await BuyAsync(market, key)).Ok().Repeated;
            }
        }
        catch (HttpRequestException)
        {
            // Killed.
        }
    }

    private async Task TradeAsync(string market, int client, ConcurrentDictionary<string, string> acknowledged, ConcurrentBag<Answer> refusals, CancellationToken stop)
    {
        for (var n = 0; !stop.IsCancellationRequested; n++)
        {
            var key = string.Create(CultureInfo.InvariantCulture, $"{client}-{n}");
            var answer = await BuyAsync(market, key);
            if (answer.IsOk)
            {
                acknowledged[key] = answer.Repeated;
                continue;
            }

            refusals.Add(answer);
            await Task.Delay(50, CancellationToken.None);
        }
    }

    private async Task ReplayChangesNothingAsync(string market, ConcurrentDictionary<string, string> acknowledged)
    {
        var before = await TradesAsync(market);
        foreach (var (key, text) in acknowledged)
        {
            Assert.Equal(text, (await BuyAsync(market, key)).Ok().Repeated);
        }

        var after = await TradesAsync(market);
        Assert.Equal(before, after);
        Assert.Equal(after.Count, after.Distinct().Count());
        Assert.Empty(acknowledged.Values.Select(text => (string)JsonNode.Parse(text)!["tradeId"]!).Except(after));

        // The books check every event; the money adds up over all accounts.
        var book = await MarketBook.OfAsync(Api, market);
        var sum = book.Locked + book.Fees;
        foreach (var account in Enumerable.Range(0, 8).Select(client => $"client{client}").Append("house"))
        {
            sum += MarketBook.Units((await Api.GetAsync($"/v2/accounts/{account}")).Ok()["balance"]);
        }

        Assert.Equal(130_000 * (BigInteger)100_000_000, sum);
    }

    private async Task<List<string>> TradesAsync(string market) =>
        [.. (await Api.EventsAsync(market)).Where(e => (string)e["type"]! == "trade_executed").Select(e => (string)e["data"]!["tradeId"]!)];

    private static async Task AcceptedAgainAsync(ConcurrentDictionary<string, string> acknowledged)
    {
        var before = acknowledged.Count;
        for (var until = DateTimeOffset.UtcNow.AddSeconds(40); acknowledged.Count < before + 20; await Task.Delay(50))
        {
            Assert.True(DateTimeOffset.UtcNow < until, "No trade was accepted any more.");
        }
    }

    private string Writer => JsonNode.Parse(File.ReadAllText(Path.Combine(_folder.Path, "connections.json")))!["mbp_writer"]!.ToString();

    private async Task<T> AskAsync<T>(string sql)
    {
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Writer) { Pooling = false });
        await using var command = source.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    private Task<long> TerminateAsync() => AskAsync<long>("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid()");

    // The parent of any of its sessions is the server itself.
    private async Task KillPostmasterAsync()
    {
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Writer) { Pooling = false });
        await using var session = await source.OpenConnectionAsync();
        var parent = (await File.ReadAllTextAsync(string.Create(CultureInfo.InvariantCulture, $"/proc/{session.ProcessID}/stat"))).Split(' ')[3];
        Process.GetProcessById(int.Parse(parent, CultureInfo.InvariantCulture)).Kill();
    }
}

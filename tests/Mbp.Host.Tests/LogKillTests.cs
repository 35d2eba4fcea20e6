using System.Collections.Concurrent;
using Mbp.Host.Tests.Hosting;
using Mbp.Ledger.Log;
using Mbp.Ledger.Postgres;
using Mbp.Ledger.Postgres.Log;

namespace Mbp.Host.Tests;

/// <summary>kill -9 on the host in the moment of a signature: between the signed head's file and the rows of its tiles and its checkpoint.</summary>
public sealed class LogKillTests : IDisposable
{
    private const int Kills = 5;

    private readonly ServerFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_host_that_is_killed_while_it_signs_never_signs_another_tree_and_leaves_no_gap()
    {
        var host = await ChildHost.StartAsync(_folder.Path);
        try
        {
            var market = await host.Api.MarketAsync(await host.Api.AccountAsync("house", "50000"));
            // What others hold: every head that was on the disk or was served.
            var held = new ConcurrentDictionary<long, string>();
            for (var kill = 0; kill < Kills; kill++)
            {
                var api = host.Api;
                var clients = Enumerable.Range(0, 6).Select(_ => Task.Run(() => TradeUntilGoneAsync(api, market))).Append(Task.Run(() => WatchUntilGoneAsync(api, held))).ToList();
                await Task.Delay(400 + (100 * kill));
                await SignatureAsync();
                await host.KillAsync();
                await Task.WhenAll(clients);
                Hold(held, await File.ReadAllTextAsync(Signed));
                await host.DisposeAsync();
                host = await ChildHost.StartAsync(_folder.Path);
            }

            (await host.Api.PostAsync("/v2/log/checkpoint")).Ok();
            var connections = RoleConnections.Load(Path.Combine(_folder.Path, "connections.json"))!;
            await using var log = (await PublicLog.TryOpenAsync(connections, Path.Combine(_folder.Path, "log"), CancellationToken.None))!;
            var report = await new LogRebuild(log, connections).RunAsync(CancellationToken.None);
            Assert.True(report.Holds, string.Join('\n', report.Differences));
            Assert.Equal(report.Checkpoints, report.Resigned);

            // One head for each size, for ever: the rows have what was held, to the byte.
            Assert.True(held.Count > Kills, $"Only {held.Count} heads were seen.");
            foreach (var (size, note) in held)
            {
                Assert.Equal(note, (await log.Store.AtAsync(log.Epoch, size, CancellationToken.None))?.Note.Format());
            }

            Assert.Equal((await host.Api.GetAsync("/health/ready")).Ok().Json["components"]!["log"]!.ToString(), $"keeping: {report.Size} signed");
        }
        finally
        {
            await host.DisposeAsync();
        }
    }

    private string Signed => Path.Combine(_folder.Path, "log", "last-signed");

    // The file of the signed head is written before the rows: whoever dies now leaves the one without the others.
    private async Task SignatureAsync()
    {
        var before = await ReadAsync();
        for (var until = DateTimeOffset.UtcNow.AddSeconds(20); await ReadAsync() == before;)
        {
            Assert.True(DateTimeOffset.UtcNow < until, "Nothing was signed any more.");
        }
    }

    private async Task<string> ReadAsync() => File.Exists(Signed) ? await File.ReadAllTextAsync(Signed) : "";

    private static async Task TradeUntilGoneAsync(Api api, string market)
    {
        try
        {
            while (true)
            {
                (await api.BuyAsync(market, "house", "YES", "1")).Ok();
            }
        }
        catch (HttpRequestException)
        {
            // Killed.
        }
    }

    private static async Task WatchUntilGoneAsync(Api api, ConcurrentDictionary<long, string> held)
    {
        try
        {
            for (; ; await Task.Delay(20))
            {
                if (await api.GetAsync("/log/checkpoint") is { IsOk: true } answer)
                {
                    Hold(held, answer.Text);
                }
            }
        }
        catch (HttpRequestException)
        {
            // Killed.
        }
    }

    private static void Hold(ConcurrentDictionary<long, string> held, string note) =>
        Assert.Equal(note, held.GetOrAdd(Checkpoint.Of(SignedNote.Parse(note)).Size, note));
}

using Mbp.Domain.Audit;
using Mbp.Domain.Markets;
using Mbp.Domain.Trading;
using Mbp.Host.Tests.Hosting;

namespace Mbp.Host.Tests.Protection;

/// <summary>Rules change under load: each trade is decided under, and says, the version in force at its position.</summary>
public sealed class RulesetLoadTests(HostFixture fixture) : IClassFixture<HostFixture>
{
    [Fact]
    public async Task Activated_rolled_back_and_activated_again_every_trade_names_the_rules_in_force()
    {
        var api = fixture.Api;
        await api.AccountAsync("load-house", "1000000");
        var market = await api.MarketAsync("load-house", new { ruleset = "replay", liquidity = "100000" });
        for (var i = 0; i < 8; i++)
        {
            await api.AccountAsync($"load-{i}", "100000");
        }

        using var stop = new CancellationTokenSource();
        var traders = Enumerable.Range(0, 8).Select(i => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                var answer = await api.BuyAsync(market, $"load-{i}", i % 2 == 0 ? "YES" : "NO", "0.01");
                Assert.True(answer.IsOk || answer.Code == "trading.max_trade_rate", answer.ToString());
            }
        })).ToList();
        for (var round = 0; round < 5; round++)
        {
            await Task.Delay(100);
            (await api.PostAsync($"/v2/markets/{market}/ruleset", new { name = "default", reason = $"round {round}" })).Ok();
            await Task.Delay(100);
            (await api.PostAsync($"/v2/markets/{market}/ruleset/rollback", new { reason = $"round {round}" })).Ok();
        }

        await stop.CancelAsync();
        await Task.WhenAll(traders);

        var ledger = await LedgerReading.AllAsync(fixture.Host.Database.Store);
        var (inForce, hashes, trades) = ("", new HashSet<string>(), 0);
        foreach (var recorded in ledger.Where(recorded => recorded.Stream.Key == market && recorded.Stream.Category == "market"))
        {
            switch (recorded.Data)
            {
                case RulesetActivated e:
                    inForce = e.PolicyHash;
                    break;
                case RulesetRolledBack e:
                    inForce = e.PolicyHash;
                    break;
                case TradeExecuted:
                    Assert.Equal(inForce, recorded.Stored.Header("policy_hash"));
                    hashes.Add(inForce);
                    trades++;
                    break;
            }
        }

        Assert.Equal(2, hashes.Count);
        Assert.True(trades > 50, $"{trades} trades");
        LedgerReading.Audit(ledger, Check.PolicyHash, Check.Decision);
    }
}

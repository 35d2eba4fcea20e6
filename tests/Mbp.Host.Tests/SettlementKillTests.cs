using System.Globalization;
using System.Numerics;
using Mbp.Domain.Accounts;
using Mbp.Domain.Audit;
using Mbp.Domain.Settlement;
using Mbp.Domain.Trading;
using Mbp.Host.Tests.Hosting;
using Mbp.Host.Tests.Protection;
using Mbp.Ledger.Postgres;
using Xunit.Abstractions;

namespace Mbp.Host.Tests;

/// <summary>
/// kill -9 on the host in the middle of a settlement, ten times over: everybody is paid exactly once, to the unit. By hand with more accounts:
/// <c>MBP_SETTLE_ACCOUNTS=100000</c>.
/// </summary>
public sealed class SettlementKillTests(ITestOutputHelper output) : IDisposable
{
    private const int Kills = 10;
    private const string Stake = "2.5";

    private static readonly int Accounts = int.Parse(Environment.GetEnvironmentVariable("MBP_SETTLE_ACCOUNTS") ?? "2000", CultureInfo.InvariantCulture);

    private readonly ServerFolder _folder = new();

    // Some hundreds of commits, however many accounts there are: so that ten kills find it in the middle.
    private static string[] Options => ["--limits", "off", "--payouts-per-commit", Math.Max(1, Accounts / 500).ToString(CultureInfo.InvariantCulture)];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_host_that_is_killed_ten_times_while_it_pays_pays_everybody_exactly_once()
    {
        var host = await ChildHost.StartAsync(_folder.Path, Options);
        try
        {
            var market = await HoldersAsync(host.Api);
            (await host.Api.PostAsync($"/v2/markets/{market}/close", new { reason = "the end" })).Ok();
            (await host.Api.PostAsync($"/v2/markets/{market}/resolution/start")).Ok();
            (await host.Api.PostAsync($"/v2/markets/{market}/resolution/manual", new { value = "INVALID", evidenceUri = "urn:gauge" })).Ok();
            using var second = host.Api.As(await File.ReadAllTextAsync(Path.Combine(_folder.Path, "api-key-2")));
            (await second.PostAsync($"/v2/markets/{market}/resolution/manual/approve")).Ok();

            var seen = new List<int>();
            for (var kill = 0; kill < Kills; kill++)
            {
                seen.Add(await BeyondAsync(host.Api, market, seen.LastOrDefault()));
                await host.KillAsync();
                await host.DisposeAsync();
                host = await ChildHost.StartAsync(_folder.Path, Options);
            }

            output.WriteLine($"killed after {string.Join(", ", seen)} of {Accounts + 1} payouts");
            await SettledAsync(host.Api, market);
            await PaidOnceAsync(market);
        }
        finally
        {
            await host.DisposeAsync();
        }
    }

    private static async Task<string> HoldersAsync(Api api)
    {
        await api.AccountAsync("house", "2000000");
        var market = await api.MarketAsync("house", new { liquidity = "1000000" });
        await Parallel.ForEachAsync(Enumerable.Range(0, Accounts), new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (number, _) =>
        {
            var account = await api.AccountAsync(string.Create(CultureInfo.InvariantCulture, $"h{number:000000}"), Stake);
            (await api.BuyAsync(market, account, number % 2 == 0 ? "YES" : "NO", Stake)).Ok();
        });
        return market;
    }

    /// <summary>Waits for more payouts than there were; some, and never all.</summary>
    private static async Task<int> BeyondAsync(Api api, string market, int before)
    {
        for (var until = DateTimeOffset.UtcNow.AddSeconds(60); ; await Task.Delay(2))
        {
            var settlement = (await api.GetAsync($"/v2/markets/{market}/resolution")).Ok().Json["settlement"];
            if (settlement is not null)
            {
                Assert.True(settlement["done"] is not null, $"All were paid after {before}: there is nothing left to kill.");
                if ((int)settlement["done"]! is var done && done > before)
                {
                    return done;
                }
            }

            Assert.True(DateTimeOffset.UtcNow < until, $"Nobody is paid any more after {before}.");
        }
    }

    private static async Task SettledAsync(Api api, string market)
    {
        for (var until = DateTimeOffset.UtcNow.AddMinutes(5); (await api.GetAsync($"/v2/markets/{market}")).Ok()["phase"] != "Settled"; await Task.Delay(100))
        {
            Assert.True(DateTimeOffset.UtcNow < until, "The market is not settled.");
        }
    }

    // With none of the product's arithmetic: what an account bought, by the prices that a void pays, rounded down once.
    private async Task PaidOnceAsync(string market)
    {
        await using var store = new PostgresEventStore(RoleConnections.Load(Path.Combine(_folder.Path, "connections.json"))!);
        var ledger = await LedgerReading.AllAsync(store);
        var events = ledger.Where(r => r.Stream.Key == market).Select(r => r.Data).ToList();
        var vector = events.OfType<SettlementPlanned>().Single().Vector;
        var paid = events.OfType<PayoutRecorded>().ToDictionary(e => e.Account);
        var credited = ledger.Where(r => r.Data is AccountCredited { Kind: PostingKind.Payout }).ToLookup(r => new AccountId(r.Stream.Key), r => ((AccountCredited)r.Data).Amount);
        Assert.Equal(Accounts, paid.Count(pair => pair.Key != new AccountId("house")));
        foreach (var trade in events.OfType<TradeExecuted>())
        {
            var due = (BigInteger)trade.Shares.Units * vector[trade.Outcome == "YES" ? 0 : 1].Units / 100_000_000;
            Assert.Equal(due, paid[trade.Account].Amount.Units);
            Assert.Equal(due, credited[trade.Account].Single().Units);
        }

        var settled = events.OfType<MarketSettled>().Single();
        Assert.Equal(
            (BigInteger)settled.Locked.Units + settled.Fees.Units,
            paid.Values.Aggregate(BigInteger.Zero, (sum, e) => sum + e.Amount.Units) + settled.Dust.Units + settled.FeeDust.Units);
        Assert.Equal(Math.Max(1, Accounts / 500), ledger.Where(r => r.Data is PayoutRecorded).GroupBy(r => r.Stored.CausationId).Max(batch => batch.Count()));
        LedgerReading.Audit(ledger, Check.SettlementPlan, Check.NoEarlyPayout, Check.SettledInFull, Check.Conservation);
    }
}

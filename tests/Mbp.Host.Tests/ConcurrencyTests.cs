using System.Globalization;
using Mbp.Host.Tests.Hosting;

namespace Mbp.Host.Tests;

public sealed class ConcurrencyTests(HostFixture fixture) : IClassFixture<HostFixture>
{
    [Fact]
    public async Task Many_clients_on_a_few_markets_lose_nothing()
    {
        var api = fixture.Api;
        var bank = new Bank(api);
        var house = await bank.AccountAsync("house", "1000000");
        var markets = new List<string>();
        for (var i = 0; i < 4; i++)
        {
            markets.Add(await bank.MarketAsync(house, new { probability = $"0.{i + 3}" }));
        }

        var accepted = 0;
        await Task.WhenAll(Enumerable.Range(0, 32).Select(async client =>
        {
            var random = new Random(client);
            var account = await bank.AccountAsync($"client{client}", "500");
            for (var n = 0; n < 25; n++)
            {
                var market = markets[random.Next(markets.Count)];
                var outcome = random.Next(2) == 0 ? "YES" : "NO";
                var amount = (1 + random.Next(3000) / 100m).ToString(CultureInfo.InvariantCulture);
                var answer = random.Next(4) switch
                {
                    0 => await api.SellAsync(market, account, outcome, amount),
                    1 when n % 5 == 0 => await api.PostAsync($"/v2/markets/{market}/liquidity", new { op = "add", amount, account }),
                    _ => await api.BuyAsync(market, account, outcome, amount),
                };
                Assert.True(answer.Status is 200 or 422, answer.ToString());
                if (answer.IsOk)
                {
                    Interlocked.Increment(ref accepted);
                }
            }
        }));

        Assert.InRange(accepted, 300, 800);
        await bank.CheckAsync();
        foreach (var market in markets)
        {
            // The books check K, the shares, the LP shares and the fees at every event, and the page says the same at the end.
            var (book, page) = (await MarketBook.OfAsync(api, market), (await api.GetAsync($"/v2/markets/{market}")).Ok());
            Assert.True(book.Trades > 20);
            Assert.Equal((book.Locked, book.Fees, book.LpSupply), (MarketBook.Units(page["locked"]), MarketBook.Units(page["feePool"]), MarketBook.Units(page["lpSupply"])));
            Assert.Equal(book.Reserves, page.Json["reserves"]!.AsArray().Select(r => MarketBook.Units((string?)r)));
        }

        var expected = 1L;
        await foreach (var stored in fixture.Host.Database.Store.ReadAllAsync(0, CancellationToken.None))
        {
            Assert.Equal(expected++, stored.Position);
        }
    }
}

using System.Globalization;
using Mbp.Domain;
using Mbp.Host.Tests.Hosting;
using Mbp.Ledger.Postgres.Reading;
using NodaTime;

namespace Mbp.Host.Tests;

/// <summary>The past is what was live then, to the byte: after an hour's worth of everything that can happen in a few markets.</summary>
public sealed class AsOfTests(HostFixture fixture) : IClassFixture<HostFixture>
{
    private const int Seed = 20_261_122;
    private const int Operations = 340;

    // Enough for the writer to take snapshots of the stream, and for the reader to keep states of its own.
    private const int Burst = 1_200;

    private readonly Random _random = new(Seed);
    private readonly List<(string Path, string Body)> _live = [];

    private Api Api => fixture.Api;

    [Fact]
    public async Task Every_answer_of_the_past_is_the_one_that_was_given_then()
    {
        var house = await Api.AccountAsync("pasthouse", "10000000");
        List<string> accounts = [house];
        foreach (var name in new[] { "pa", "pb", "pc", "pd" })
        {
            accounts.Add(await Api.AccountAsync(name, "100000"));
        }

        List<string> markets = [];
        foreach (var more in new object[]
        {
            new { probability = "0.3" }, new { ruleset = "default" },
            new { template = "TPL-CATEGORICAL-01", @params = new { outcomes = new[] { "red", "green", "blue" } }, probabilities = new[] { "0.5", "0.3", "0.2" } },
            new { template = "TPL-SCALAR-01", @params = new { lower = "20", upper = "120" } },
        })
        {
            markets.Add(await Api.MarketAsync(house, more));
        }

        for (var i = 0; i < Operations; i++)
        {
            fixture.Clock.Advance(Duration.FromMilliseconds(_random.Next(1, 40_000)));
            if (i == 60)
            {
                await Task.WhenAll(Enumerable.Range(0, Burst).Chunk(40).Select(async some =>
                {
                    foreach (var n in some)
                    {
                        (await Api.BuyAsync(markets[0], accounts[n % accounts.Count], n % 2 == 0 ? "YES" : "NO", "0.5")).Ok();
                    }
                }));
            }

            if (i == 250)
            {
                await ResolveAsync(markets[3]);
            }

            await StepAsync(markets, accounts);
            await RecordAsync(markets.Take(3).Append(markets[3]).OrderBy(_ => _random.Next()).Take(3), accounts[_random.Next(accounts.Count)]);
        }

        await Api.UntilAsync(markets[3], "Settled");
        Assert.True(_live.Count(answer => answer.Path.StartsWith("/v2/markets/", StringComparison.Ordinal) && !answer.Path.Contains("twap", StringComparison.Ordinal)) >= 1_000);
        await CompareAsync("live");

        // The tables are built again and take the serving ones' place; then a host that remembers nothing is asked.
        var database = fixture.Host.Database;
        var rebuilt = await new ProjectionRebuild(database.Connections, database.Store, Slices.Catalog()).RunAsync(ReadModels.All, dryRun: false, CancellationToken.None);
        Assert.True(rebuilt is { DigestEqual: true, Swapped: true });
        await CompareAsync("rebuilt");
        await fixture.RestartAsync();
        await CompareAsync("restarted");
    }

    private async Task CompareAsync(string when)
    {
        // In any order: what one question leaves behind for the next must not show.
        foreach (var (path, body) in _live.OrderBy(_ => _random.Next()))
        {
            var then = await Api.GetAsync(path);
            Assert.True(then.IsOk && then.Text == body, $"Seed {Seed}, {when}: {path}\nthen {body}\nnow  {then}");
            Assert.True(then.Headers.CacheControl is { Private: true } && then.Headers.ETag is { IsWeak: false }, path);
        }
    }

    [Fact]
    public async Task There_is_no_market_before_it_was_created_and_no_account()
    {
        var before = await Api.HeadAsync();
        var house = await Api.AccountAsync("newhouse", "100000");
        var market = await Api.MarketAsync(house);
        foreach (var path in new[] { $"/v2/markets/{market}", $"/v2/markets/{market}/twap", $"/v2/accounts/{house}", $"/v2/accounts/{house}/positions" })
        {
            Assert.Equal(404, (await Api.GetAsync($"{path}?at={before}")).Status);
            Assert.Equal(404, (await Api.GetAsync($"{path}?at=2020-01-01T00:00:00Z")).Status);
            Assert.Equal(200, (await Api.GetAsync($"{path}?at={await Api.HeadAsync()}")).Status);
        }

        // A quote of the past is made from the pool of the past.
        var then = await Api.HeadAsync();
        var quote = (await Api.GetAsync($"/v2/markets/{market}/quote?side=buy&outcome=YES&amount=10")).Ok();
        (await Api.BuyAsync(market, house, "YES", "1000")).Ok();
        Assert.NotEqual(quote["shares"], (await Api.GetAsync($"/v2/markets/{market}/quote?side=buy&outcome=YES&amount=10")).Ok()["shares"]);
        Assert.Equal(quote.Text, (await Api.GetAsync($"/v2/markets/{market}/quote?side=buy&outcome=YES&amount=10&at={then}")).Ok().Text);
    }

    [Fact]
    public async Task A_time_is_the_last_position_before_it()
    {
        var house = await Api.AccountAsync("timehouse", "100000");
        var market = await Api.MarketAsync(house);
        List<(DateTimeOffset At, string Page)> seen = [];
        for (var i = 0; i < 12; i++)
        {
            fixture.Clock.Advance(Duration.FromSeconds(i));
            var trade = (await Api.BuyAsync(market, house, "YES", "3")).Ok();
            seen.Add((DateTimeOffset.Parse(trade["at"], CultureInfo.InvariantCulture), (await Api.GetAsync($"/v2/markets/{market}")).Ok().Text));
        }

        for (var i = 1; i < seen.Count; i++)
        {
            Assert.Equal(seen[i].Page, await PageAsync(seen[i].At));
            Assert.Equal(seen[i - 1].Page, await PageAsync(seen[i].At.AddTicks(-10)));
        }

        async Task<string> PageAsync(DateTimeOffset at) => (await Api.GetAsync($"/v2/markets/{market}?at={at.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'}")).Ok().Text;
    }

    private async Task StepAsync(List<string> markets, List<string> accounts)
    {
        var (market, account) = (markets[_random.Next(markets.Count)], accounts[_random.Next(accounts.Count)]);
        var outcome = (string)(await Api.GetAsync($"/v2/markets/{market}")).Ok().Json["outcomes"]![_random.Next(2)]!;
        // Many are refused (nothing to sell, halted, closed): that, too, is part of a history.
        _ = _random.Next(12) switch
        {
            < 6 => await Api.BuyAsync(market, account, outcome, _random.Next(1, 60).ToString(CultureInfo.InvariantCulture)),
            < 9 => await Api.SellAsync(market, account, outcome, "1.5"),
            9 => await Api.PostAsync($"/v2/markets/{market}/liquidity", new { op = "add", amount = "100", account }),
            10 => await Api.PostAsync($"/v2/markets/{market}/liquidity", new { op = "remove", lpShares = "20", account }),
            _ => _random.Next(2) == 0
                ? await Api.PostAsync($"/v2/markets/{market}/halt", new { level = _random.Next(2) == 0 ? "warn" : "hard" })
                : await Api.PostAsync($"/v2/markets/{market}/resume"),
        };
        (await Api.PostAsync($"/v2/accounts/{account}/credits", new { amount = "1", reason = "so that each step is one" })).Ok();
        if (_random.Next(4) == 0)
        {
            await Api.PostAsync($"/v2/markets/{market}/resume");
        }
    }

    private async Task ResolveAsync(string market)
    {
        (await Api.PostAsync($"/v2/markets/{market}/close", new { reason = "over" })).Ok();
        (await Api.PostAsync($"/v2/markets/{market}/resolution/start")).Ok();
        (await Api.PostAsync($"/v2/markets/{market}/resolution/manual", new { value = "77", evidenceUri = "https://example.org/proof" })).Ok();
        (await fixture.Second.PostAsync($"/v2/markets/{market}/resolution/manual/approve")).Ok();
    }

    /// <summary>An answer's own position is where it is asked for again: whatever the workers write meanwhile comes later.</summary>
    private async Task RecordAsync(IEnumerable<string> markets, string account)
    {
        foreach (var market in markets)
        {
            var page = (await Api.GetAsync($"/v2/markets/{market}")).Ok();
            _live.Add(($"/v2/markets/{market}?at={page.Position}", page.Text));
            var twap = $"/v2/markets/{market}/twap?at={page.Position}";
            _live.Add((twap, (await Api.GetAsync(twap)).Ok().Text));
        }

        foreach (var path in new[] { $"/v2/accounts/{account}", $"/v2/accounts/{account}/positions" })
        {
            var answer = (await Api.GetAsync(path)).Ok();
            _live.Add(($"{path}?at={answer.Position}", answer.Text));
        }
    }
}

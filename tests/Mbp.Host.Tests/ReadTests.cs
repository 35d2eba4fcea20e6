using System.Collections.Concurrent;
using System.Globalization;
using Mbp.Host.Tests.Hosting;
using NodaTime;

namespace Mbp.Host.Tests;

/// <summary>Reads show what was written, at once with <c>min_position</c> and for ever with <c>at</c>.</summary>
public sealed class ReadTests(HostFixture fixture) : IClassFixture<HostFixture>
{
    private Api Api => fixture.Api;

    [Fact]
    public async Task Everybody_reads_their_own_writes()
    {
        var house = await Api.AccountAsync("house", "100000");
        var market = await Api.MarketAsync(house);
        await Task.WhenAll(Enumerable.Range(0, 16).Select(async i =>
        {
            var account = await Api.AccountAsync($"writer{i}", "100");
            for (var n = 1; n <= 10; n++)
            {
                var trade = (await Api.BuyAsync(market, account, i % 2 == 0 ? "YES" : "NO", "1")).Ok();
                var read = (await Api.GetAsync($"/v2/accounts/{account}?min_position={trade.Position}")).Ok();
                Assert.Equal((100 - n).ToString(CultureInfo.InvariantCulture), read["balance"]);
                var page = (await Api.GetAsync($"/v2/markets/{market}?min_position={trade.Position}")).Ok();
                Assert.True(page.Position >= trade.Position);
            }
        }));
    }

    [Fact]
    public async Task A_position_that_does_not_come_is_not_waited_for_long()
    {
        var answer = await Api.GetAsync($"/v2/markets?min_position={long.MaxValue}");
        Assert.Equal((503, "reads.behind"), (answer.Status, answer.Code));
        Assert.NotNull(answer.Headers.RetryAfter);
    }

    [Fact]
    public async Task The_past_reads_as_it_was()
    {
        var house = await Api.AccountAsync("oldhouse", "100000");
        var ana = await Api.AccountAsync("oldana", "1000");
        var market = await Api.MarketAsync(house);
        var live = new ConcurrentDictionary<long, (string Page, string Balance, string At)>();
        string[] steps = ["YES", "NO", "NO", "YES"];
        foreach (var outcome in steps)
        {
            var trade = (await Api.BuyAsync(market, ana, outcome, "25")).Ok();
            live[trade.Position] = ((await Api.GetAsync($"/v2/markets/{market}")).Text, (await Api.GetAsync($"/v2/accounts/{ana}"))["balance"], trade["at"]);
        }

        (await Api.PostAsync($"/v2/markets/{market}/close")).Ok();
        foreach (var (position, (page, balance, at)) in live)
        {
            foreach (var when in new[] { position.ToString(CultureInfo.InvariantCulture), at })
            {
                Assert.Equal(page, (await Api.GetAsync($"/v2/markets/{market}?at={when}")).Ok().Text);
                Assert.Equal(balance, (await Api.GetAsync($"/v2/accounts/{ana}?at={when}")).Ok()["balance"]);
            }

            Assert.Equal(position, (await Api.GetAsync($"/v2/accounts/{ana}?at={position}")).Ok().Position);
        }
    }

    [Fact]
    public async Task An_average_is_what_the_events_give_by_hand()
    {
        var house = await Api.AccountAsync("twaphouse", "100000");
        var market = await Api.MarketAsync(house, new { probability = "0.3" });
        foreach (var (outcome, amount, minutes) in new[] { ("YES", "500", 1), ("NO", "900", 4), ("YES", "1500", 7), ("NO", "100", 2) })
        {
            fixture.Clock.Advance(Duration.FromMinutes(minutes) + Duration.FromMilliseconds(123.4567));
            (await Api.BuyAsync(market, house, outcome, amount)).Ok();
        }

        var book = await MarketBook.OfAsync(Api, market);
        var first = book.Quotes[0].At;
        var last = book.Quotes[^1].At;
        fixture.Clock.Advance(Duration.FromMinutes(41));
        foreach (var at in new[] { first, first.AddSeconds(1), first.AddMinutes(3).AddTicks(70), last.AddTicks(-10), last, last.AddMinutes(2), last.AddMinutes(40) })
        {
            // The last quotes come from the future of none: a market keeps its price.
            var answer = (await Api.GetAsync($"/v2/markets/{market}/twap?at={at.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'}")).Ok();
            foreach (var (window, index) in new[] { (1, 0), (5, 1), (15, 2) })
            {
                var shown = MarketBook.Units((string?)answer.Json["windows"]![index]!["twap"]![0]);
                Assert.Equal(book.Twap(at, TimeSpan.FromMinutes(window)), shown);
            }
        }
    }

    [Fact]
    public async Task Pages_follow_one_another_without_a_gap()
    {
        var house = await Api.AccountAsync("pagehouse", "100000");
        var market = await Api.MarketAsync(house);
        for (var i = 0; i < 23; i++)
        {
            (await Api.BuyAsync(market, house, "YES", "1")).Ok();
        }

        var versions = (await Api.EventsAsync(market, limit: 5)).Select(e => (long)e["version"]!).ToList();
        Assert.Equal(Enumerable.Range(1, versions.Count).Select(v => (long)v), versions);
        Assert.Equal((await Api.EventsAsync(market)).Count, versions.Count);
    }
}

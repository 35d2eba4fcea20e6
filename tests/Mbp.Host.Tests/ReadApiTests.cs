using System.Globalization;
using System.Numerics;
using System.Text.Json.Nodes;
using Mbp.Domain.Pricing;
using Mbp.Domain.Units;
using Mbp.Host.Tests.Hosting;
using Mbp.Testing;
using NodaTime;
using NodaTime.Text;

namespace Mbp.Host.Tests;

/// <summary>What reads show beside lists: series, positions, pages, tags, and how far behind they may be.</summary>
public sealed class ReadApiTests(HostFixture fixture) : IClassFixture<HostFixture>
{
    private const string Evidence = "https://example.org/proof";

    private Api Api => fixture.Api;

    [Fact]
    public async Task Averages_of_a_series_are_those_of_all_quotes()
    {
        var market = await HistoryAsync("series");
        var (history, first, last) = await QuotesAsync(market);
        foreach (var (outcome, index) in new[] { ("YES", 0), ("NO", 1) })
        {
            foreach (var resolution in new[] { "1m", "5m", "1h" })
            {
                var points = await Api.AllAsync($"/v2/markets/{market}/twap/series?outcome={outcome}&resolution={resolution}", limit: 7);
                Assert.True(points.Count >= (resolution == "1h" ? 1 : 10), $"{points.Count} points of {resolution}.");
                Instant? previous = null;
                foreach (var point in points)
                {
                    var at = InstantPattern.ExtendedIso.Parse(point.Text("at")).Value;
                    Assert.True(at > first);
                    Assert.True(previous is null || at - previous == Step(resolution));
                    previous = at;
                    foreach (var (minutes, name) in new[] { (1, "1m"), (5, "5m"), (15, "15m") })
                    {
                        var exact = history.Twap(at, Duration.FromMinutes(minutes))!;
                        Assert.Equal(exact.Average(index).ToString(), point.Text($"twap{name}"));
                        Assert.Equal(exact.DivergencePpm(index), (long)point[$"divergence{name}Ppm"]!);
                        Assert.Equal(exact.Current[index].ToString(), point.Text("price"));
                    }

                    var fifteen = history.Twap(at, Duration.FromMinutes(15))!;
                    var (low, high) = (MarketBook.Units(point.Text("band99Low")), MarketBook.Units(point.Text("band99High")));
                    var average = MarketBook.Units(point.Text("twap15m"));
                    Assert.InRange(average, low, high);
                    // The rule's own question: just outside of the band it says so, unless within 1 %.
                    var outside = Price.FromUnits((long)high + 2);
                    Assert.True(fifteen.IsOutside99Band(index, outside, 100) || (high - average) * 100 <= average + 300 || high >= 100_000_000);
                }
            }
        }
    }

    [Fact]
    public async Task Candles_are_what_the_quotes_give_by_hand()
    {
        var market = await HistoryAsync("candles");
        var events = (await Api.EventsAsync(market)).Where(e => e["data"]!["prices"] is not null && e.Text("type") != "market_created").ToList();
        foreach (var (outcome, index) in new[] { ("YES", 0), ("NO", 1) })
        {
            foreach (var resolution in new[] { "1m", "5m", "15m", "1h", "4h", "1d" })
            {
                var length = Step(resolution).BclCompatibleTicks;
                var expected = events
                    .GroupBy(e => InstantPattern.ExtendedIso.Parse(e.Text("at")).Value.ToUnixTimeTicks() / length * length)
                    .OrderBy(g => g.Key)
                    .Select(g => (g, Prices: g.Select(e => MarketBook.Units((string?)e["data"]!["prices"]![index])).ToList(), Trades: g.Where(e => e.Text("type") == "trade_executed").ToList()))
                    .Select(g => string.Join(
                        ' ', InstantPattern.ExtendedIso.Format(Instant.FromUnixTimeTicks(g.g.Key)), g.Prices[0], g.Prices.Max(), g.Prices.Min(), g.Prices[^1],
                        g.Trades.Aggregate(BigInteger.Zero, (sum, trade) => sum + MarketBook.Units((string?)trade["data"]!["amount"])), g.Trades.Count));
                var listed = await Api.AllAsync($"/v2/markets/{market}/candles?outcome={outcome}&resolution={resolution}", limit: 3);
                Assert.Equal(expected, listed.Select(c => string.Join(
                    ' ', c.Text("at"), MarketBook.Units(c.Text("open")), MarketBook.Units(c.Text("high")), MarketBook.Units(c.Text("low")), MarketBook.Units(c.Text("close")),
                    MarketBook.Units(c.Text("volume")), (long)c["trades"]!)));
            }
        }

        Assert.Equal(
            (await Api.GetAsync($"/v2/markets/{market}/candles?resolution=1m&limit=1000")).Ok().Json["items"]!.AsArray().TakeLast(5).Select(c => c!.ToJsonString()),
            (await Api.GetAsync($"/v2/markets/{market}/page")).Ok().Json["candles"]!.AsArray().TakeLast(5).Select(c => c!.ToJsonString()));
    }

    [Theory]
    [InlineData(0, 8 * 60 + 20, "1m")]
    [InlineData(0, 8 * 60 + 21, "5m")]
    [InlineData(0, 500 * 15, "15m")]
    [InlineData(0, 500 * 60, "1h")]
    [InlineData(0, 500 * 60 + 1, "4h")]
    [InlineData(0, 3 * 365 * 1440, "1d")]
    public async Task The_range_chooses_the_resolution(int fromMinutes, int toMinutes, string chosen)
    {
        if ((await Api.GetAsync("/v2/accounts/auto")).Status == 404)
        {
            var closesAt = InstantPattern.ExtendedIso.Format(fixture.Clock.GetCurrentInstant() + Duration.FromDays(3_000));
            await Api.MarketAsync(await Api.AccountAsync("auto", "100000"), new { id = "automarket", closesAt });
        }

        var begin = InstantPattern.ExtendedIso.Parse((await Api.GetAsync("/v2/markets/automarket")).Ok()["createdAt"]).Value;
        // A range that reaches into the future is as long as what there is of it.
        fixture.Clock.Advance(Duration.Max(Duration.Zero, begin + Duration.FromMinutes(toMinutes) - fixture.Clock.GetCurrentInstant()));
        var (from, to) = (InstantPattern.ExtendedIso.Format(begin + Duration.FromMinutes(fromMinutes)), InstantPattern.ExtendedIso.Format(begin + Duration.FromMinutes(toMinutes)));
        foreach (var series in new[] { "candles", "twap/series" })
        {
            foreach (var auto in new[] { "", "&resolution=auto" })
            {
                var answer = (await Api.GetAsync($"/v2/markets/automarket/{series}?from={from}&to={to}{auto}")).Ok();
                Assert.Equal(chosen, answer["resolution"]);
                Assert.True(answer.Json["items"]!.AsArray().Count <= 1_000 && answer.Position > 0);
            }
        }
    }

    [Fact]
    public async Task Positions_in_memory_cost_and_earn_what_the_tables_say()
    {
        var house = await Api.AccountAsync("poshouse", "1000000");
        var ana = await Api.AccountAsync("posana", "10000");
        var market = await Api.MarketAsync(house, new { probability = "0.35" });
        foreach (var (outcome, amount) in new[] { ("YES", "33.33333333"), ("YES", "12.1"), ("NO", "50") })
        {
            (await Api.BuyAsync(market, ana, outcome, amount)).Ok();
        }

        (await Api.SellAsync(market, ana, "YES", "7.12345678")).Ok();
        (await Api.PostAsync($"/v2/markets/{market}/liquidity", new { op = "add", amount = "500", account = ana })).Ok();
        (await Api.BuyAsync(market, house, "NO", "400")).Ok();
        (await Api.PostAsync($"/v2/markets/{market}/liquidity", new { op = "remove", lpShares = "111.1", account = ana })).Ok();
        // With a position asked of the tables, all of them are that far.
        (await Api.GetAsync($"/v2/accounts/{ana}/statement")).Ok();
        (await Api.GetAsync($"/v2/accounts/{ana}/positions?at={await Api.HeadAsync()}")).Ok();
        await UntilTablesAsync(await Api.HeadAsync());
        var live = (await Api.GetAsync($"/v2/accounts/{ana}/positions")).Ok();
        var rows = await PostgresFixture.RowsAsync(
            fixture.Superuser, $"SELECT outcome, trim_scale(shares), trim_scale(cost) FROM mbp_positions WHERE account_id = '{ana}' AND shares > 0 ORDER BY outcome DESC");
        Assert.Equal(rows, live.Json["items"]!.AsArray().Select(i => $"{(string?)i!["outcome"]}|{(string?)i["shares"]}|{(string?)i["cost"]}"));
        Assert.Equal(2, rows.Count);
        var total = Assert.Single(live.Json["markets"]!.AsArray())!.AsObject();
        Assert.Equal(
            Assert.Single(await PostgresFixture.RowsAsync(fixture.Superuser, $"SELECT trim_scale(-sum(amount) FILTER (WHERE amount < 0)), trim_scale(sum(amount) FILTER (WHERE amount > 0)) FROM mbp_postings WHERE account_id = '{ana}' AND market_id IS NOT NULL")),
            $"{total.Text("paid")}|{total.Text("received")}");

        // Worth: each line from its own figures, the market's from its lines.
        var prices = (await Api.GetAsync($"/v2/markets/{market}")).Ok().Json["prices"]!.AsArray().Select(p => (string)p!).ToList();
        var worth = BigInteger.Zero;
        foreach (var item in live.Json["items"]!.AsArray().Select(i => i!.AsObject()))
        {
            Assert.Contains(item.Text("price"), prices);
            var value = MarketBook.Units(item.Text("shares")) * MarketBook.Units(item.Text("price")) / 100_000_000;
            Assert.Equal((value, value - MarketBook.Units(item.Text("cost"))), (MarketBook.Units(item.Text("value")), Signed(item.Text("profit"))));
            worth += value;
        }

        var part = Assert.Single(live.Json["liquidity"]!.AsArray())!.AsObject();
        Assert.True(MarketBook.Units(part.Text("value")) > 0 && MarketBook.Units(part.Text("fees")) >= 0);
        worth += MarketBook.Units(part.Text("value")) + MarketBook.Units(part.Text("fees"));
        Assert.Equal(worth, MarketBook.Units(total.Text("value")));
        Assert.Equal(MarketBook.Units(total.Text("received")) + worth - MarketBook.Units(total.Text("paid")), Signed(total.Text("profit")));

        // A settled market has paid: what is left is what came back less what went in.
        await ResolveAsync(market, "YES");
        var settled = (await Api.GetAsync($"/v2/accounts/{ana}/positions")).Ok();
        Assert.Empty(settled.Json["items"]!.AsArray());
        Assert.Empty(settled.Json["liquidity"]!.AsArray());
        total = Assert.Single(settled.Json["markets"]!.AsArray())!.AsObject();
        Assert.Equal(("Settled", "0"), (total.Text("phase"), total.Text("value")));
        var balance = MarketBook.Units((await Api.GetAsync($"/v2/accounts/{ana}")).Ok()["balance"]);
        Assert.Equal(balance - MarketBook.Units("10000"), Signed(total.Text("profit")));
        // And the past is as it was.
        Assert.Equal(live.Text, (await Api.GetAsync($"/v2/accounts/{ana}/positions?at={live.Position}")).Ok().Text);
    }

    [Fact]
    public async Task A_page_is_the_market_and_its_story()
    {
        var house = await Api.AccountAsync("pghouse", "1000000");
        var market = await Api.MarketAsync(house, new { ruleset = "default" });
        var fresh = (await Api.GetAsync($"/v2/markets/{market}/page")).Ok().Json;
        Assert.Equal("close", (string?)fresh["next"]!["what"]);
        Assert.Equal((string?)fresh["market"]!["closesAt"], (string?)fresh["next"]!["by"]);
        Assert.Equal("0.5", (string?)fresh["twap"]!["windows"]![0]!["twap"]![0]);
        for (var i = 0; i < 60; i++)
        {
            fixture.Clock.Advance(Duration.FromSeconds(13));
            (await Api.BuyAsync(market, house, i % 3 == 0 ? "YES" : "NO", "2")).Ok();
        }

        (await Api.PostAsync($"/v2/markets/{market}/halt", new { level = "warn", reason = "wide" })).Ok();
        var page = (await Api.GetAsync($"/v2/markets/{market}/page")).Ok();
        Assert.Equal((await Api.GetAsync($"/v2/markets/{market}")).Ok().Text, page.Json["market"]!.ToJsonString(Relaxed));
        Assert.Equal(50, page.Json["trades"]!.AsArray().Count);
        Assert.InRange(page.Json["candles"]!.AsArray().Count, 13, 15);
        Assert.Equal(60, page.Json["candles"]!.AsArray().Sum(c => (long)c!["trades"]!));
        // The averages are the market's own, at the half minute that the page names.
        var at = (string)page.Json["twap"]!["at"]!;
        Assert.True(at.EndsWith(":00Z", StringComparison.Ordinal) || at.EndsWith(":30Z", StringComparison.Ordinal), at);
        var twap = (await Api.GetAsync($"/v2/markets/{market}/twap?at={at}")).Ok().Json;
        foreach (var w in new[] { 0, 1, 2 })
        {
            Assert.Equal(twap["windows"]![w]!["twap"]!.ToJsonString(), page.Json["twap"]!["windows"]![w]!["twap"]!.ToJsonString());
        }

        Assert.NotNull(page.Json["quality"]!["spreadPpm"]);
        Assert.True((long)page.Json["quality"]!["slippageMaxPpm"]! >= (long)page.Json["quality"]!["slippageMeanPpm"]!);
        (await Api.PostAsync($"/v2/markets/{market}/resume")).Ok();
        (await Api.PostAsync($"/v2/markets/{market}/close", new { reason = "over" })).Ok();
        Assert.Equal("resolution", (string?)(await Api.GetAsync($"/v2/markets/{market}/page")).Ok().Json["next"]!["what"]);
        (await Api.PostAsync($"/v2/markets/{market}/resolution/start")).Ok();
        (await Api.PostAsync($"/v2/markets/{market}/resolution/manual", new { value = "NO", evidenceUri = Evidence })).Ok();
        var approved = (await fixture.Second.PostAsync($"/v2/markets/{market}/resolution/manual/approve")).Ok().Position;
        var waiting = (await Api.GetAsync($"/v2/markets/{market}/page?min_position={approved}")).Ok().Json;
        Assert.Equal("finalization", (string?)waiting["next"]!["what"]);
        Assert.Equal((string?)waiting["resolution"]!["finalAt"], (string?)waiting["next"]!["by"]);
        Assert.Equal(
            ["created", "halted", "resumed", "closed", "resolution_started", "value_proposed", "determined"],
            waiting["timeline"]!.AsArray().Select(step => (string)step!["what"]!));
        Assert.Equal("warn: wide", (string?)waiting["timeline"]![1]!["note"]);

        // What the page says does not hang on the process that has seen it happen.
        await fixture.RestartAsync();
        var again = (await Api.GetAsync($"/v2/markets/{market}/page?min_position={approved}")).Ok().Json;
        foreach (var part in new[] { "trades", "candles", "timeline", "quality", "resolution" })
        {
            Assert.Equal(waiting[part]!.ToJsonString(), again[part]!.ToJsonString());
        }
    }

    [Fact]
    public async Task Quality_and_resolutions_are_listed()
    {
        var market = await HistoryAsync("quality");
        var quality = (await Api.GetAsync($"/v2/markets/{market}/quality?limit=4")).Ok();
        var page = (await Api.GetAsync($"/v2/markets/{market}")).Ok();
        Assert.Equal(page["depth2pct"], (string?)quality.Json["now"]!["depth2pct"]);
        Assert.Equal(page["depth2pct"], (string?)quality.Json["items"]![0]!["depth2pct"]);
        Assert.Equal((long)page.Json["spreadPpm"]!, (long)quality.Json["items"]![0]!["spreadPpm"]!);
        var minutes = await Api.AllAsync($"/v2/markets/{market}/quality", limit: 4);
        Assert.Equal(minutes.Select(m => m.Text("at")).OrderDescending(StringComparer.Ordinal), minutes.Select(m => m.Text("at")));
        var trades = (await Api.EventsAsync(market)).Count(e => e.Text("type") == "trade_executed");
        Assert.Equal(trades, minutes.Sum(m => (long)m["trades"]!));

        Assert.DoesNotContain(await Api.AllAsync("/v2/resolutions", limit: 2), r => r.Text("marketId") == market);
        await ResolveAsync(market, "NO");
        var resolved = Assert.Single(await Api.AllAsync("/v2/resolutions?status=resolved", limit: 2), r => r.Text("marketId") == market);
        Assert.Equal(("NO", "Settled", "manual", Evidence), (resolved.Text("value"), resolved.Text("phase"), resolved.Text("sourceKind"), resolved.Text("evidenceUri")));
        Assert.Equal(["op-1", "op-2"], resolved["decidedBy"]!.AsArray().Select(by => (string)by!));
        Assert.DoesNotContain(await Api.AllAsync("/v2/resolutions?status=paused", limit: 2), r => r.Text("marketId") == market);
    }

    [Fact]
    public async Task A_tag_is_good_until_either_stream_of_the_market_moves()
    {
        var house = await Api.AccountAsync("tagged", "100000");
        var market = await Api.MarketAsync(house);
        var path = $"/v2/markets/{market}";
        var first = await TagAsync(path, await KnownAsync(path, tag: null, expected: 200));
        Assert.Matches("^\"[0-9]+\"$", first);
        (await Api.BuyAsync(market, house, "YES", "1")).Ok();
        var second = await TagAsync(path, first);
        (await Api.PostAsync($"{path}/close")).Ok();
        var third = await TagAsync(path, second);
        // From here on the market's own stream is silent.
        (await Api.PostAsync($"{path}/resolution/start")).Ok();
        var fourth = await TagAsync(path, third);
        Assert.Matches("^\"[0-9]+\\.1\"$", fourth);
        (await Api.PostAsync($"{path}/resolution/manual", new { value = "YES", evidenceUri = Evidence })).Ok();
        await TagAsync(path, fourth);

        var account = $"/v2/accounts/{house}";
        var one = await TagAsync(account, await KnownAsync(account, tag: null, expected: 200));
        (await Api.PostAsync($"{account}/credits", new { amount = "1", reason = "more" })).Ok();
        Assert.NotEqual(one, await TagAsync(account, one));

        // The new tag is known, the old one is not, and a list with the new one in it is.
        async Task<string> TagAsync(string of, string old)
        {
            var tag = await KnownAsync(of, tag: null, expected: 200);
            await KnownAsync(of, tag, expected: 304);
            await KnownAsync(of, $"\"x\", W/{tag}", expected: 304);
            if (old != tag)
            {
                await KnownAsync(of, old, expected: 200);
            }

            return tag;
        }
    }

    [Fact]
    public async Task A_read_says_when_its_tables_stopped_and_serves_what_they_have_to_whoever_asks_for_no_position()
    {
        var house = await Api.AccountAsync("halting", "100000");
        var market = await Api.MarketAsync(house);
        var before = (await Api.BuyAsync(market, house, "YES", "1")).Ok().Position;
        Assert.Single((await Api.GetAsync($"/v2/markets/{market}/trades")).Ok().Json["items"]!.AsArray());
        await PostgresFixture.ExecuteAsync(fixture.Superuser, "ALTER TABLE mbp_trades ADD CONSTRAINT no_more CHECK (position < 0) NOT VALID");
        try
        {
            var trade = (await Api.BuyAsync(market, house, "YES", "2")).Ok().Position;
            var refused = await Api.GetAsync($"/v2/markets/{market}/trades?min_position={trade}");
            Assert.Equal((503, "reads.stopped", "trades"), (refused.Status, refused.Code!, refused["projection"]));
            Assert.Equal($"trade_executed at {trade}", refused["event"]);
            // A client that has written nothing asks for no position.
            using var reader = Api.As((await File.ReadAllTextAsync(Path.Combine(fixture.Options.Data, "api-key"))).Trim());
            foreach (var asked in new[] { "", $"?min_position={before}" })
            {
                var answer = (await reader.GetAsync($"/v2/markets/{market}/trades{asked}")).Ok();
                Assert.Equal(before, (long)Assert.Single(answer.Json["items"]!.AsArray())!["position"]!);
                Assert.Equal(answer.Position.ToString(CultureInfo.InvariantCulture), Assert.Single(answer.Headers.GetValues("Mbp-Position")));
                Assert.InRange(answer.Position, before, trade - 1);
            }

            // Whatever does not need those tables goes on.
            (await Api.GetAsync($"/v2/accounts/{house}/statement?min_position={trade}")).Ok();
        }
        finally
        {
            await PostgresFixture.ExecuteAsync(fixture.Superuser, "ALTER TABLE mbp_trades DROP CONSTRAINT no_more");
            (await Api.PostAsync("/v2/projections/trades/resume")).Ok();
        }

        await UntilTablesAsync(await Api.HeadAsync());
        Assert.Equal(2, (await Api.AllAsync($"/v2/markets/{market}/trades", limit: 1)).Count);
    }

    private static readonly System.Text.Json.JsonSerializerOptions Relaxed = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static Duration Step(string resolution) => resolution switch
    {
        "1m" => Duration.FromMinutes(1),
        "5m" => Duration.FromMinutes(5),
        "15m" => Duration.FromMinutes(15),
        "1h" => Duration.FromHours(1),
        "4h" => Duration.FromHours(4),
        _ => Duration.FromDays(1),
    };

    private static BigInteger Signed(string amount) => amount.StartsWith('-') ? -MarketBook.Units(amount[1..]) : MarketBook.Units(amount);

    /// <summary>A market with trades over some hours, with gaps and crowds.</summary>
    private async Task<string> HistoryAsync(string name)
    {
        var house = await Api.AccountAsync(name, "1000000");
        var market = await Api.MarketAsync(house, new { probability = "0.3" });
        var random = new Random(7);
        for (var i = 0; i < 45; i++)
        {
            fixture.Clock.Advance(Duration.FromMilliseconds(random.Next(4) switch { 0 => 100, 1 => 20_000, 2 => 110_000, _ => i == 20 ? 9_000_000 : 300_000 }));
            (await Api.BuyAsync(market, house, random.Next(2) == 0 ? "YES" : "NO", random.Next(1, 900).ToString(CultureInfo.InvariantCulture))).Ok();
        }

        fixture.Clock.Advance(Duration.FromMinutes(61));
        return market;
    }

    private async Task<(PriceHistory History, Instant First, Instant Last)> QuotesAsync(string market)
    {
        var (history, first, last) = (PriceHistory.Empty(Duration.FromDays(400)), (Instant?)null, default(Instant));
        foreach (var e in await Api.EventsAsync(market))
        {
            if (e["data"]!["prices"] is JsonArray prices && e.Text("type") is "trade_executed" or "liquidity_added" or "liquidity_removed")
            {
                last = InstantPattern.ExtendedIso.Parse(e.Text("at")).Value;
                first ??= last;
                history = history.Observe([.. ((JsonArray)e["data"]!["prices"]!).Select(p => Price.FromUnits((long)MarketBook.Units((string?)p)))], last);
            }
        }

        return (history, first!.Value, last);
    }

    private async Task ResolveAsync(string market, string value)
    {
        (await Api.PostAsync($"/v2/markets/{market}/close", new { reason = "over" })).Ok();
        (await Api.PostAsync($"/v2/markets/{market}/resolution/start")).Ok();
        (await Api.PostAsync($"/v2/markets/{market}/resolution/manual", new { value, evidenceUri = Evidence })).Ok();
        (await fixture.Second.PostAsync($"/v2/markets/{market}/resolution/manual/approve")).Ok();
        var settled = await Api.UntilAsync(market, "Settled");
        await UntilTablesAsync(settled.Position);
    }

    private async Task UntilTablesAsync(long position)
    {
        for (var until = DateTimeOffset.UtcNow.AddSeconds(20); ; await Task.Delay(30))
        {
            if ((await Api.GetAsync("/v2/projections")).Ok().Json["items"]!.AsArray().All(p => (long)p!["position"]! >= position))
            {
                return;
            }

            Assert.True(DateTimeOffset.UtcNow < until, $"The tables do not reach {position}.");
        }
    }

    private async Task<string> KnownAsync(string path, string? tag, int expected)
    {
        // Once through the client that waits for what it wrote: the bare request does not.
        await Api.GetAsync(path);
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = Api.Address };
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{path}?min_position={await Api.HeadAsync()}");
        request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {(await File.ReadAllTextAsync(Path.Combine(fixture.Options.Data, "api-key"))).Trim()}");
        if (tag is not null)
        {
            request.Headers.TryAddWithoutValidation("If-None-Match", tag);
        }

        using var response = await http.SendAsync(request);
        Assert.Equal(expected, (int)response.StatusCode);
        Assert.Equal(expected == 200, (await response.Content.ReadAsStringAsync()).Length > 0);
        return response.Headers.ETag!.ToString();
    }
}

using System.Numerics;
using Mbp.Host.Tests.Hosting;
using Mbp.Testing;

namespace Mbp.Host.Tests;

/// <summary>Lists: pages without gaps or repeats, cursors that hold while the ledger grows, and faults that are named.</summary>
public sealed class ListTests(HostFixture fixture) : IClassFixture<HostFixture>
{
    private Api Api => fixture.Api;

    [Fact]
    public async Task A_cursor_stays_right_while_markets_are_added()
    {
        var house = await Api.AccountAsync("lhouse", "1000000");
        var before = new List<string>();
        for (var i = 0; i < 7; i++)
        {
            before.Add(await Api.MarketAsync(house, new { question = $"Will it snow on day {i}?" }));
        }

        var first = (await Api.GetAsync("/v2/markets?q=SNOW&limit=3")).Ok().Json;
        var late = await Api.MarketAsync(house, new { question = "Will it snow late?" });
        List<string> seen = [.. first["items"]!.AsArray().Select(item => (string)item!["id"]!)];
        for (var cursor = (string?)first["nextCursor"]; cursor is not null;)
        {
            var page = (await Api.GetAsync($"/v2/markets?q=SNOW&limit=3&cursor={cursor}")).Ok().Json;
            seen.AddRange(page["items"]!.AsArray().Select(item => (string)item!["id"]!));
            cursor = (string?)page["nextCursor"];
        }

        Assert.Equal(Enumerable.Reverse(before), seen);
        Assert.Equal(late, (await Api.AllAsync("/v2/markets?q=snow", limit: 2))[0].Text("id"));
        Assert.Empty(await Api.AllAsync("/v2/markets?q=nothing%20like%20it", limit: 2));
        Assert.Empty(await Api.AllAsync("/v2/markets?status=canceled", limit: 2));
        Assert.Equal(8, (await Api.AllAsync("/v2/markets?status=open&template=TPL-YESNO-01&q=snow", limit: 1000)).Count);
    }

    [Fact]
    public async Task Trades_of_a_market_and_of_an_account_are_its_events()
    {
        var house = await Api.AccountAsync("thouse", "1000000");
        var (ana, rui) = (await Api.AccountAsync("tana", "1000"), await Api.AccountAsync("trui", "1000"));
        var markets = new[] { await Api.MarketAsync(house), await Api.MarketAsync(house) };
        for (var i = 0; i < 11; i++)
        {
            (await Api.BuyAsync(markets[i % 2], i % 3 == 0 ? ana : rui, i % 2 == 0 ? "YES" : "NO", "1.25")).Ok();
        }

        (await Api.SellAsync(markets[0], ana, "YES", "0.5")).Ok();
        var events = (await Task.WhenAll(markets.Select(async market => (market, events: await Api.EventsAsync(market)))))
            .SelectMany(m => m.events.Where(e => e.Text("type") == "trade_executed").Select(e => (m.market, e))).OrderByDescending(e => (long)e.e["position"]!).ToList();
        foreach (var (path, expected) in new[]
        {
            ($"/v2/markets/{markets[0]}/trades", events.Where(e => e.market == markets[0])),
            ($"/v2/markets/{markets[1]}/trades?account={ana}", events.Where(e => e.market == markets[1] && (string?)e.e["data"]!["account"] == ana)),
            ($"/v2/accounts/{rui}/trades", events.Where(e => (string?)e.e["data"]!["account"] == rui)),
        })
        {
            var listed = await Api.AllAsync(path, limit: 3);
            Assert.Equal(expected.Select(e => (e.market, (long)e.e["position"]!)), listed.Select(t => (t.Text("marketId"), (long)t["position"]!)));
            foreach (var (trade, (_, e)) in listed.Zip(expected))
            {
                foreach (var field in new[] { "tradeId", "account", "side", "outcome", "shares", "amount", "fee", "priceBefore", "priceAfter", "at" })
                {
                    Assert.Equal((string?)e["data"]![field], trade.Text(field));
                }
            }
        }

        Assert.Equal(
            (await Api.GetAsync($"/v2/markets/{markets[0]}/trades?limit=50")).Ok().Json["items"]!.ToJsonString(),
            (await Api.GetAsync($"/v2/markets/{markets[0]}/page")).Ok().Json["trades"]!.ToJsonString());
    }

    [Fact]
    public async Task The_lines_of_a_statement_add_up_to_the_balance()
    {
        var house = await Api.AccountAsync("shouse", "1000000");
        var ana = await Api.AccountAsync("sana", "500");
        var market = await Api.MarketAsync(house);
        for (var i = 0; i < 6; i++)
        {
            (await Api.BuyAsync(market, ana, "YES", "7.00000001")).Ok();
            (await Api.SellAsync(market, ana, "YES", "3")).Ok();
        }

        (await Api.PostAsync($"/v2/markets/{market}/liquidity", new { op = "add", amount = "50", account = ana })).Ok();
        var balance = (await Api.GetAsync($"/v2/accounts/{ana}")).Ok()["balance"];
        foreach (var order in new[] { "asc", "desc" })
        {
            var lines = await Api.AllAsync($"/v2/accounts/{ana}/statement?order={order}", limit: 4);
            Assert.Equal(14, lines.Count);
            Assert.Equal(MarketBook.Units(balance), lines.Aggregate(BigInteger.Zero, (sum, line) => sum + Signed(line.Text("amount"))));
            var oldestFirst = order == "asc" ? lines : [.. lines.Reverse()];
            Assert.Equal("grant", oldestFirst[0].Text("kind"));
            Assert.Equal(balance, oldestFirst[^1].Text("balance"));
            for (var (i, sum) = (0, BigInteger.Zero); i < oldestFirst.Count; i++)
            {
                sum += Signed(oldestFirst[i].Text("amount"));
                Assert.Equal(sum, MarketBook.Units(oldestFirst[i].Text("balance")));
            }

            // Each page says what it begins and ends with, and the pages meet.
            string? cursor = null, edge = null;
            do
            {
                var page = (await Api.GetAsync($"/v2/accounts/{ana}/statement?order={order}&limit=5{(cursor is null ? "" : $"&cursor={cursor}")}")).Ok();
                var moved = page.Json["items"]!.AsArray().Aggregate(BigInteger.Zero, (all, line) => all + Signed((string)line!["amount"]!));
                Assert.Equal(MarketBook.Units(page["closingBalance"]), MarketBook.Units(page["openingBalance"]) + moved);
                Assert.Equal(edge ?? (order == "asc" ? "0" : balance), page[order == "asc" ? "openingBalance" : "closingBalance"]);
                edge = page[order == "asc" ? "closingBalance" : "openingBalance"];
                cursor = (string?)page.Json["nextCursor"];
            }
            while (cursor is not null);
            Assert.Equal(order == "asc" ? balance : "0", edge);
        }

        var beyond = (await Api.GetAsync($"/v2/accounts/{ana}/statement?order=asc&cursor=9000000000")).Ok();
        Assert.Equal((balance, balance), (beyond["openingBalance"], beyond["closingBalance"]));
    }

    [Fact]
    public async Task The_audit_trail_says_who_did_what_and_finds_it_by_each_of_them()
    {
        var house = await Api.AccountAsync("ahouse", "1000000");
        var market = await Api.MarketAsync(house);
        var trade = (await Api.BuyAsync(market, house, "YES", "5")).Ok();
        (await fixture.Second.PostAsync($"/v2/markets/{market}/halt", new { level = "soft", reason = "a look" })).Ok();
        var resumed = (await Api.PostAsync($"/v2/markets/{market}/resume", new { reason = "all well" })).Ok();
        var lines = await Api.AllAsync($"/v2/markets/{market}/audit", limit: 2);
        Assert.Equal(["market_resumed", "market_halted", "trade_executed"], lines.Take(3).Select(line => line.Text("action")));
        var halt = lines[1];
        Assert.Equal(("op-2", "a look", $"market-{market}"), (halt.Text("actor"), halt.Text("reason"), halt.Text("stream")));
        Assert.Equal(32, halt.Text("traceId").Length);
        Assert.NotEmpty(halt.Text("commandId"));
        foreach (var query in new[]
        {
            $"stream=market-{market}&action=market_halted", $"actor=op-2&stream=market-{market}", $"from={trade["at"]}&to={lines[0].Text("at")}&action=market_halted&stream=market-{market}",
        })
        {
            Assert.Equal(halt.ToJsonString(), Assert.Single(await Api.AllAsync($"/v2/audit?{query}", limit: 1000)).ToJsonString());
        }

        // `to` is no part of the range, `from` is.
        Assert.DoesNotContain(await Api.AllAsync($"/v2/audit?to={halt.Text("at")}", limit: 1000), line => (long)line["position"]! >= (long)halt["position"]!);
        Assert.Equal((long)halt["position"]!, (long)(await Api.AllAsync($"/v2/audit?from={halt.Text("at")}", limit: 1000))[^1]["position"]!);
        Assert.All(await Api.AllAsync($"/v2/audit?account={house}", limit: 3), line => Assert.Equal(house, line.Text("accountId")));
        Assert.Equal(resumed.Position, (long)lines[0]["position"]!);
    }

    [Theory]
    [InlineData("/v2/markets?limit=0", "limit")]
    [InlineData("/v2/markets?limit=1001", "limit")]
    [InlineData("/v2/markets?cursor=x", "cursor")]
    [InlineData("/v2/markets?cursor=-1", "cursor")]
    [InlineData("/v2/markets?status=asleep", "status")]
    [InlineData("/v2/markets?q=", "q")]
    [InlineData("/v2/markets/M/trades?limit=ten", "limit")]
    [InlineData("/v2/markets/M/trades?account=%20", "account")]
    [InlineData("/v2/markets/M/trades?at=1", "at")]
    [InlineData("/v2/markets/M/page?at=1", "at")]
    [InlineData("/v2/markets/M/candles?resolution=2m", "resolution")]
    [InlineData("/v2/markets/M/candles?outcome=MAYBE", "outcome")]
    [InlineData("/v2/markets/M/candles?from=yesterday", "from")]
    [InlineData("/v2/markets/M/candles?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to")]
    [InlineData("/v2/markets/M/candles?cursor=9223372036854775807", "cursor")]
    [InlineData("/v2/markets/M/twap/series?resolution=9d", "resolution")]
    [InlineData("/v2/markets/M/quality?limit=-5", "limit")]
    [InlineData("/v2/markets/M/audit?cursor=1.5", "cursor")]
    [InlineData("/v2/accounts/A/statement?order=up", "order")]
    [InlineData("/v2/accounts/A/trades?cursor=abc", "cursor")]
    [InlineData("/v2/audit?from=1", "from")]
    [InlineData("/v2/resolutions?status=open", "status")]
    [InlineData("/v2/resolutions?cursor=%2F", "cursor")]
    [InlineData("/v2/markets/M?at=soon", "at")]
    [InlineData("/v2/markets/M?at=9000000000", "at")]
    [InlineData("/v2/markets/M?at=2099-01-01T00:00:00Z", "at")]
    [InlineData("/v2/markets/M/twap?at=2099-01-01T00:00:00Z", "at")]
    [InlineData("/v2/accounts/A?at=9000000000", "at")]
    [InlineData("/v2/accounts/A/positions?at=9000000000", "at")]
    [InlineData("/v2/markets/M/trades?min_position=x", "min_position")]
    public async Task A_bad_value_is_named(string path, string field)
    {
        var house = "bhouse";
        if ((await Api.GetAsync($"/v2/accounts/{house}")).Status == 404)
        {
            await Api.AccountAsync(house, "100000");
            await Api.MarketAsync(house, new { id = "bad" });
        }

        var answer = await Api.GetAsync(path.Replace("/M", "/bad", StringComparison.Ordinal).Replace("/A", $"/{house}", StringComparison.Ordinal));
        Assert.Equal((400, "request.invalid"), (answer.Status, answer.Code));
        Assert.Contains(answer.Json["errors"]!.AsArray(), error => (string?)error!["field"] == field);
    }

    [Fact]
    public async Task A_trader_sees_what_is_public_and_its_own_account()
    {
        var house = await Api.AccountAsync("ihouse", "1000000");
        var (ana, rui) = (await Api.AccountAsync("iana", "100"), await Api.AccountAsync("irui", "100"));
        var market = await Api.MarketAsync(house);
        (await Api.BuyAsync(market, ana, "YES", "1")).Ok();
        var seen = (await Api.BuyAsync(market, rui, "NO", "1")).Ok().Position;
        using var key = fixture.Api.As((await Api.PostAsync($"/v2/accounts/{ana}/keys", new { scopes = new[] { "read" } })).Ok()["apiKey"]);
        foreach (var route in new[] { "", "/positions", "/trades", "/statement", $"/positions?at={seen}", $"?at={seen}" })
        {
            Assert.Equal(200, (await key.GetAsync($"/v2/accounts/{ana}{route}")).Status);
            var other = await key.GetAsync($"/v2/accounts/{rui}{route}");
            Assert.Equal((403, "auth.not_your_account"), (other.Status, other.Code));
            // Not even whether there is such an account.
            Assert.Equal((403, "auth.not_your_account"), ((await key.GetAsync($"/v2/accounts/nobody{route}")).Status, other.Code));
        }

        Assert.Equal(403, (await key.GetAsync($"/v2/markets/{market}/trades?account={rui}")).Status);
        Assert.Equal(200, (await key.GetAsync($"/v2/markets/{market}/trades?account={ana}")).Status);
        Assert.Equal((403, "auth.operators_only"), await key.GetAsync("/v2/audit") is var audit ? (audit.Status, audit.Code!) : default);
        foreach (var route in new[] { "", "/page", "/trades", "/candles", "/twap", "/twap/series", "/quality", "/audit", "/resolution", "/events" })
        {
            Assert.Equal(200, (await key.GetAsync($"/v2/markets/{market}{route}?min_position={seen}")).Status);
        }
    }

    [Fact]
    public async Task No_list_walks_through_a_whole_table()
    {
        var house = await Api.AccountAsync("xhouse", "1000000");
        var market = await Api.MarketAsync(house, new { id = "xmarket" });
        (await Api.BuyAsync(market, house, "YES", "5")).Ok();
        (await Api.PostAsync($"/v2/markets/{market}/close")).Ok();
        (await Api.PostAsync($"/v2/markets/{market}/resolution/start")).Ok();
        const string Scans = "SELECT sum(seq_scan) FROM pg_stat_user_tables WHERE relname LIKE 'mbp\\_%' AND relname <> 'mbp_projection' OR relname IN ('mt_events', 'mt_streams')";
        var then = await Api.HeadAsync();
        await Task.Delay(1_500);
        var before = Assert.Single(await PostgresFixture.RowsAsync(fixture.Superuser, Scans));
        for (var i = 0; i < 3; i++)
        {
            foreach (var path in new[]
            {
                $"markets/{market}/trades", $"markets/{market}/trades?account={house}", $"accounts/{house}/trades", $"accounts/{house}/statement", $"accounts/{house}/statement?order=asc",
                $"markets/{market}/candles", $"markets/{market}/candles?resolution=1d", $"markets/{market}/twap/series?resolution=1m", $"markets/{market}/quality", $"markets/{market}/audit",
                "audit", "audit?actor=op-1", $"audit?account={house}", $"audit?stream=market-{market}", "audit?action=market_closed", "resolutions", "resolutions?status=paused",
                $"accounts/{house}/positions?at={then}",
            })
            {
                (await Api.GetAsync($"/v2/{path}")).Ok();
            }
        }

        // A session tells the server's statistics within a second of its last statement.
        await Task.Delay(1_500);
        (await Api.GetAsync("/v2/audit")).Ok();
        await Task.Delay(300);
        Assert.Equal(before, Assert.Single(await PostgresFixture.RowsAsync(fixture.Superuser, Scans)));
    }

    private static BigInteger Signed(string amount) => amount.StartsWith('-') ? -MarketBook.Units(amount[1..]) : MarketBook.Units(amount);
}

using Mbp.Host.Tests.Hosting;

namespace Mbp.Host.Tests;

/// <summary>The same key and the same command are carried out once, however often, at the same time, and after a restart.</summary>
public sealed class IdempotencyTests(HostFixture fixture) : IClassFixture<HostFixture>
{
    private static int _number;

    private Api Api => fixture.Api;

    private async Task<(string Market, string Account)> GivenAsync()
    {
        var number = Interlocked.Increment(ref _number);
        var account = await Api.AccountAsync($"holder{number}", "100000");
        return (await Api.MarketAsync(account), account);
    }

    [Fact]
    public async Task A_repeated_trade_is_answered_alike_and_done_once()
    {
        var (market, account) = await GivenAsync();
        var trade = $$"""{"side":"buy","outcome":"YES","amount":"10","account":"{{account}}"}""";
        var first = (await Api.PostAsync($"/v2/markets/{market}/trades", trade, "trade-1")).Ok();
        var events = (await Api.EventsAsync(market)).Count;

        // Other white space and another order of the fields are the same request.
        var reordered = $$"""  { "account": "{{account}}",  "amount":"10", "outcome":"\u0059ES", "side":"buy" } """;
        foreach (var again in new[] { trade, reordered })
        {
            Assert.Equal(first.Repeated, (await Api.PostAsync($"/v2/markets/{market}/trades", again, "trade-1")).Ok().Repeated);
        }

        Assert.Equal(events, (await Api.EventsAsync(market)).Count);
    }

    [Fact]
    public async Task The_order_of_a_new_markets_parameters_does_not_matter()
    {
        var (_, account) = await GivenAsync();
        var first = (await Api.PostAsync("/v2/markets", Body("""{"lower":"1","upper":"2"}"""), "create-1")).Ok();
        Assert.Equal(first.Repeated, (await Api.PostAsync("/v2/markets", Body("""{ "upper":"2", "lower" : "1" }"""), "create-1")).Ok().Repeated);

        string Body(string parameters) => $$"""{"template":"TPL-SCALAR-01","question":"How much?","account":"{{account}}","liquidity":"100","params":{{parameters}}}""";
    }

    [Fact]
    public async Task A_key_used_for_something_else_is_a_mismatch()
    {
        var (market, account) = await GivenAsync();
        (await Api.BuyAsync(market, account, "YES", "10", "mixed")).Ok();
        var other = await Api.BuyAsync(market, account, "YES", "10.00000001", "mixed");
        Assert.Equal((409, "idempotency.mismatch"), (other.Status, other.Code));
        Assert.Equal("idempotency.mismatch", (await Api.SellAsync(market, account, "YES", "10", "mixed")).Code);
        Assert.Equal("idempotency.mismatch", (await Api.PostAsync($"/v2/markets/{market}/close", new { reason = "x" }, "mixed")).Code);
        // Keys are each principal's own.
        (await fixture.Second.BuyAsync(market, account, "YES", "11", "mixed")).Ok();
    }

    [Fact]
    public async Task A_refused_command_does_not_use_its_key_up()
    {
        var (market, account) = await GivenAsync();
        Assert.Equal(422, (await Api.SellAsync(market, account, "YES", "1", "early")).Status);
        (await Api.BuyAsync(market, account, "YES", "10")).Ok();
        (await Api.SellAsync(market, account, "YES", "1", "early")).Ok();
    }

    [Fact]
    public async Task Duplicates_that_arrive_together_are_done_once()
    {
        var (market, account) = await GivenAsync();
        var before = (await Api.EventsAsync(market)).Count;
        var answers = await Task.WhenAll(Enumerable.Range(0, 64).Select(i => Api.BuyAsync(market, account, "NO", "5", $"burst-{i % 4}")));
        Assert.All(answers, answer => answer.Ok());
        Assert.Equal(4, answers.Select(answer => answer.Repeated).Distinct().Count());
        Assert.Equal(before + 4, (await Api.EventsAsync(market)).Count);

        // Two different commands under one new key: one of them is carried out, all others are told.
        var mixed = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => Api.BuyAsync(market, account, "NO", $"{1 + i % 2}", "two")));
        Assert.Equal(10, mixed.Count(answer => answer.IsOk));
        Assert.Equal(10, mixed.Count(answer => answer.Code == "idempotency.mismatch"));
        Assert.Equal(before + 5, (await Api.EventsAsync(market)).Count);
    }

    [Fact]
    public async Task What_was_already_so_is_answered_alike_too()
    {
        var (market, account) = await GivenAsync();
        var (open, trades) = (Api.PostAsync("/v2/accounts", new { id = account }, "open-again"), Enumerable.Range(0, 20).Select(_ => Api.BuyAsync(market, account, "YES", "1")).ToList());
        await Task.WhenAll(trades);
        var first = (await open).Ok();
        Assert.Equal(first.Repeated, (await Api.PostAsync("/v2/accounts", new { id = account }, "open-again")).Ok().Repeated);
    }

    [Fact]
    public async Task The_answers_of_a_resolution_are_repeated_as_they_were()
    {
        var (market, _) = await GivenAsync();
        (await Api.PostAsync($"/v2/markets/{market}/close")).Ok();
        var started = (await Api.PostAsync($"/v2/markets/{market}/resolution/start", null, "start")).Ok();
        (await Api.PostAsync($"/v2/markets/{market}/resolution/manual", new { value = "YES", evidenceUri = "urn:proof" }, "propose")).Ok();
        (await fixture.Second.PostAsync($"/v2/markets/{market}/resolution/manual/approve", null, "approve")).Ok();
        await Api.UntilAsync(market, "Settled");
        Assert.Equal(started.Position, (await Api.PostAsync($"/v2/markets/{market}/resolution/start", null, "start")).Ok().Position);
    }

    [Fact]
    public async Task Keys_are_remembered_across_a_restart()
    {
        var (market, account) = await GivenAsync();
        var trade = (await Api.BuyAsync(market, account, "YES", "10", "lasting")).Ok();
        var liquidity = (await Api.PostAsync($"/v2/markets/{market}/liquidity", new { op = "add", amount = "50", account }, "lasting-2")).Ok();
        var events = (await Api.EventsAsync(market)).Count;

        await fixture.RestartAsync();

        Assert.Equal(trade.Repeated, (await Api.BuyAsync(market, account, "YES", "10", "lasting")).Ok().Repeated);
        Assert.Equal(liquidity.Repeated, (await Api.PostAsync($"/v2/markets/{market}/liquidity", new { op = "add", amount = "50", account }, "lasting-2")).Ok().Repeated);
        Assert.Equal("idempotency.mismatch", (await Api.BuyAsync(market, account, "YES", "11", "lasting")).Code);
        Assert.Equal(events, (await Api.EventsAsync(market)).Count);
    }
}

using System.Globalization;
using System.Numerics;
using Mbp.Host.Tests.Hosting;
using NodaTime;

namespace Mbp.Host.Tests;

/// <summary>Whole lives of markets over HTTP. Money is counted after every step, and payouts are computed a second way.</summary>
public sealed class MarketLifeTests(HostFixture fixture) : IClassFixture<HostFixture>
{
    private const string Evidence = "https://example.org/proof";

    private HostFixture Fixture => fixture;

    private Api Api => fixture.Api;

    [Theory]
    [InlineData("YES", "replay")]
    [InlineData("NO", "default")]
    public async Task A_binary_market_pays_what_its_events_say(string value, string ruleset)
    {
        var life = await Life.StartAsync(this, new { ruleset, probability = "0.35" });
        await life.TradeAsync("YES", "NO");
        await life.ResolveByTwoAsync(value);
        await life.SettleAsync(value == "YES" ? [1, 0] : [0, 1]);
    }

    [Theory]
    [InlineData("57.25", "0.3725", "default")]
    [InlineData("5", "0", "replay")]
    [InlineData("1000", "1", "replay")]
    [InlineData("53.33333333", "0.33333333", "replay")]
    public async Task A_scalar_market_pays_by_where_the_value_lies(string value, string longShare, string ruleset)
    {
        var life = await Life.StartAsync(this, new { template = "TPL-SCALAR-01", ruleset, @params = new { lower = "20", upper = "120" } });
        await life.TradeAsync("LONG", "SHORT");
        await life.ResolveByTwoAsync(value);
        var q = MarketBook.Units(longShare);
        await life.SettleUnitsAsync([q, 100_000_000 - q]);
    }

    [Fact]
    public async Task A_categorical_market_pays_the_winner()
    {
        var life = await Life.StartAsync(this, new
        {
            template = "TPL-CATEGORICAL-01", @params = new { outcomes = new[] { "red", "green", "blue", "açaí" } }, probabilities = new[] { "0.4", "0.3", "0.2", "0.1" },
        });
        await life.TradeAsync("açaí", "red");
        await life.ResolveByTwoAsync("açaí");
        await life.SettleAsync([0, 0, 0, 1]);
    }

    [Theory]
    [InlineData("TPL-YESNO-01")]
    [InlineData("TPL-CATEGORICAL-01")]
    public async Task An_invalid_question_pays_the_average_price_of_the_last_day(string template)
    {
        var several = template == "TPL-CATEGORICAL-01";
        var life = several
            ? await Life.StartAsync(this, new { template, @params = new { outcomes = "A,B,C" } })
            : await Life.StartAsync(this, new { template });
        var (first, second) = several ? ("A", "B") : ("YES", "NO");
        await life.TradeAsync(first, second);
        // Two days pass: most of the life is outside of the window that counts.
        fixture.Clock.Advance(Duration.FromHours(40));
        await life.TradeAsync(second, first);
        fixture.Clock.Advance(Duration.FromHours(7));
        await life.ResolveByTwoAsync("INVALID");
        var page = await Api.UntilAsync(life.Market, "Settled");
        Assert.Equal("canceled", page["status"]);
        var vector = await life.VectorAsync();
        var book = await MarketBook.OfAsync(Api, life.Market);
        Assert.InRange(vector[0] - book.Twap(book.ClosedAt!.Value, TimeSpan.FromHours(24)), 0, several ? 1 : 0);
        await life.SettleUnitsAsync(vector);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_fact_in_the_table_decides_whether_it_came_before_or_after_the_start(bool before)
    {
        var table = $"results{before}";
        var life = await Life.StartAsync(this, new { @params = new { truthSource = "table", truthTable = table, truthKey = "final" } });
        await life.TradeAsync("YES", "NO");
        await life.CloseAsync();
        if (before)
        {
            await RecordAsync();
        }

        var started = (await Api.PostAsync($"/v2/markets/{life.Market}/resolution/start")).Ok();
        if (!before)
        {
            Assert.Equal("Collecting", started["phase"]);
            await RecordAsync();
            var head = await Api.HeadAsync();
            (await Api.PostAsync($"/v2/markets/{life.Market}/resolution/start")).Ok();
            Assert.True(await Api.HeadAsync() > head);
        }

        await life.SettleAsync([1, 0]);
        Assert.Equal("table", (await Api.GetAsync($"/v2/markets/{life.Market}/resolution"))["sourceKind"]);

        // Two people here, too: who recorded the fact does not resolve by it.
        async Task RecordAsync() => (await fixture.Second.PostAsync($"/v2/truth/{table}/final", new { value = "YES", evidenceUri = Evidence })).Ok();
    }

    [Fact]
    public async Task A_fact_that_the_market_cannot_have_leaves_the_manual_way_open()
    {
        var life = await Life.StartAsync(this, new { @params = new { truthSource = "table", truthTable = "odd" } });
        await life.CloseAsync();
        (await fixture.Second.PostAsync($"/v2/truth/odd/{life.Market}", new { value = "MAYBE", evidenceUri = Evidence })).Ok();
        Assert.Equal("Collecting", (await Api.PostAsync($"/v2/markets/{life.Market}/resolution/start")).Ok()["phase"]);
        await life.ProposeAndApproveAsync("NO");
        await life.SettleAsync([0, 1]);
    }

    [Fact]
    public async Task A_market_closes_at_its_deadline_by_itself()
    {
        var life = await Life.StartAsync(this, new { closesAt = (fixture.Clock.GetCurrentInstant() + Duration.FromHours(5)).ToString("uuuu-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture) });
        await life.TradeAsync("YES", "NO");
        fixture.Clock.Advance(Duration.FromHours(6));
        // The closing time holds before the clock wrote its event, too.
        Assert.Equal("markets.closed", (await Api.BuyAsync(life.Market, life.Trader, "YES", "1")).Code);
        await Api.UntilAsync(life.Market, "Closed");
        var closed = (await Api.EventsAsync(life.Market)).Single(e => (string)e["type"]! == "market_closed");
        Assert.Equal("deadline", (string)closed["data"]!["reason"]!);
        await life.ProposeAndApproveAsync("YES", start: true);
        await life.SettleAsync([1, 0]);
    }

    [Fact]
    public async Task A_determined_value_waits_for_its_dispute_window()
    {
        var life = await Life.StartAsync(this, new { ruleset = "default" });
        await life.TradeAsync("YES", "NO");
        await life.CloseAsync();
        await life.ProposeAndApproveAsync("YES", start: true);
        await Task.Delay(400);
        Assert.Equal("Determined", (await Api.GetAsync($"/v2/markets/{life.Market}"))["phase"]);
        await life.Bank.CheckAsync();
        fixture.Clock.Advance(Duration.FromMinutes(121));
        await life.SettleAsync([1, 0]);
    }

    /// <summary>One market with its accounts, and the steps of its life.</summary>
    private sealed class Life(MarketLifeTests test, Bank bank, string market, string house, string trader, string other, string? ruleset)
    {
        private static int _number;

        public Bank Bank => bank;

        public string Market => market;

        public string Trader => trader;

        public static async Task<Life> StartAsync(MarketLifeTests test, object terms)
        {
            var number = Interlocked.Increment(ref _number);
            var bank = new Bank(test.Api);
            var (house, trader, other) = (
                await bank.AccountAsync($"house{number}", "50000.12345678"), await bank.AccountAsync($"ana{number}", "3000.00000001"), await bank.AccountAsync($"bia{number}", "4000"));
            var market = await bank.MarketAsync(house, terms);
            await bank.CheckAsync();
            return new Life(test, bank, market, house, trader, other, (string?)terms.GetType().GetProperty("ruleset")?.GetValue(terms));
        }

        public async Task TradeAsync(string first, string second)
        {
            var bought = await StepAsync(() => test.Api.BuyAsync(market, trader, first, "123.45678901"));
            await StepAsync(() => test.Api.BuyAsync(market, other, second, "77.7"));
            await StepAsync(() => test.Api.PostAsync($"/v2/markets/{market}/liquidity", new { op = "add", amount = "1234.56789", account = other }));
            await StepAsync(() => test.Api.SellAsync(market, trader, first, Half(bought["shares"])));
            var minted = await StepAsync(() => test.Api.PostAsync($"/v2/markets/{market}/liquidity", new { op = "add", amount = "0.1", account = trader }));
            await StepAsync(() => test.Api.PostAsync($"/v2/markets/{market}/liquidity", new { op = "remove", lpShares = minted["minted"], account = trader }));
            await StepAsync(() => test.Api.PostAsync($"/v2/markets/{market}/liquidity", new { op = "remove", lpShares = "500.00000007", account = other }));
            var seed = new { op = "remove", lpShares = "1000.00000007", account = house };
            if (ruleset == "default")
            {
                Assert.Equal("trading.seed_locked", (await test.Api.PostAsync($"/v2/markets/{market}/liquidity", seed)).Code);
            }
            else
            {
                await StepAsync(() => test.Api.PostAsync($"/v2/markets/{market}/liquidity", seed));
            }

            await StepAsync(() => test.Api.BuyAsync(market, other, first, "13.00000007"));
        }

        public async Task CloseAsync()
        {
            await StepAsync(() => test.Api.PostAsync($"/v2/markets/{market}/close", new { reason = "the end" }));
            Assert.Equal("markets.closed", (await test.Api.BuyAsync(market, trader, "YES", "1")).Code);
        }

        public async Task ResolveByTwoAsync(string value)
        {
            await CloseAsync();
            await ProposeAndApproveAsync(value, start: true);
            if (ruleset == "default")
            {
                test.Fixture.Clock.Advance(Duration.FromMinutes(121));
            }
        }

        public async Task ProposeAndApproveAsync(string value, bool start = false)
        {
            if (start)
            {
                await StepAsync(() => test.Api.PostAsync($"/v2/markets/{market}/resolution/start"));
            }

            await StepAsync(() => test.Api.PostAsync($"/v2/markets/{market}/resolution/manual", new { value, evidenceUri = Evidence }));
            Assert.Equal("resolution.same_approver", (await test.Api.PostAsync($"/v2/markets/{market}/resolution/manual/approve")).Code);
            (await test.Fixture.Second.PostAsync($"/v2/markets/{market}/resolution/manual/approve")).Ok();
        }

        public Task SettleAsync(int[] vector) => SettleUnitsAsync([.. vector.Select(q => q * (BigInteger)100_000_000)]);

        public async Task SettleUnitsAsync(IReadOnlyList<BigInteger> expected)
        {
            // What the events say is owed, against what the accounts have after it less what they had paid and received before.
            await test.Api.UntilAsync(market, "Settled");
            var book = await MarketBook.OfAsync(test.Api, market);
            Assert.Equal(expected, await VectorAsync());
            var (payouts, dust) = book.Settle(expected);
            foreach (var account in new[] { house, trader, other })
            {
                var closed = (await test.Api.EventsAsync(market))[^1];
                var before = MarketBook.Units((await test.Api.GetAsync($"/v2/accounts/{account}?at={(long)closed["position"]!}")).Ok()["balance"]);
                Assert.Equal(payouts.GetValueOrDefault(account), await bank.BalanceAsync(account) - before);
                Assert.Empty((await test.Api.GetAsync($"/v2/accounts/{account}/positions")).Ok().Json["items"]!.AsArray());
            }

            var settlement = (await test.Api.GetAsync($"/v2/markets/{market}/resolution")).Ok().Json["settlement"]!;
            Assert.Equal(dust, MarketBook.Units((string?)settlement["dust"]) + MarketBook.Units((string?)settlement["feeDust"]));
            Assert.InRange(dust, 0, 10);
            await bank.CheckAsync();
        }

        public async Task<IReadOnlyList<BigInteger>> VectorAsync() =>
            [.. (await test.Api.GetAsync($"/v2/markets/{market}/resolution")).Ok().Json["vector"]!.AsArray().Select(q => MarketBook.Units((string?)q))];

        private async Task<Answer> StepAsync(Func<Task<Answer>> step)
        {
            var answer = (await step()).Ok();
            await bank.CheckAsync();
            return answer;
        }

        private static string Half(string shares) => (decimal.Parse(shares, CultureInfo.InvariantCulture) / 2).ToString("0.########", CultureInfo.InvariantCulture);
    }
}

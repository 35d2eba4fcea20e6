using System.Numerics;
using Mbp.Domain.Audit;
using Mbp.Host.Tests.Hosting;
using Mbp.Host.Tests.Protection;

namespace Mbp.Host.Tests;

/// <summary>A wrong settlement over HTTP: two operators correct it, and money is counted before, between and after.</summary>
public sealed class SettlementCorrectionTests(HostFixture fixture) : IClassFixture<HostFixture>
{
    private const string Evidence = "https://example.org/gauge";

    private Api Api => fixture.Api;

    [Fact]
    public async Task Everybody_ends_with_what_the_right_value_pays()
    {
        var (bank, market) = await SettledAsync("one", spend: false);
        var before = await BalancesAsync(bank, "one");
        await CorrectAsync(market, "NO");
        await DoneAsync(market, 1);

        var book = await MarketBook.OfAsync(Api, market);
        var (was, _) = book.Settle([100_000_000, 0]);
        var (now, dust) = book.Settle([0, 100_000_000]);
        foreach (var (account, balance) in await BalancesAsync(bank, "one"))
        {
            Assert.Equal(before[account] - was.GetValueOrDefault(account) + now.GetValueOrDefault(account), balance);
        }

        var settlement = (await Api.GetAsync($"/v2/markets/{market}/resolution")).Ok().Json["settlement"]!;
        Assert.Equal(dust, MarketBook.Units((string?)settlement["dust"]) + MarketBook.Units((string?)settlement["feeDust"]));
        Assert.Equal(("done", 1, "NO", "0"), ((string?)settlement["correction"]!["state"], (int)settlement["correction"]!["number"]!, (string?)settlement["correction"]!["value"], (string?)settlement["correction"]!["shortfall"]));
        await bank.CheckAsync();
        Assert.Equal("Settled", (await Api.GetAsync($"/v2/markets/{market}"))["phase"]);
        LedgerReading.Audit(await LedgerReading.AllAsync(fixture.Host.Database.Store), Check.CorrectionPlan, Check.CorrectionByTwo, Check.CorrectionShortfall, Check.CorrectedInFull);
        Assert.Equal("true", (await Api.GetAsync("/v2/audit/conservation")).Ok().Json["holds"]!.ToJsonString());
    }

    [Fact]
    public async Task What_a_debtor_spent_is_refused_without_insurance_and_carried_with_it()
    {
        var (bank, market) = await SettledAsync("two", spend: true);
        (await ProposeAsync(market, "NO")).Ok();
        var head = await Api.HeadAsync();
        var refused = await fixture.Second.PostAsync($"/v2/markets/{market}/settlement/correction/approve");
        Assert.Equal((422, "settlement.insurance_short"), (refused.Status, refused.Code));
        Assert.Equal(head, await Api.HeadAsync());

        // A clawback elsewhere is what insurance lives on.
        var rich = await bank.AccountAsync("rich-two", "5000");
        (await Api.PostAsync($"/v2/markets/{market}/moderation", new { action = "clawback", account = rich, amount = "4000", reason = "test", evidenceUri = Evidence })).Ok();
        (await fixture.Second.PostAsync($"/v2/markets/{market}/moderation/1/approve")).Ok();
        var insured = MarketBook.Units((await Api.GetAsync("/v2/accounts/insurance")).Ok()["balance"]);
        (await fixture.Second.PostAsync($"/v2/markets/{market}/settlement/correction/approve")).Ok();
        await DoneAsync(market, 1);

        var correction = (await Api.GetAsync($"/v2/markets/{market}/resolution")).Ok().Json["settlement"]!["correction"]!;
        var shortfall = MarketBook.Units((string?)correction["shortfall"]);
        Assert.True(shortfall > 0);
        Assert.Equal(insured - shortfall, MarketBook.Units((await Api.GetAsync("/v2/accounts/insurance")).Ok()["balance"]));
        Assert.Equal("0", (await Api.GetAsync("/v2/accounts/ana-two")).Ok()["balance"]);

        // And back: insurance has everything again.
        await CorrectAsync(market, "YES");
        await DoneAsync(market, 2);
        Assert.Equal(insured, MarketBook.Units((await Api.GetAsync("/v2/accounts/insurance")).Ok()["balance"]));
        Assert.Equal("0", (await Api.GetAsync("/v2/accounts/ana-two")).Ok()["balance"]);
        LedgerReading.Audit(await LedgerReading.AllAsync(fixture.Host.Database.Store), Check.CorrectionShortfall);
    }

    [Fact]
    public async Task Two_operators_decide_and_only_after_the_settlement()
    {
        var (_, market) = await SettledAsync("three", spend: false);
        Assert.Equal("settlement.correction_not_proposed", (await fixture.Second.PostAsync($"/v2/markets/{market}/settlement/correction/approve")).Code);
        Assert.Equal("settlement.nothing_to_correct", (await ProposeAsync(market, "YES")).Code);
        Assert.Equal("resolution.bad_value", (await ProposeAsync(market, "MAYBE")).Code);
        Assert.Equal("settlement.evidence_needed", (await Api.PostAsync($"/v2/markets/{market}/settlement/correction", new { value = "NO", evidenceUri = "a paper", reason = "wrong" })).Code);
        Assert.Equal("request.invalid", (await Api.PostAsync($"/v2/markets/{market}/settlement/correction", new { value = "NO", evidenceUri = Evidence })).Code);
        Assert.Equal("markets.not_found", (await ProposeAsync("nowhere", "NO")).Code);
        var proposed = (await ProposeAsync(market, "NO")).Ok();
        Assert.Equal("proposed", (string?)proposed.Json["correction"]!["state"]);
        Assert.Equal("settlement.same_approver", (await Api.PostAsync($"/v2/markets/{market}/settlement/correction/approve")).Code);
        var open = await Api.MarketAsync("house-three", new { liquidity = "200" });
        Assert.Equal("settlement.not_settled", (await ProposeAsync(open, "NO")).Code);

        // Asked again under its key, it is answered as it was.
        var approved = (await fixture.Second.PostAsync($"/v2/markets/{market}/settlement/correction/approve", idempotencyKey: "approve-three")).Ok();
        await DoneAsync(market, 1);
        var again = (await fixture.Second.PostAsync($"/v2/markets/{market}/settlement/correction/approve", idempotencyKey: "approve-three")).Ok();
        Assert.Equal(approved.Position, again.Position);
    }

    [Fact]
    public async Task A_correction_goes_on_after_a_restart()
    {
        var (_, market) = await SettledAsync("four", spend: false);
        (await ProposeAsync(market, "NO")).Ok();
        (await fixture.Second.PostAsync($"/v2/markets/{market}/settlement/correction/approve")).Ok();
        await fixture.RestartAsync(fixture.Options with { PayoutsPerCommit = 1 });
        await DoneAsync(market, 1);
        (await ProposeAsync(market, "INVALID")).Ok();
        (await fixture.Second.PostAsync($"/v2/markets/{market}/settlement/correction/approve")).Ok();
        await DoneAsync(market, 2);
        var bound = await LedgerReading.AllAsync(fixture.Host.Database.Store);
        Assert.Equal(1, bound.Where(r => r.Stream.Key == market && r.Data is Domain.Settlement.PayoutCorrected { Number: 2 }).GroupBy(r => r.Stored.CausationId).Max(batch => batch.Count()));
        LedgerReading.Audit(bound, Check.CorrectedInFull);
    }

    private async Task<(Bank Bank, string Market)> SettledAsync(string name, bool spend)
    {
        var bank = new Bank(Api);
        var (house, ana, bia) = (await bank.AccountAsync($"house-{name}", "30000"), await bank.AccountAsync($"ana-{name}", "1000"), await bank.AccountAsync($"bia-{name}", "1000"));
        var market = await bank.MarketAsync(house, new { liquidity = "10000" });
        (await Api.BuyAsync(market, ana, "YES", "500.00000001")).Ok();
        (await Api.BuyAsync(market, bia, "NO", "321.7")).Ok();
        (await Api.PostAsync($"/v2/markets/{market}/close", new { reason = "the end" })).Ok();
        (await Api.PostAsync($"/v2/markets/{market}/resolution/start")).Ok();
        (await Api.PostAsync($"/v2/markets/{market}/resolution/manual", new { value = "YES", evidenceUri = Evidence })).Ok();
        (await fixture.Second.PostAsync($"/v2/markets/{market}/resolution/manual/approve")).Ok();
        await Api.UntilAsync(market, "Settled");
        if (spend)
        {
            var other = await bank.MarketAsync(house, new { liquidity = "10000" });
            (await Api.BuyAsync(other, ana, "YES", (await Api.GetAsync($"/v2/accounts/{ana}")).Ok()["balance"])).Ok();
        }

        await bank.CheckAsync();
        return (bank, market);
    }

    private Task<Answer> ProposeAsync(string market, string value) =>
        Api.PostAsync($"/v2/markets/{market}/settlement/correction", new { value, evidenceUri = Evidence, reason = "the gauge was broken" });

    private async Task CorrectAsync(string market, string value)
    {
        (await ProposeAsync(market, value)).Ok();
        (await fixture.Second.PostAsync($"/v2/markets/{market}/settlement/correction/approve")).Ok();
    }

    private async Task DoneAsync(string market, int number)
    {
        for (var until = DateTimeOffset.UtcNow.AddSeconds(30); ; await Task.Delay(30))
        {
            var correction = (await Api.GetAsync($"/v2/markets/{market}/resolution")).Ok().Json["settlement"]!["correction"]!;
            if (((int)correction["number"]!, (string?)correction["state"]) == (number, "done"))
            {
                return;
            }

            Assert.True(DateTimeOffset.UtcNow < until, $"The correction is {correction.ToJsonString()}.");
        }
    }

    private static async Task<Dictionary<string, BigInteger>> BalancesAsync(Bank bank, string name)
    {
        var balances = new Dictionary<string, BigInteger>();
        foreach (var account in new[] { $"house-{name}", $"ana-{name}", $"bia-{name}" })
        {
            balances[account] = await bank.BalanceAsync(account);
        }

        return balances;
    }
}

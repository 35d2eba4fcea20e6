using System.Globalization;
using Mbp.Domain.Abuse;
using Mbp.Domain.Audit;
using Mbp.Domain.Markets;
using Mbp.Domain.Markets.Halts;
using Mbp.Host.Tests.Hosting;
using NodaTime;
using NodaTime.Text;

namespace Mbp.Host.Tests.Protection;

/// <summary>What somebody tries who means no good: the caps hold to the unit at every position, whoever is refused is told by which rule, and the ledger does not grow by it.</summary>
public sealed class HostileClientTests(HostFixture fixture) : IClassFixture<HostFixture>
{
    private Api Api => fixture.Api;

    [Fact]
    public async Task The_exposure_cap_holds_to_the_unit_also_against_a_race()
    {
        await Api.AccountAsync("cap-house", "1000000");
        var market = await Api.MarketAsync("cap-house", new { ruleset = "default", liquidity = "100000" });
        await Api.AccountAsync("cap-prober", "100000");
        (await Api.BuyAsync(market, "cap-prober", "YES", "999.99999999")).Ok();
        var refused = await Api.BuyAsync(market, "cap-prober", "YES", "0.00000002");
        Assert.Equal((422, "trading.max_exposure_per_user", "caps.binary.max_exposure_per_user"), (refused.Status, refused.Code, (string?)refused.Json["rule"]));
        Assert.Equal((await Api.GetAsync($"/v2/markets/{market}")).Ok()["policyHash"], (string?)refused.Json["policyHash"]);
        // What is too small to buy anything is refused for that; the last unit of the cap may be spent by a trade that is large enough after a sale.
        var sold = (await Api.SellAsync(market, "cap-prober", "YES", "10")).Ok();
        var room = MarketBook.Units(sold["amount"]) + 1;
        Assert.Equal("trading.max_exposure_per_user", (await Api.BuyAsync(market, "cap-prober", "NO", Amount((long)room + 1))).Code);
        (await Api.BuyAsync(market, "cap-prober", "NO", Amount((long)room))).Ok();

        await Api.AccountAsync("cap-racer", "100000");
        var raced = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Api.BuyAsync(market, "cap-racer", "YES", "150")));
        Assert.Equal(6, raced.Count(answer => answer.IsOk));
        Assert.All(raced.Where(answer => !answer.IsOk), answer => Assert.Equal("trading.max_exposure_per_user", answer.Code));
        LedgerReading.Audit(await LedgerReading.AllAsync(fixture.Host.Database.Store), Check.RiskCaps, Check.PolicyHash);
    }

    [Fact]
    public async Task The_open_interest_cap_holds_to_the_unit()
    {
        await Api.AccountAsync("oi-house", "10000000");
        var market = await Api.MarketAsync("oi-house", new { ruleset = "default", liquidity = "1000000" });
        Answer? refused = null;
        for (var i = 0; refused is null; i++)
        {
            await Api.AccountAsync($"oi-{i}", "1000");
            var answer = await Api.BuyAsync(market, $"oi-{i}", "YES", "1000");
            refused = answer.IsOk ? null : answer;
        }

        Assert.Equal("trading.max_open_interest", refused.Code);
        // Searching for the edge finds it: the last amount that is accepted leaves no room for one more unit's worth.
        var (low, high) = (0L, 1_000_0000_0000L);
        for (var step = 0; step < 10 && high - low > 1; step++)
        {
            await Api.AccountAsync($"oi-p{step}", "1000");
            var middle = (low + high) / 2;
            (low, high) = (await Api.BuyAsync(market, $"oi-p{step}", "YES", Amount(middle))).IsOk ? (0, high - middle) : (low, middle);
        }

        var page = (await Api.GetAsync($"/v2/markets/{market}")).Ok();
        Assert.True(MarketBook.Units(page["openInterest"]) <= 10_000_0000_0000);
        LedgerReading.Audit(await LedgerReading.AllAsync(fixture.Host.Database.Store), Check.RiskCaps);
    }

    [Fact]
    public async Task Refusals_are_one_event_a_minute_and_whoever_insists_is_flagged()
    {
        await Api.AccountAsync("rate-house", "1000000");
        var market = await Api.MarketAsync("rate-house", new { ruleset = "default", liquidity = "100000" });
        await Api.AccountAsync("rate-bot", "100000");
        // From a minute's beginning, so that all of it falls into one.
        AdvanceTo(Duration.FromMinutes(1), Duration.FromSeconds(1));
        var answers = await Task.WhenAll(Enumerable.Range(0, 120).Select(_ => Api.BuyAsync(market, "rate-bot", "YES", "1")));
        Assert.Equal(30, answers.Count(answer => answer.IsOk));
        Assert.All(answers.Where(answer => !answer.IsOk), answer => Assert.Equal("trading.max_trade_rate", answer.Code));

        // At the very edge of the window: sixty seconds after the first trade one more is free, and not before.
        AdvanceTo(Duration.FromMinutes(1), Duration.FromSeconds(2));
        var record = await UntilAsync<RefusalsRecorded>(e => e.MarketId.Value == market);
        Assert.Equal((90, 1), (record.Total, record.Codes.Count));
        Assert.Equal(("rate-bot", 90), (record.Accounts[0].Account.Value, record.Accounts[0].Count));
        var flag = await UntilAsync<AbuseFlagged>(e => e.MarketId.Value == market && e.Kind == AbuseKind.RateLimit);
        Assert.Equal(Severity.Med, flag.Severity);
        var listed = (await Api.GetAsync($"/v2/markets/{market}/abuse?min_position={await HeadAsync()}")).Ok().Json["items"]!.AsArray();
        Assert.Contains(listed, item => (string?)item!["id"] == flag.Id && (string?)item["kind"] == "rate_limit" && (string?)item["actionTaken"] == "alert_only");
        LedgerReading.Audit(await LedgerReading.AllAsync(fixture.Host.Database.Store), Check.RiskCaps);
    }

    [Fact]
    public async Task A_ring_of_wash_traders_is_flagged_and_its_market_slowed()
    {
        const int Ring = 20;
        await Api.AccountAsync("wash-house", "1000000");
        var market = await Api.MarketAsync("wash-house", new { ruleset = "default", liquidity = "100000" });
        for (var i = 0; i < Ring; i++)
        {
            await Api.AccountAsync($"wash-{i}", "1000");
        }

        AdvanceTo(Duration.FromSeconds(30), Duration.FromSeconds(1));
        // Each sells what another has just bought: the price comes back, the volume stays.
        for (var i = 0; i < Ring; i++)
        {
            var bought = (await Api.BuyAsync(market, $"wash-{i}", "YES", "50")).Ok();
            (await Api.SellAsync(market, $"wash-{i}", "YES", bought["shares"])).Ok();
        }

        AdvanceTo(Duration.FromSeconds(30), Duration.FromSeconds(1));
        var flag = await UntilAsync<AbuseFlagged>(e => e.MarketId.Value == market && e.Kind == AbuseKind.Manipulation);
        Assert.Equal((Severity.High, AbuseAction.Limited, Ring), (flag.Severity, flag.Action, flag.Accounts.Count));
        var page = (await Api.GetAsync($"/v2/markets/{market}?min_position={await HeadAsync()}")).Ok();
        Assert.Equal(("soft", "abuse"), (page["haltLevel"], (string?)page.Json["halt"]!["rule"]));

        // Slow mode: no liquidity leaves, and half the rate is left.
        await Api.AccountAsync("wash-lp", "10000");
        var added = (await Api.PostAsync($"/v2/markets/{market}/liquidity", new { op = "add", amount = "1000", account = "wash-lp" })).Ok();
        Assert.Equal("markets.slow_mode", (await Api.PostAsync($"/v2/markets/{market}/liquidity", new { op = "remove", lpShares = added["minted"], account = "wash-lp" })).Code);
        var slow = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Api.BuyAsync(market, "wash-lp", "YES", "1")));
        // Half of 30, and what was added is one of them.
        Assert.Equal(14, slow.Count(answer => answer.IsOk));
        LedgerReading.Audit(await LedgerReading.AllAsync(fixture.Host.Database.Store), Check.RiskCaps);
    }

    [Fact]
    public async Task Moderation_is_taken_back_by_events_and_credits_move_with_two_people()
    {
        await Api.AccountAsync("mod-house", "1000000");
        var market = await Api.MarketAsync("mod-house", new { ruleset = "default", liquidity = "100000" });
        await Api.AccountAsync("mod-bad", "100");
        var path = $"/v2/markets/{market}/moderation";

        Assert.Equal("inforce", (await Api.PostAsync(path, new { action = "pause", reason = "odd", evidenceUri = "urn:e" })).Ok()["state"]);
        Assert.Equal("markets.halted", (await Api.BuyAsync(market, "mod-bad", "YES", "1")).Code);
        (await Api.PostAsync($"{path}/1/undo", new { reason = "explained" })).Ok();
        (await Api.BuyAsync(market, "mod-bad", "YES", "1")).Ok();
        (await Api.PostAsync($"{path}/1/redo", new { reason = "not explained" })).Ok();
        Assert.Equal("markets.halted", (await Api.BuyAsync(market, "mod-bad", "YES", "1")).Code);
        (await Api.PostAsync($"{path}/1/undo", new { reason = "explained" })).Ok();
        Assert.Equal("moderation.not_in_force", (await Api.PostAsync($"{path}/1/undo", new { reason = "again" })).Code);

        (await Api.PostAsync(path, new { action = "restrict", account = "mod-bad", reason = "ring", evidenceUri = "urn:e" })).Ok();
        var refused = await Api.BuyAsync(market, "mod-bad", "YES", "1");
        Assert.Equal((403, "trading.account_restricted"), (refused.Status, refused.Code));

        var proposed = (await Api.PostAsync(path, new { action = "clawback", account = "mod-bad", amount = "98.5", reason = "ring", evidenceUri = "urn:e" })).Ok();
        Assert.Equal(("proposed", "apply"), (proposed["state"], proposed["pending"]));
        Assert.Equal("moderation.same_approver", (await Api.PostAsync($"{path}/3/approve")).Code);
        (await fixture.Second.PostAsync($"{path}/3/approve")).Ok();
        Assert.Equal("0.5", await BalanceAsync("mod-bad"));
        Assert.Equal("98.5", await BalanceAsync("insurance"));
        (await Api.PostAsync($"{path}/3/undo", new { reason = "it was another" })).Ok();
        Assert.Equal("98.5", await BalanceAsync("insurance"));
        (await fixture.Second.PostAsync($"{path}/3/approve")).Ok();
        Assert.Equal(("99", "0"), (await BalanceAsync("mod-bad"), await BalanceAsync("insurance")));
        LedgerReading.Audit(await LedgerReading.AllAsync(fixture.Host.Database.Store), Check.Conservation);

        async Task<string> BalanceAsync(string account) => (await Api.GetAsync($"/v2/accounts/{account}?min_position={await HeadAsync()}")).Ok()["balance"];
    }

    [Fact]
    public async Task Two_red_windows_of_the_error_budget_slow_the_markets_and_two_green_ones_free_them()
    {
        await Api.AccountAsync("slo-house", "1000000");
        var market = await Api.MarketAsync("slo-house", new { ruleset = "default", liquidity = "100000" });
        var now = fixture.Clock.GetCurrentInstant() - Duration.FromHours(20);
        Assert.False(await ReportAsync(0, "1"));
        Assert.True(await ReportAsync(1, "1.00000001"));
        var added = (await Api.PostAsync($"/v2/markets/{market}/liquidity", new { op = "add", amount = "1000", account = "slo-house" })).Ok();
        Assert.Equal("markets.slow_mode", (await Api.PostAsync($"/v2/markets/{market}/liquidity", new { op = "remove", lpShares = added["minted"], account = "slo-house" })).Code);
        Assert.True(await ReportAsync(2, "0.99999999"));
        Assert.False(await ReportAsync(3, "0.2"));
        (await Api.PostAsync($"/v2/markets/{market}/liquidity", new { op = "remove", lpShares = added["minted"], account = "slo-house" })).Ok();
        Assert.False((await BurnAsync(Duration.FromHours(12))).Ok().Json["counted"]!.GetValue<bool>());
        Assert.Equal("slo.window_overlaps", (await BurnAsync(Duration.FromHours(12) + Duration.FromSeconds(1))).Code);
        Assert.Equal("slo.in_the_future", (await Api.PostAsync("/v2/slo/burn", new { windowEnd = "2999-01-01T00:00:00Z", burnRate = "1" })).Code);
        LedgerReading.Audit(await LedgerReading.AllAsync(fixture.Host.Database.Store));

        Task<Answer> BurnAsync(Duration after) => Api.PostAsync("/v2/slo/burn", new { windowEnd = InstantPattern.ExtendedIso.Format(now + after), burnRate = "5" });

        async Task<bool> ReportAsync(int window, string burnRate) => (await Api.PostAsync(
            "/v2/slo/burn", new { windowEnd = InstantPattern.ExtendedIso.Format(now + Duration.FromHours(4 * window)), burnRate })).Ok().Json["slowMode"]!.GetValue<bool>();
    }

    [Fact]
    public async Task A_pool_that_lost_its_depth_is_seen_however_quiet_its_market_is()
    {
        await Api.AccountAsync("quiet-house", "1000000");
        var market = await Api.MarketAsync("quiet-house", new { ruleset = "replay", liquidity = "20000" });
        (await Api.PostAsync($"/v2/markets/{market}/liquidity", new { op = "remove", lpShares = "19000", account = "quiet-house" })).Ok();
        AdvanceTo(Duration.FromMinutes(5), Duration.FromMinutes(30));
        (await Api.PostAsync($"/v2/markets/{market}/ruleset", new { name = "default", reason = "deeper" })).Ok();
        AdvanceTo(Duration.FromSeconds(30), Duration.FromSeconds(1));
        var halted = await UntilAsync<MarketHalted>(e => e.Rule == HaltRule.Depth);
        Assert.Equal(HaltLevel.Soft, halted.Level);
        LedgerReading.Audit(await LedgerReading.AllAsync(fixture.Host.Database.Store));
    }

    [Theory]
    [InlineData("? &a [*a]\n: 1\n", "line 1: has no anchors")]
    [InlineData("a: &a [x, x]\nb: *a\n", "line 1: has no anchors")]
    public async Task A_file_that_is_made_to_hurt_is_refused_and_the_host_lives(string yaml, string fault)
    {
        var answer = await Api.PostAsync("/v2/rulesets", new { yaml, signature = "none" });
        Assert.Equal((400, "rulesets.invalid"), (answer.Status, answer.Code));
        Assert.Contains(fault, answer.ToString(), StringComparison.Ordinal);
        (await Api.GetAsync("/v2/rulesets")).Ok();
    }

    [Fact]
    public async Task A_person_who_resumes_takes_the_pause_back()
    {
        await Api.AccountAsync("back-house", "1000000");
        var market = await Api.MarketAsync("back-house", new { ruleset = "default", liquidity = "100000" });
        (await Api.PostAsync($"/v2/markets/{market}/moderation", new { action = "pause", reason = "odd", evidenceUri = "urn:e" })).Ok();
        (await Api.PostAsync($"/v2/markets/{market}/resume", new { reason = "fine" })).Ok();
        var cases = (await Api.GetAsync($"/v2/markets/{market}/moderation?min_position={await HeadAsync()}")).Ok().Json["items"]!.AsArray();
        Assert.Equal("undone", (string?)Assert.Single(cases)!["state"]);
        LedgerReading.Audit(await LedgerReading.AllAsync(fixture.Host.Database.Store));
    }

    // To the next multiple of a duration, and a little more.
    private void AdvanceTo(Duration every, Duration more)
    {
        var now = fixture.Clock.GetCurrentInstant();
        var next = Instant.FromUnixTimeTicks(((now.ToUnixTimeTicks() / every.BclCompatibleTicks) + 1) * every.BclCompatibleTicks);
        fixture.Clock.Advance(next + more - now);
    }

    private async Task<long> HeadAsync() => await fixture.Host.Database.Store.HeadAsync(CancellationToken.None);

    private async Task<TEvent> UntilAsync<TEvent>(Func<TEvent, bool> isIt)
    {
        for (var until = DateTimeOffset.UtcNow.AddSeconds(20); ; await Task.Delay(50))
        {
            if ((await LedgerReading.AllAsync(fixture.Host.Database.Store)).Select(recorded => recorded.Data).OfType<TEvent>().FirstOrDefault(isIt) is { } found)
            {
                return found;
            }

            Assert.True(DateTimeOffset.UtcNow < until, $"No such {typeof(TEvent).Name}.");
        }
    }

    private static string Amount(long units) => (units / 100_000_000m).ToString(CultureInfo.InvariantCulture);
}

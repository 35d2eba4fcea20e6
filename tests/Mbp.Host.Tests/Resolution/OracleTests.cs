using System.Text.Json.Nodes;
using Mbp.Cli.Markets;
using Mbp.Domain.Audit;
using Mbp.Host.Tests.Hosting;
using Mbp.Host.Tests.Protection;
using NodaTime;

namespace Mbp.Host.Tests.Resolution;

/// <summary>The oracle, disputes and deadlines over HTTP, with restarts between.</summary>
public sealed class OracleTests(HostFixture fixture) : IClassFixture<HostFixture>
{
    private Api Api => fixture.Api;

    [Fact]
    public async Task From_signed_reports_by_a_dispute_to_payouts_and_the_audit_decides_all_of_it_again()
    {
        var house = new OracleHouse(fixture, "orc-a");
        var market = await house.MarketAsync("orc-house");
        await Api.AccountAsync("doubter", "500");
        (await Api.BuyAsync(market, "doubter", "NO", "100")).Ok();
        (await Api.PostAsync($"/v2/markets/{market}/close", new { reason = "test" })).Ok();
        await house.PhaseAsync(market, "Collecting");

        Assert.Equal("accepted", (await house.ReportAsync(market, "s1", "YES")).Ok()["result"]);
        Assert.Equal("repeated", (await house.ReportAsync(market, "s1", "YES")).Ok()["result"]);
        Assert.Equal("equivocated", (await house.ReportAsync(market, "s1", "NO")).Ok()["result"]);
        Assert.Equal("resolution.wrong_round", (await house.ReportAsync(market, "s2", "YES", round: 2)).Code);
        foreach (var source in new[] { "s2", "s3", "s4" })
        {
            Assert.Equal("Collecting", (await house.ReportAsync(market, source, "YES")).Ok()["phase"]);
        }

        // Two thirds of all weight: nothing that others say can change it.
        Assert.Equal("Determined", (await house.ReportAsync(market, "s5", "YES")).Ok()["phase"]);
        var shown = (await Api.GetAsync($"/v2/markets/{market}/resolution")).Ok();
        Assert.Equal(("YES", "endpoint"), (shown["value"], shown["sourceKind"]));
        Assert.Equal(["s1"], shown.Json["round"]!["equivocators"]!.AsArray().Select(id => (string)id!));
        Assert.Equal(["finalization", "sla", "void"], shown.Json["next"]!.AsArray().Select(step => (string)step!["what"]!));

        var before = (await Api.GetAsync("/v2/accounts/doubter")).Ok()["balance"];
        var disputed = (await Api.PostAsync($"/v2/markets/{market}/resolution/disputes", new { value = "NO", evidenceUri = "urn:doubt", reason = "the gauge was broken", account = "doubter" })).Ok();
        Assert.Equal(("Disputed", "100"), (disputed["phase"], disputed["bond"]));
        Assert.Equal("resolution.already_disputed", (await Api.PostAsync($"/v2/markets/{market}/resolution/disputes", new { value = "NO", evidenceUri = "urn:doubt", reason = "again", account = "doubter" })).Code);
        Assert.Equal("resolution.not_a_judge", (await Api.PostAsync($"/v2/markets/{market}/resolution/disputes/1/rulings", new { value = "NO", evidenceUri = "urn:ruling" })).Code);
        await fixture.RestartAsync();
        foreach (var judge in new[] { "p1", "p2" })
        {
            Assert.Equal("Disputed", (await house.RuleAsync(market, judge, "NO")).Ok()["phase"]);
        }

        Assert.Equal("Determined", (await house.RuleAsync(market, "p3", "NO")).Ok()["phase"]);
        var after = (await Api.GetAsync("/v2/accounts/doubter")).Ok()["balance"];
        Assert.Equal(50m, decimal.Parse(after, null) - decimal.Parse(before, null));
        fixture.Clock.Advance(Duration.FromHours(2));
        await house.PhaseAsync(market, "Settled");
        Assert.Equal("NO", (await Api.GetAsync($"/v2/markets/{market}/resolution")).Ok()["value"]);

        var timeline = (await Api.GetAsync($"/v2/markets/{market}/timeline")).Ok().Json;
        Assert.Equal(
            ["created", "closed", "resolution_started", "source_equivocated", "determined", "disputed", "dispute_overturned", "determined", "finalized", "settling", "settled"],
            timeline["happened"]!.AsArray().Select(step => (string)step!["what"]!));
        Assert.Empty(timeline["next"]!.AsArray());
        var oracle = (await Api.GetAsync("/v2/oracles/orc-a")).Ok().Json;
        Assert.Equal(["0.5", "0.9", "0.9", "0.9", "0.9"], oracle["sources"]!.AsArray().Select(source => (string)source!["reputation"]!));
        await DrawnAsync(market, "dispute", "A dispute that the panel overturns");
        LedgerReading.Audit(await LedgerReading.AllAsync(fixture.Host.Database.Store), Check.Decision, Check.Conservation, Check.OneResolution, Check.SettledInFull);
    }

    [Fact]
    public async Task The_happy_path()
    {
        var house = new OracleHouse(fixture, "orc-d");
        var market = await house.MarketAsync("orc-happy");
        await Api.AccountAsync("ana", "500");
        (await Api.BuyAsync(market, "ana", "YES", "100")).Ok();
        (await Api.PostAsync($"/v2/markets/{market}/close", new { reason = "its time" })).Ok();
        await house.PhaseAsync(market, "Collecting");
        foreach (var source in new[] { "s1", "s2", "s3", "s4" })
        {
            (await house.ReportAsync(market, source, "YES")).Ok();
        }

        fixture.Clock.Advance(Duration.FromHours(2));
        await house.PhaseAsync(market, "Settled");
        await DrawnAsync(market, "happy-path", "The happy path");
    }

    [Fact]
    public async Task Silent_sources_fail_the_feed_a_restarted_host_takes_every_step_once_and_the_market_ends_void()
    {
        var house = new OracleHouse(fixture, "orc-b");
        var market = await house.MarketAsync("orc-quiet");
        (await Api.PostAsync($"/v2/markets/{market}/close", new { reason = "test" })).Ok();
        await house.PhaseAsync(market, "Collecting");
        foreach (var minutes in new[] { 15, 30, 60, 120 })
        {
            fixture.Clock.Advance(Duration.FromMinutes(minutes) + Duration.FromSeconds(3));
            await fixture.RestartAsync();
            await EventsAsync(market, "round_failed", Array.IndexOf([15, 30, 60, 120], minutes) + 1);
        }

        var oracle = (await Api.GetAsync("/v2/oracles/orc-b")).Ok();
        Assert.Equal("fallbacktwap", oracle["mode"]);
        Assert.Equal("resolution.no_round", (await house.ReportAsync(market, "s1", "YES", round: 5)).Code);
        fixture.Clock.Advance(Duration.FromHours(24));
        await EventsAsync(market, "resolution_sla_breached", 1);
        Assert.Equal("hard", (await Api.GetAsync($"/v2/markets/{market}")).Ok()["haltLevel"]);
        fixture.Clock.Advance(Duration.FromHours(48));
        await house.PhaseAsync(market, "Settled");
        Assert.Equal("canceled", (await Api.GetAsync($"/v2/markets/{market}")).Ok()["status"]);
        await EventsAsync(market, "market_voided", 1);
        await DrawnAsync(market, "failover", "Silent sources: failover, then the void");
        LedgerReading.Audit(await LedgerReading.AllAsync(fixture.Host.Database.Store), Check.Decision, Check.Conservation);
    }

    [Fact]
    public async Task Under_the_default_rules_two_other_operators_judge_and_bad_input_is_named()
    {
        var house = new OracleHouse(fixture, "orc-c");
        await Api.AccountAsync("orc-plain", "1000000");
        var market = await Api.MarketAsync("orc-plain", new { ruleset = "default" });
        await Api.AccountAsync("poor", "99.99999999");
        await Api.AccountAsync("rich", "100");
        var disputes = $"/v2/markets/{market}/resolution/disputes";
        Assert.Equal("resolution.market_not_closed", (await Api.PostAsync(disputes, new { value = "NO", evidenceUri = "urn:doubt", reason = "r", account = "rich" })).Code);
        (await Api.PostAsync($"/v2/markets/{market}/close", new { reason = "test" })).Ok();
        await house.PhaseAsync(market, "Collecting");
        (await Api.PostAsync($"/v2/markets/{market}/resolution/manual", new { value = "YES", evidenceUri = "urn:proof" })).Ok();
        (await fixture.Second.PostAsync($"/v2/markets/{market}/resolution/manual/approve")).Ok();
        Assert.Equal("resolution.already_determined", (await house.ReportAsync(market, "s1", "YES")).Code);
        Assert.Equal("accounts.insufficient_funds", (await Api.PostAsync(disputes, new { value = "NO", evidenceUri = "urn:doubt", reason = "r", account = "poor" })).Code);
        foreach (var (body, field) in new (object, string)[]
        {
            (new { evidenceUri = "urn:doubt", reason = "r", account = "rich" }, "value"),
            (new { value = "NO", evidenceUri = "urn:doubt", account = "rich" }, "reason"),
            (new { value = "NO", evidenceUri = "no uri", reason = "r", account = "rich" }, "evidenceUri"),
            (new { value = "YES", evidenceUri = "urn:doubt", reason = "r", account = "rich" }, "value"),
            (new { value = "TOO_EARLY", evidenceUri = "urn:doubt", reason = "r", account = "rich" }, "value"),
        })
        {
            var refused = await Api.PostAsync(disputes, body);
            Assert.Contains($"\"{field}\"", refused.Text, StringComparison.Ordinal);
            Assert.Equal(400, refused.Status);
        }

        (await Api.PostAsync(disputes, new { value = "NO", evidenceUri = "urn:doubt", reason = "r", account = "rich" })).Ok();
        Assert.Equal("resolution.took_part", (await Api.PostAsync($"{disputes}/1/rulings", new { value = "NO", evidenceUri = "urn:ruling" })).Code);
        Assert.Equal("resolution.no_such_dispute", (await Api.PostAsync($"{disputes}/2/rulings", new { value = "NO", evidenceUri = "urn:ruling" })).Code);
        using var third = await OperatorAsync(3);
        using var fourth = await OperatorAsync(4);
        Assert.Equal("Disputed", (await third.PostAsync($"{disputes}/1/rulings", new { value = "YES", evidenceUri = "urn:ruling" })).Ok()["phase"]);
        Assert.Equal("Determined", (await fourth.PostAsync($"{disputes}/1/rulings", new { value = "YES", evidenceUri = "urn:ruling" })).Ok()["phase"]);
        Assert.Equal("0", (await Api.GetAsync("/v2/accounts/rich")).Ok()["balance"]);
        LedgerReading.Audit(await LedgerReading.AllAsync(fixture.Host.Database.Store), Check.Decision, Check.Conservation);
    }

    private async Task<Api> OperatorAsync(int number) => Api.As(await File.ReadAllTextAsync(Path.Combine(fixture.Options.Data, $"api-key-{number}")));

    /// <summary>The diagrams in the documentation are drawn from runs of these tests; <c>MBP_ACCEPT=1</c> draws them again.</summary>
    private async Task DrawnAsync(string market, string name, string title)
    {
        var events = (await Api.GetAsync($"/v2/markets/{market}/events?limit=500")).Ok().Json["items"]!.AsArray();
        var text = $"# {title}\nDrawn from the events of a run (`OracleTests`); `tools/mbp market diagram ID` draws that of any market.\n```mermaid\n{SequenceDiagram.Of(events!)}```\n";
        var file = Path.Combine(Docs(), $"{name}.md");
        if (Environment.GetEnvironmentVariable("MBP_ACCEPT") == "1")
        {
            await File.WriteAllTextAsync(file, text);
        }

        Assert.Equal(File.Exists(file) ? await File.ReadAllTextAsync(file) : "", text);
    }

    private static string Docs([System.Runtime.CompilerServices.CallerFilePath] string file = "") => Path.GetFullPath(Path.Combine(file, "..", "..", "..", "..", "docs", "diagrams"));

    private async Task EventsAsync(string market, string type, int count)
    {
        var found = 0;
        for (var until = DateTimeOffset.UtcNow.AddSeconds(60); DateTimeOffset.UtcNow < until; await Task.Delay(50))
        {
            var items = (JsonArray)(await Api.GetAsync($"/v2/markets/{market}/events?limit=500")).Ok().Json["items"]!;
            found = items.Count(item => (string)item!["type"]! == type);
            if (found == count)
            {
                return;
            }
        }

        Assert.Fail($"{found} of {type}, not {count}");
    }
}

using Mbp.Domain.Governance.Rulesets;
using Mbp.Host.Tests.Hosting;
using Mbp.Policies;

namespace Mbp.Host.Tests;

/// <summary>Rule sets over HTTP (C20): a bad one is refused and the old one stays in force; a signed one is activated and rolled back.</summary>
public sealed class RulesetTests(HostFixture fixture) : IClassFixture<HostFixture>
{
    private const string Yaml =
        "name: NAME\nversion: VERSION\noperators_only: false\ntrading:\n  min_price: 0.01\n  max_price: 0.99\n  seed_locked: true\nresolution:\n  dispute_window_minutes: 5\n";

    private Api Api => fixture.Api;

    // Each test has a rule set of its own: which version is the newest is then its own doing.
    private static string File(string name, string version) =>
        Yaml.Replace("NAME", name, StringComparison.Ordinal).Replace("VERSION", version, StringComparison.Ordinal);

    [Fact]
    public async Task A_bad_rule_set_is_refused_with_line_and_reason_and_the_old_one_stays()
    {
        var market = await MarketAsync("bad", "v1.0.0");
        var before = (await Api.GetAsync($"/v2/markets/{market}/ruleset")).Ok();
        var yaml = File("bad", "v1.0.1").Replace("minutes: 5", "minutes: 99999", StringComparison.Ordinal);

        var refused = await Api.PostAsync("/v2/rulesets", new { yaml, signature = "never looked at" });
        Assert.Equal((400, "rulesets.invalid"), (refused.Status, refused.Code));
        var error = Assert.Single(refused.Json["errors"]!.AsArray())!;
        Assert.Equal(("resolution.dispute_window_minutes", "line 9: is a whole number from 0 to 10080"), ((string?)error["field"], (string?)error["rule"]));
        Assert.Equal("rulesets.unknown", (await ActivateAsync(market, "bad", "v1.0.1")).Code);

        var after = (await Api.GetAsync($"/v2/markets/{market}/ruleset")).Ok();
        Assert.Equal((before["version"], before["policyHash"]), (after["version"], after["policyHash"]));
    }

    [Fact]
    public async Task A_rule_set_needs_a_signature_of_the_log()
    {
        var yaml = File("signed", "v3.0.0");
        Assert.Equal("rulesets.signature_missing", (await Api.PostAsync("/v2/rulesets", new { yaml })).Code);
        Assert.Equal("rulesets.signature_invalid", (await Api.PostAsync("/v2/rulesets", new { yaml, signature = "nonsense" })).Code);
        var other = await SignAsync(File("signed", "v3.0.1"));
        Assert.Equal("rulesets.signature_invalid", (await Api.PostAsync("/v2/rulesets", new { yaml, signature = other })).Code);

        (await Api.PostAsync("/v2/rulesets", new { yaml, signature = await SignAsync(yaml) })).Ok();
        var changed = yaml.Replace("0.99", "0.98", StringComparison.Ordinal);
        Assert.Equal("rulesets.version_taken", (await Api.PostAsync("/v2/rulesets", new { yaml = changed, signature = await SignAsync(changed) })).Code);
    }

    [Fact]
    public async Task A_market_is_put_under_a_version_and_back_by_an_event_each()
    {
        var market = await MarketAsync("there", "v2.0.0");
        await PublishAsync("there", "v2.1.0");
        Assert.True((bool)(await ActivateAsync(market, "there", "v2.1.0")).Ok().Json["changed"]!);
        Assert.False((bool)(await ActivateAsync(market, "there", "v2.1.0")).Ok().Json["changed"]!);
        Assert.Equal("v2.1.0", (await Api.GetAsync($"/v2/markets/{market}")).Ok()["rulesetVersion"]);

        Assert.Equal("v2.0.0", (await RollBackAsync(market)).Ok()["version"]);
        Assert.Equal("rulesets.no_earlier", (await RollBackAsync(market)).Code);
        Assert.Equal("v2.0.0", (await Api.GetAsync($"/v2/markets/{market}/ruleset")).Ok()["version"]);
        Assert.Equal(
            ["ruleset_activated", "ruleset_activated", "ruleset_rolled_back"],
            (await Api.EventsAsync(market)).Select(e => (string?)e["type"]).Where(type => type!.StartsWith("ruleset", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task What_a_host_came_with_is_signed_by_its_own_key()
    {
        var found = (await Api.GetAsync("/v2/rulesets/default")).Ok();
        Assert.Equal(BuiltInPolicies.Default.Text, found["text"]);
        var keys = await fixture.Host.Database.Log.InForceAsync(CancellationToken.None);
        Assert.Null(RulesetNote.Of(BuiltInPolicies.Default).WhyNot(found["signature"], keys));
        Assert.Equal("rulesets.not_found", (await Api.GetAsync("/v2/rulesets/default/versions/v0.0.1")).Code);
    }

    private async Task<string> MarketAsync(string name, string version)
    {
        await PublishAsync(name, version);
        return await Api.MarketAsync(await Api.AccountAsync(name, "10000"), new { ruleset = name });
    }

    private async Task PublishAsync(string name, string version)
    {
        var yaml = File(name, version);
        (await Api.PostAsync("/v2/rulesets", new { yaml, signature = await SignAsync(yaml) })).Ok();
    }

    private async Task<string> SignAsync(string yaml) =>
        RulesetNote.Of(PolicyFile.Read(yaml).Policy!).Sign((await fixture.Host.Database.Log.SignerAsync(CancellationToken.None))!);

    private Task<Answer> ActivateAsync(string market, string name, string version) => Api.PostAsync($"/v2/markets/{market}/ruleset", new { name, version, reason = "test" });

    private Task<Answer> RollBackAsync(string market) => Api.PostAsync($"/v2/markets/{market}/ruleset/rollback", new { reason = "test" });
}

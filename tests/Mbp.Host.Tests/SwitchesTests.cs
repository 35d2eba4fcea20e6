using Mbp.Host.Platform;
using Mbp.Host.Tests.Hosting;

namespace Mbp.Host.Tests;

/// <summary>Flags, templates in versions, and traders' keys.</summary>
public sealed class SwitchesTests(HostFixture fixture) : IClassFixture<HostFixture>
{
    private Api Api => fixture.Api;

    [Fact]
    public async Task Flags_switch_creation_and_manual_resolution_off()
    {
        var house = await Api.AccountAsync("flagged", "50000");
        var market = await Api.MarketAsync(house);
        (await Api.PostAsync($"/v2/markets/{market}/close")).Ok();
        (await Api.PostAsync($"/v2/markets/{market}/resolution/start")).Ok();
        (await Api.PostAsync($"/v2/markets/{market}/resolution/manual", new { value = "YES", evidenceUri = "urn:x" })).Ok();

        await fixture.RestartAsync(fixture.Options with { Flags = MbpOptions.Parse(["--flag", "mbp.create.by_template=off", "--flag", "mbp.resolve.manual=off"]).Flags });
        var create = new { template = "TPL-YESNO-01", question = "Will it rain?", account = house, liquidity = "100" };
        foreach (var (path, body, code) in new (string, object, string)[]
        {
            ("/v2/markets", create, "markets.by_template_disabled"), ("/v2/markets/preview", create, "markets.by_template_disabled"),
            ($"/v2/markets/{market}/resolution/manual", new { value = "YES", evidenceUri = "urn:x" }, "resolution.manual_disabled"),
            ($"/v2/markets/{market}/resolution/manual/approve", new { }, "resolution.manual_disabled"),
        })
        {
            var refused = await fixture.Second.PostAsync(path, body);
            Assert.Equal((403, code), (refused.Status, refused.Code));
        }

        await fixture.RestartAsync();
        (await Api.PostAsync("/v2/markets/preview", create)).Ok();
        (await fixture.Second.PostAsync($"/v2/markets/{market}/resolution/manual/approve")).Ok();
    }

    [Fact]
    public async Task A_new_version_of_a_template_leaves_older_markets_as_they_are()
    {
        var house = await Api.AccountAsync("versions", "50000");
        var template = new { id = "TPL-MINE-01", name = "Mine", category = "own", kind = "binary", feePpm = 1_000, minLiquidity = "200" };
        Assert.Equal(1, (int)(await Api.PostAsync("/v2/templates", template)).Ok().Json["version"]!);
        var old = await Api.MarketAsync(house, new { template = "TPL-MINE-01", liquidity = "200" });
        // The same again is no new version.
        Assert.Equal(1, (int)(await Api.PostAsync("/v2/templates", template)).Ok().Json["version"]!);
        Assert.Equal(2, (int)(await Api.PostAsync("/v2/templates", new { template.id, template.name, template.category, template.kind, feePpm = 2_000, minLiquidity = "300" })).Ok().Json["version"]!);

        Assert.Equal("liquidity", (string?)(await Api.PostAsync("/v2/markets", new { template = "TPL-MINE-01", question = "Will it rain?", account = house, liquidity = "299" })).Json["errors"]![0]!["field"]);
        var young = await Api.MarketAsync(house, new { template = "TPL-MINE-01", liquidity = "300" });
        foreach (var (market, version, fee) in new[] { (old, 1, 1_000), (young, 2, 2_000) })
        {
            var page = (await Api.GetAsync($"/v2/markets/{market}")).Ok().Json;
            Assert.Equal((version, fee, "own"), ((int)page["templateVersion"]!, (int)page["feePpm"]!, (string)page["category"]!));
        }
    }

    [Fact]
    public async Task A_traders_key_trades_its_account_reads_it_and_ends()
    {
        var house = await Api.AccountAsync("keyhouse", "50000");
        var ana = await Api.AccountAsync("keyana", "100");
        var market = await Api.MarketAsync(house);
        var trade = (await Api.PostAsync($"/v2/accounts/{ana}/keys", new { scopes = new[] { "trade", "read" } })).Ok();
        var read = (await Api.PostAsync($"/v2/accounts/{ana}/keys", new { scopes = new[] { "read" } })).Ok();
        await Api.GetAsync("/v2/templates");
        using var trader = Api.As(trade["apiKey"]);
        using var reader = Api.As(read["apiKey"]);

        // The account goes without saying; naming one's own is fine too.
        (await trader.PostAsync($"/v2/markets/{market}/trades", new { side = "buy", outcome = "YES", amount = "10" })).Ok();
        (await trader.PostAsync($"/v2/markets/{market}/trades", new { side = "buy", outcome = "YES", amount = "10", account = ana })).Ok();
        Assert.Equal("80", (await trader.GetAsync($"/v2/accounts/{ana}")).Ok()["balance"]);
        Assert.Equal("80", (await reader.GetAsync($"/v2/accounts/{ana}?min_position={await Api.HeadAsync()}")).Ok()["balance"]);
        Assert.Equal("auth.scope", (await reader.PostAsync($"/v2/markets/{market}/trades", new { side = "buy", outcome = "YES", amount = "10" })).Code);
        Assert.Equal("auth.scope", (await reader.PostAsync($"/v2/markets/{market}/liquidity", new { op = "add", amount = "10" })).Code);
        // Who did it is in the ledger; the key is not.
        var last = (await Api.EventsAsync(market))[^1];
        Assert.Equal(ana, (string?)last["actor"]);

        (await Api.SendAsync(HttpMethod.Delete, $"/v2/accounts/{ana}/keys/{trade["keyId"]}", null, null)).Ok();
        await Api.GetAsync("/v2/templates");
        Assert.Equal("auth.key_unknown", (await trader.GetAsync($"/v2/accounts/{ana}")).Code);
        (await reader.GetAsync($"/v2/accounts/{ana}")).Ok();
    }

    [Fact]
    public void The_command_line_is_read_whole_or_refused()
    {
        var options = MbpOptions.Parse(["--urls", "http://x:1", "--data", "d", "--shard", "s", "--limits", "off", "--demo", "--flag", "mbp.resolve.manual=off"]);
        Assert.Equal(("http://x:1", "d", "s", false, true), (options.Urls, options.Data, options.Shard, options.Limits, options.Demo));
        Assert.Equal((false, true), (options.IsOn("mbp.resolve.manual"), options.IsOn("mbp.create.by_template")));
        Assert.True(MbpOptions.Parse(["-h"]).Help);
    }

    [Theory]
    [InlineData("--nothing", "--nothing")]
    [InlineData("--urls needs a value", "--urls")]
    [InlineData("'on' or 'off'", "--limits", "maybe")]
    [InlineData("mbp.create.by_template", "--flag", "mbp.unknown=on")]
    [InlineData("mbp.create.by_template", "--flag", "mbp.resolve.manual")]
    [InlineData("'on' or 'off'", "--flag", "mbp.resolve.manual=yes")]
    [InlineData("does not go with", "--ephemeral", "--postgres", "Host=x")]
    public async Task A_wrong_command_line_is_told_and_ends_with_2(string said, params string[] arguments)
    {
        Assert.Contains(said, Assert.Throws<UsageException>(() => MbpOptions.Parse(arguments)).Message, StringComparison.Ordinal);
        Assert.Equal(2, await MbpHost.RunAsync(arguments));
    }
}

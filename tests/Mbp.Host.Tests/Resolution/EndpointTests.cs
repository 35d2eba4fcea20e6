using System.Net;
using System.Text;
using Mbp.Domain.Audit;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution.Oracle;
using Mbp.Host.Resolution;
using Mbp.Host.Tests.Hosting;
using Mbp.Host.Tests.Protection;
using Mbp.Ledger.Log;
using Mbp.Policies;
using NodaTime.Text;

namespace Mbp.Host.Tests.Resolution;

/// <summary>What the host asks the world, and whom it never asks.</summary>
public sealed class EndpointTests(HostFixture fixture) : IClassFixture<HostFixture>
{
    [Fact]
    public async Task An_endpoint_that_fails_for_a_while_is_asked_again_until_it_gives_a_good_answer()
    {
        using var key = Ed25519PrivateKey.FromSeed(new byte[32]);
        using var world = new World();
        await fixture.RestartAsync(fixture.Options with { Endpoints = world });
        var yaml = BuiltInPolicies.Yaml(BuiltInPolicies.Default).Replace("name: default", "name: asks", StringComparison.Ordinal)
            + $"\nendpoints:\n  hosts:\n    - host: facts.example.org\n      key: {Convert.ToBase64String(key.PublicKey.Span)}\n";
        var signature = RulesetNote.Of(PolicyFile.Read(yaml).Policy!).Sign((await fixture.Host.Database.Log.SignerAsync(CancellationToken.None))!);
        (await fixture.Api.PostAsync("/v2/rulesets", new { yaml, signature })).Ok();
        await fixture.Api.AccountAsync("ask-house", "100000");
        var market = await fixture.Api.MarketAsync("ask-house", new { ruleset = "asks", @params = new { truthSource = "endpoint", truthUrl = "https://facts.example.org/rain?day=1" } });
        string Good(string value)
        {
            var seen = fixture.Clock.GetCurrentInstant();
            var signed = Convert.ToBase64String(key.Sign(Encoding.UTF8.GetBytes(Statement.Answer(new MarketId(market), value, seen, "e"))));
            return $$"""{"market":"{{market}}","value":"{{value}}","observedAt":"{{InstantPattern.ExtendedIso.Format(seen)}}","evidence":"e","signature":"{{signed}}"}""";
        }

        world.Answer = () => asked => asked switch
        {
            1 => new HttpResponseMessage(HttpStatusCode.Redirect) { Headers = { Location = new Uri("http://169.254.169.254/") } },
            2 => Text(new string('x', EndpointReader.LargestAnswer + 1)),
            3 => Text("{\"market\":1}"),
            4 => Text(Good("YES").Replace("\"YES\"", "\"NO\"", StringComparison.Ordinal)),
            5 => Text(Good("YES").Replace($"\"{market}\"", "\"another\"", StringComparison.Ordinal)),
            _ => Text(Good("YES")),
        };
        (await fixture.Api.PostAsync($"/v2/markets/{market}/close", new { reason = "test" })).Ok();
        var phase = "";
        for (var until = DateTimeOffset.UtcNow.AddSeconds(60); phase != "Determined" && DateTimeOffset.UtcNow < until; await Task.Delay(100))
        {
            fixture.Clock.Advance(NodaTime.Duration.FromMinutes(1));
            phase = (await fixture.Api.GetAsync($"/v2/markets/{market}")).Ok()["phase"];
        }

        Assert.Equal(("Determined", 6), (phase, world.Asked));
        var shown = (await fixture.Api.GetAsync($"/v2/markets/{market}/resolution")).Ok();
        Assert.Equal(("YES", "endpoint"), (shown["value"], shown["sourceKind"]));
        LedgerReading.Audit(await LedgerReading.AllAsync(fixture.Host.Database.Store), Check.Decision);

        static HttpResponseMessage Text(string text) => new(HttpStatusCode.OK) { Content = new StringContent(text, Encoding.UTF8, "application/json") };
    }

    [Theory]
    [InlineData("8.8.8.8", true)]
    [InlineData("2606:4700:4700::1111", true)]
    [InlineData("127.0.0.1", false)]
    [InlineData("10.1.2.3", false)]
    [InlineData("172.31.255.255", false)]
    [InlineData("172.32.0.1", true)]
    [InlineData("192.168.0.1", false)]
    [InlineData("169.254.169.254", false)]
    [InlineData("100.64.0.1", false)]
    [InlineData("0.0.0.0", false)]
    [InlineData("224.0.0.1", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("::1", false)]
    [InlineData("::", false)]
    [InlineData("fe80::1", false)]
    [InlineData("fd00::1", false)]
    [InlineData("::ffff:10.0.0.1", false)]
    [InlineData("64:ff9b::a00:1", false)]
    [InlineData("2002:a00:1::", false)]
    [InlineData("ff02::1", false)]
    public void Only_public_addresses_are_asked(string address, bool expected) => Assert.Equal(expected, PublicAddress.IsPublic(IPAddress.Parse(address)));

    [Fact]
    public async Task A_name_that_leads_to_the_inside_is_not_connected_to()
    {
        using var reader = new EndpointReader(null);
        var refused = await Assert.ThrowsAsync<EndpointException>(() => reader.ReadAsync("https://localhost/", CancellationToken.None));
        Assert.Contains("not public", refused.Message, StringComparison.Ordinal);
    }

    private sealed class World : HttpMessageHandler
    {
        private int _asked;

        public int Asked => _asked;

        public Func<Func<int, HttpResponseMessage>> Answer { get; set; } = () => _ => new HttpResponseMessage(HttpStatusCode.NotFound);

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => Task.FromResult(Answer()(Interlocked.Increment(ref _asked)));
    }
}

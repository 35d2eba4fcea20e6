using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution;
using Mbp.Domain.Resolution.Oracle;
using Mbp.Ledger;
using NodaTime;
using static Mbp.Domain.Tests.Markets.Terms;

namespace Mbp.Domain.Tests.Resolution;

/// <summary>A value that is asked of a pinned address: signed for this market, seen after its close.</summary>
public sealed class EndpointTests
{
    private const string Url = "https://facts.example.org/rain";

    private static readonly Ruleset Rules = ResolutionStage.WithOracle() with { Oracle = null, Endpoints = new EndpointRules([new PinnedHost("facts.example.org", Signers.Voter("facts", "g").Key)]) };

    private static ResolutionStage Collecting()
    {
        var stage = ResolutionStage.Closed(Rules, MarketKind.Binary, ("truthSource", "endpoint"), ("truthUrl", Url));
        stage.Wait(Duration.Zero);
        return stage;
    }

    private static Decision<StreamEvent> Answer(ResolutionStage stage, string value = "YES", string url = Url, string signer = "facts", MarketId? market = null, Duration? age = null) => stage.Send(at =>
    {
        var seen = at - (age ?? Duration.Zero);
        return new RecordEndpointAnswer(Rain, url, value, seen, "sha256:00", Signers.Sign(signer, Statement.Answer(market ?? Rain, value, seen, "sha256:00")), "ab", at);
    });

    [Fact]
    public void A_signed_answer_decides_and_the_window_is_open_after_it()
    {
        var stage = Collecting();
        Answer(stage);
        var determined = Assert.IsType<MarketResolution.Determined>(stage.Resolution);
        Assert.Equal(("YES", "urn:sha256:ab", TruthSource.Endpoint), (determined.Decision.Value, determined.Decision.EvidenceUri, determined.Decision.SourceKind));
        Assert.Equal(["facts.example.org"], determined.Decision.DecidedBy);
        Assert.Equal(ResolutionErrors.AlreadyDetermined.Code, Answer(stage, "NO").Rejection!.Code);
    }

    [Fact]
    public void What_is_of_another_key_market_address_or_time_decides_nothing()
    {
        var stage = Collecting();
        Assert.Equal(OracleErrors.BadSignature.Code, Answer(stage, signer: "another").Rejection!.Code);
        Assert.Equal(OracleErrors.BadSignature.Code, Answer(stage, market: new MarketId("snow")).Rejection!.Code);
        Assert.Equal(ResolutionErrors.NotPinned.Code, Answer(stage, url: "https://facts.example.org/snow").Rejection!.Code);
        Assert.Equal(ResolutionErrors.SeenTooSoon.Code, Answer(stage, age: Duration.FromTicks(10)).Rejection!.Code);
        Assert.Equal("resolution.bad_value", Answer(stage, "MAYBE").Rejection!.Code);
        Assert.IsType<MarketResolution.Collecting>(stage.Resolution);
        Answer(stage, "TOO_EARLY");
        Assert.IsType<MarketResolution.Postponed>(stage.Resolution);
    }

    [Theory]
    [InlineData("http://facts.example.org/rain")]
    [InlineData("https://facts.example.org:8443/rain")]
    [InlineData("https://user@facts.example.org/rain")]
    [InlineData("https://facts.example.org/rain#part")]
    [InlineData("https://FACTS.example.org/rain")]
    [InlineData("https://facts.example.org.evil.example/rain")]
    [InlineData("https://127.0.0.1/rain")]
    [InlineData("file:///etc/passwd")]
    [InlineData("rain")]
    public void An_address_is_https_at_a_pinned_host_and_plain(string url) => Assert.Equal(
        "params.truthUrl",
        CreateMarketDecider.Decide(Create(parameters: [("truthSource", "endpoint"), ("truthUrl", url)]), Published(), new RulesetLibrary([Policy.Of(Rules)]), Market.Initial, Mbp.Domain.Trading.Pool.Fold.Initial, Rich).Rejection!.Field);

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("localhost")]
    [InlineData("Facts.example.org")]
    [InlineData("facts.example.org\n")]
    [InlineData("[::1]")]
    [InlineData("1.2.3")]
    public void A_rule_set_pins_names_and_no_addresses(string host) =>
        Assert.Contains(RulesetChecks.Faults(Rules with { Endpoints = new EndpointRules([new PinnedHost(host, Rules.Endpoints!.Hosts[0].Key)]) }), fault => fault.Field == "endpoints.hosts");
}

using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Markets.Halts;
using Mbp.Ledger;
using Mbp.Ledger.Log;
using Mbp.Policies;
using NodaTime;
using static Mbp.Testing.GivenEvents;

namespace Mbp.Domain.Tests.Governance;

/// <summary>Publishing a rule set, and the rule set that a market is decided by (C20).</summary>
public sealed class RulesetDeciderTests
{
    private static readonly Instant Noon = Instant.FromUtc(2025, 9, 10, 12, 0);
    private static readonly MarketId Rain = new("rain");
    private static readonly Policy V110 = BuiltInPolicies.All.First(policy => policy.Rules.Name == RulesetLibrary.DefaultName);
    private static readonly Policy V120 = Policy.Of(V110.Rules with { Version = "v1.2.0", Slo = null });
    private static readonly Policy V200 = Policy.Of(V110.Rules with { Version = "v2.0.0", Abuse = null });

    [Fact]
    public void A_version_is_published_once() =>
        Given(RulesetDecider.Decider, Published(V110))
            .When(new PublishRuleset(V110, "another signature", Noon))
            .Then();

    [Fact]
    public void The_next_version_is_published() =>
        Given(RulesetDecider.Decider, Published(V110))
            .When(new PublishRuleset(V120, "signed", Noon))
            .Then(Published(V120) with { Signature = "signed" });

    [Fact]
    public void A_version_never_changes() =>
        Given(RulesetDecider.Decider, Published(V110))
            .When(new PublishRuleset(Policy.Of(V110.Rules with { Slo = null }), "", Noon))
            .ThenRejected("rulesets.version_taken", "version");

    [Fact]
    public void Nothing_that_breaks_a_rule_is_published() =>
        Given(RulesetDecider.Decider)
            .When(new PublishRuleset(Policy.Of(V110.Rules with { Halts = null }), "", Noon))
            .ThenRejected("rulesets.invalid", "halts");

    [Fact]
    public void A_host_seeds_what_is_missing_and_leaves_what_is_there() =>
        Given(RulesetDecider.Decider, Published(V110))
            .When(new SeedRuleset(Policy.Of(V110.Rules with { Slo = null }), "", Noon))
            .Then();

    [Fact]
    public void The_newest_is_the_highest_version_whenever_it_came()
    {
        var tenth = Policy.Of(V110.Rules with { Version = "v1.10.0" });
        var library = new RulesetLibrary([V110, tenth, Policy.Of(V110.Rules with { Version = "v1.9.3" })]);
        Assert.Equal(tenth, library.Newest);
        Assert.Equal(V110, library.Find("v1.1.0"));
        Assert.Null(new RulesetLibrary([]).Newest);
    }

    [Fact]
    public void A_market_is_put_under_another_version()
    {
        var decision = Activate(Open(V110), "v1.2.0");
        When(decision).Then(Activated(V120));
        // It is decided by the rules before it.
        Assert.Equal(V110.Hash, decision.PolicyHash);
    }

    [Fact]
    public void The_newest_version_is_meant_where_none_is_named() => When(Activate(Open(V110), null)).Then(Activated(V200));

    [Fact]
    public void A_market_that_is_under_it_already_stays() => When(Activate(Open(V110), "v1.1.0")).Then();

    [Fact]
    public void A_version_that_nobody_published_cannot_be_activated() => When(Activate(Open(V110), "v9.0.0")).ThenRejected("rulesets.unknown", "ruleset");

    [Fact]
    public void A_market_that_does_not_exist_has_no_rules() => When(Activate(Market.Initial, "v1.2.0")).ThenRejected(MarketErrors.NotFound);

    [Fact]
    public void A_rollback_goes_back_version_by_version()
    {
        var market = Open(V110, Activated(V120), Activated(V200));
        var once = Decide(market);
        Assert.Equal(new RulesetRolledBack("default", "v1.2.0", V120.Hash, "why", Noon), Assert.Single(once.Events));
        Assert.Equal(V200.Hash, once.PolicyHash);

        market = Market.Evolve(market, once.Events[0]);
        Assert.Equal(V120, market.Policy());
        market = Market.Evolve(market, Decide(market).Events[0]);
        Assert.Equal(V110, market.Policy());
        Assert.Equal(RulesetErrors.NoEarlier.Code, Decide(market).Rejection?.Code);
    }

    [Fact]
    public void What_was_rolled_back_can_be_activated_again()
    {
        var market = Open(V110, Activated(V120), new RulesetRolledBack("default", "v1.1.0", V110.Hash, "why", Noon));
        var again = Activate(market, "v1.2.0");
        When(again).Then(Activated(V120));
        market = Market.Evolve(market, again.Events[0]);
        Assert.Equal((V120, V110), (market.Policy(), market.Rules()!.Earlier[^1]));
    }

    [Fact]
    public void A_closed_market_and_a_halted_one_change_rules_too()
    {
        var halted = Open(V110, new MarketHalted(HaltLevel.Hard, "why", Noon, HaltRule.Manual, HaltLevel.Hard));
        When(Activate(halted, "v1.2.0")).Then(Activated(V120));
        Assert.Equal(HaltLevel.Hard, Market.Evolve(halted, Activated(V120)).HaltLevel());
        When(Activate(Market.Evolve(halted, new MarketClosed("why", [], Noon)), "v1.2.0")).Then(Activated(V120));
    }

    [Fact]
    public void A_market_remembers_the_last_ten()
    {
        var market = Enumerable.Range(2, 20).Aggregate(Open(V110), (m, i) => Market.Evolve(m, Activated(Policy.Of(V110.Rules with { Version = $"v1.{i}.0" }))));
        Assert.Equal(10, market.Rules()!.Earlier.Count);
        Assert.Equal("v1.20.0", market.Rules()!.Earlier[^1].Rules.Version);
    }

    [Fact]
    public void A_signature_is_good_for_its_version_by_a_key_in_force()
    {
        using var secret = Ed25519PrivateKey.Create();
        using var other = Ed25519PrivateKey.Create();
        var (signer, stranger) = (new Ed25519Signer("mbp.test/mbp-ledger/1", secret), new Ed25519Signer("mbp.test/mbp-ledger/1", other));
        var note = RulesetNote.Of(V110);
        var signature = note.Sign(signer);

        Assert.StartsWith($"mbp-ruleset@v1\ndefault\nv1.1.0\n{V110.Hash}\n\n", signature, StringComparison.Ordinal);
        Assert.Null(note.WhyNot(signature, [stranger.Key, signer.Key]));
        Assert.Equal("rulesets.signature_missing", note.WhyNot("  ", [signer.Key])?.Code);
        Assert.Equal("rulesets.signature_invalid", note.WhyNot(signature, [stranger.Key])?.Code);
        Assert.Equal("rulesets.signature_invalid", note.WhyNot(signature, [])?.Code);
        Assert.Equal("rulesets.signature_invalid", RulesetNote.Of(V120).WhyNot(signature, [signer.Key])?.Code);
        Assert.Equal("rulesets.signature_invalid", note.WhyNot(signature.Replace("v1.1.0", "v1.1.1", StringComparison.Ordinal), [signer.Key])?.Code);
        Assert.Equal("rulesets.signature_invalid", note.WhyNot("nonsense", [signer.Key])?.Code);
    }

    private static RulesetPublished Published(Policy policy) => new(policy.Rules.Name, policy.Rules.Version, policy.Hash, policy, "", Noon);

    private static RulesetActivated Activated(Policy policy) => new(policy.Rules.Name, policy.Rules.Version, policy.Hash, policy, "why", Noon);

    private static Market Open(Policy policy, params IEnumerable<MarketEvent> more) => new MarketEvent[]
    {
        new MarketCreated(
            Rain, "Will it rain?", "general", MarketKind.Binary, ["YES", "NO"], null, null, TruthSource.Manual, null, Noon + Duration.FromDays(30),
            Noon + Duration.FromDays(31), 5_000, policy.Rules.Name, policy.Hash, new AccountId("house"), Noon),
        Activated(policy) with { Reason = CreateMarketDecider.Created },
    }.Concat(more).Aggregate(Market.Initial, Market.Evolve);

    private static Decision<MarketEvent> Activate(Market market, string? version) =>
        MarketDecider.Activate(new ActivateRuleset(version, "why", Noon), "default", market, new RulesetLibrary([V110, V120, V200]));

    private static Decision<MarketEvent> Decide(Market market) => MarketDecider.Decider.Decide(new RollBackRuleset("why", Noon), market);
}

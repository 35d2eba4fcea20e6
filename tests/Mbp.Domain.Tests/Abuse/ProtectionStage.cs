using Mbp.Domain.Abuse;
using Mbp.Domain.Accounts;
using Mbp.Domain.Audit;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using Mbp.Policies;
using NodaTime;

using static Mbp.Domain.Tests.Markets.Terms;

namespace Mbp.Domain.Tests.Abuse;

/// <summary>A market under a rule set, with everything that its streams fold to; what is decided is written at once, and audited.</summary>
internal sealed class ProtectionStage
{
    private readonly LedgerAudit _audit = new();
    private readonly Dictionary<StreamId, long> _versions = [];
    private long _position;
    private int _trades;

    public ProtectionStage(Ruleset rules, long liquidity = 100_000, int percent = 50)
        : this(rules, out var opening, liquidity, percent) => Assert.Null(opening.Rejection);

    /// <summary>A market whose opening may be refused.</summary>
    public ProtectionStage(Ruleset rules, out Decision<StreamEvent> opening, decimal liquidity, int percent = 50)
    {
        var (template, policy) = (Of(MarketKind.Binary), Policy.Of(rules));
        Write(TemplateDecider.Decider.Decide(new SeedTemplate(template, Now), TemplateEntry.Initial).On(Template.StreamOf(template.Id)));
        Publish(policy);
        foreach (var account in new[] { House, Ana, Bob })
        {
            Write(AccountDecider.Decider.Decide(new OpenAccount(account, Now), States.Account(account)).On(account.Stream));
            Write(AccountDecider.Decider.Decide(new GrantCredits(Ce(1_000_000), "start", Now), States.Account(account)).On(account.Stream));
        }

        var price = Price.FromUnits(percent * 1_000_000L);
        var command = Create(ruleset: rules.Name, probabilities: [price, Price.FromUnits(Decimal8.One - price.Units)]) with { Liquidity = Ce(liquidity), At = Now };
        opening = Write(CreateMarketDecider.Decide(
            command, States.Template(template.Id), States.Rulesets(rules.Name), Market.Market, Market.Pool, States.Account(House)));
    }

    public static AccountId Bob { get; } = new("bob");

    /// <summary>The newest default, whose caps look at liquidity, or do not.</summary>
    public static Ruleset Default(bool countsLiquidity = true) => BuiltInPolicies.Default.Rules with
    {
        Caps = [.. BuiltInPolicies.Default.Rules.Caps.Select(caps => caps with { CountsLiquidity = countsLiquidity ? true : null })],
    };

    public Instant Now { get; set; } = Noon;

    public AuditStates States => _audit.States;

    public MarketStates Market => States.Market(Rain);

    public Market.Halted? Halted => Market.Market as Market.Halted;

    public AuditReport Audit => _audit.Report;

    public void Wait(Duration time) => Now += time;

    public void Publish(Policy policy) => Write(RulesetDecider.Decider.Decide(new SeedRuleset(policy, "signed", Now), States.Rulesets(policy.Rules.Name)).On(RulesetLibrary.StreamOf(policy.Rules.Name)));

    public void Activate(Ruleset rules)
    {
        Publish(Policy.Of(rules));
        Write(MarketDecider.Activate(new ActivateRuleset(rules.Version, "why", Now), rules.Name, Market.Market, States.Rulesets(rules.Name)).On(Rain.Stream));
    }

    public Decision<StreamEvent> Add(AccountId who, decimal amount) => Trade(new AddLiquidity(Rain, who, Ce(amount), Now));

    public Decision<StreamEvent> RemoveAll(AccountId who) => Trade(new RemoveLiquidity(Rain, who, Market.Pool.HolderOf(who).LpShares, Now));

    public Decision<StreamEvent> Buy(AccountId who, decimal amount, string outcome = "YES") => Trade(new BuyShares(Rain, who, $"t{_trades++}", outcome, Ce(amount), null, Now));

    public Decision<StreamEvent> Trade(TradeCommand command) => Write(Decide(command));

    public Decision<StreamEvent> Decide(TradeCommand command) =>
        TradeDecider.Decide(command, Market.Market, Market.Pool, States.Account(command.Account), Market.Flow, Market.Moderation, States.Slo);

    public Decision<StreamEvent> Halt(HaltLevel level) => Write(MarketDecider.Decider.Decide(new HaltMarket(level, "by hand", Now), Market.Market).On(Rain.Stream));

    public Decision<StreamEvent> Resume() => Write(MarketDecider.Resume(new ResumeMarket("fine", Now, "op-1"), Market.Market, Market.Moderation));

    public Decision<StreamEvent> Judge(Instant tick) => Write(MarketDecider.Judge(new JudgeMarket(tick, Now), Market.Market, Market.Track, Market.Pool).On(Rain.Stream));

    public Decision<StreamEvent> Moderate(ModerationKind kind, string by = "op-1") => Moderate(new Measure(kind, null, null, "urn:case"), by);

    public Decision<StreamEvent> Moderate(Measure measure, string by = "op-1") => Moderate(new Moderate(Rain, measure, "ring", by, Now));

    public Decision<StreamEvent> Undo(int number, string by = "op-1") => Moderate(new ChangeModeration(Rain, number, ModerationChange.Undo, "explained", by, Now));

    public Decision<StreamEvent> Moderate(ModerationCommand command)
    {
        var about = command is Moderate made ? made.Measure.Account : Market.Moderation.Find(command is ApproveModeration a ? a.Number : ((ChangeModeration)command).Number)?.Measure.Account;
        return Write(ModerationDecider.Decide(
            command, Market.Moderation, Market.Market, about, about is { } whom ? States.Account(whom) : Account.Initial, States.Account(AccountId.Insurance)));
    }

    /// <summary>The rules freeze the market, as they would at a tick.</summary>
    public Instant Freeze(bool held = false)
    {
        Forge(Rain.Stream.With(new MarketHalted(HaltLevel.Hard, "divergence", Now, HaltRule.Divergence, held ? HaltLevel.Hard : Halted?.HeldAt ?? HaltLevel.None, Now, held ? null : Now + Duration.FromMinutes(5))));
        return Now;
    }

    /// <summary>The rules slow the market down.</summary>
    public void Slow() => Forge(Rain.Stream.With(new MarketHalted(HaltLevel.Soft, "window", Now, HaltRule.Window, Halted?.HeldAt ?? HaltLevel.None, Now)));

    /// <summary>Writes what no decider said.</summary>
    public void Forge(params StreamEvent[] events) => Write(((Decision<StreamEvent>)[.. events]).Under(Market.Market.Policy()?.Hash));

    public Decision<StreamEvent> Write(Decision<StreamEvent> decision)
    {
        if (decision.Rejection is not null || decision.Events.IsEmpty)
        {
            return decision;
        }

        var (command, headers) = (new List<Recorded>(), decision.PolicyHash is { } hash ? $$"""{"actor": "op-1", "policy_hash": "{{hash}}"}""" : """{"actor": "op-1"}""");
        foreach (var (stream, @event) in decision.Events)
        {
            _versions[stream] = _versions.GetValueOrDefault(stream) + 1;
            command.Add(new Recorded(
                new StoredEvent(++_position, stream, _versions[stream], Guid.Empty, @event.GetType().Name, default, Now, "trace", $"command-{_position}", System.Text.Encoding.UTF8.GetBytes(headers)),
                @event));
        }

        _audit.Observe(command);
        return decision;
    }
}

using Mbp.Domain.Abuse;
using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Custody;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Governance.Slo;
using Mbp.Domain.Markets;
using Mbp.Domain.Payments;
using Mbp.Domain.Pricing;
using Mbp.Domain.Resolution;
using Mbp.Domain.Resolution.Oracle;
using Mbp.Domain.Settlement;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;

namespace Mbp.Domain.Audit;

/// <summary>Every state of one market, as its four streams fold. The audit is alone with it, so it moves on in place.</summary>
public sealed class MarketStates
{
    private readonly RecentQuotes _quotes = new(MarketDecider.VoidWindow);

    /// <summary>A market of which nothing is known. Nothing is ever applied to it.</summary>
    internal static MarketStates Initial { get; } = new();

    public Market Market { get; private set; } = Market.Initial;

    public Pool Pool { get; private set; } = Pool.Fold.Initial;

    public PriceTrack Track { get; private set; } = PriceFolds.Track.Initial;

    public MarketResolution Resolution { get; private set; } = MarketResolution.Initial;

    public MarketSettlement Settlement { get; private set; } = MarketSettlement.Initial;

    public TwapLog Twap { get; private set; } = TwapLog.Initial;

    public TradeFlow Flow { get; private set; } = TradeFlow.Initial;

    public FlagLog Flags { get; private set; } = FlagLog.Fold.Initial;

    public Moderation Moderation { get; private set; } = Moderation.None;

    /// <summary>The price history of the last day; it is made when it is asked for, which a close does.</summary>
    public PriceHistory LastDay => _quotes.ToHistory();

    /// <summary>The cash that the market holds: complete sets, fees and the bonds of an open dispute, less what the settlement and its corrections have paid out.</summary>
    public long HeldUnits => Settlement switch
    {
        MarketSettlement.Paying paying => Pool.Locked.Units + Pool.FeePool.Units - paying.Paid.Units,
        MarketSettlement.Settled settled => settled.HeldUnits,
        _ => Pool.Locked.Units + Pool.FeePool.Units + Resolution.BondUnits,
    };

    /// <summary>All folds of the event's stream move on, or none: one that cannot follow throws before anything is changed.</summary>
    internal void Apply(string category, object @event)
    {
        switch (category)
        {
            case "market":
                var (market, pool, track, flow) = (
                    Market.Fold.Apply(Market, @event), Pool.Fold.Apply(Pool, @event), PriceFolds.Track.Apply(Track, @event), TradeFlow.Fold.Apply(Flow, @event));
                if (PriceFolds.Quote(@event) is var (prices, at))
                {
                    _quotes.Observe(prices, at);
                }

                (Market, Pool, Track, Flow) = (market, pool, track, flow);
                break;
            case "quotes":
                Twap = TwapLog.Fold.Apply(Twap, @event);
                break;
            case "abuse":
                (Flags, Moderation) = (FlagLog.Fold.Apply(Flags, @event), Moderation.Fold.Apply(Moderation, @event));
                break;
            case "resolution":
                (Resolution, Settlement) = (MarketResolution.Fold.Apply(Resolution, @event), MarketSettlement.Fold.Apply(Settlement, @event));
                break;
        }
    }
}

/// <summary>The whole ledger's states, from nothing but its events.</summary>
public sealed class AuditStates
{
    private readonly Dictionary<string, MarketStates> _markets = new(StringComparer.Ordinal);
    private readonly Dictionary<AccountId, Account> _accounts = [];
    private readonly Dictionary<string, TemplateEntry> _templates = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SettlementPlan> _plans = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (EquatableArray<Price> To, CorrectionPlan Plan)> _corrections = new(StringComparer.Ordinal);
    private readonly Dictionary<string, RulesetLibrary> _rulesets = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Withdrawal> _withdrawals = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ReconciliationLog> _reconciliations = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TruthTable> _truth = new(StringComparer.Ordinal);
    private readonly Dictionary<string, OracleFeed> _oracles = new(StringComparer.Ordinal);

    public IReadOnlyDictionary<string, MarketStates> Markets => _markets;

    public IReadOnlyDictionary<AccountId, Account> Accounts => _accounts;

    /// <summary>The public log's keys, and what was erased from the ledger.</summary>
    public LogCustody Custody { get; private set; } = LogCustody.Initial;

    /// <summary>What the error budget has to do with trading.</summary>
    public SloPolicy Slo { get; private set; } = SloPolicy.Fold.Initial;

    public MarketStates Market(MarketId id) => _markets.GetValueOrDefault(id.Value) ?? MarketStates.Initial;

    public Account Account(AccountId id) => _accounts.GetValueOrDefault(id) ?? Domain.Accounts.Account.Initial;

    public TemplateEntry Template(string id) => _templates.GetValueOrDefault(id) ?? TemplateEntry.Initial;

    /// <summary>Whether rule sets are in the ledger: in an older one no decision names its own.</summary>
    public bool HasRulesets => _rulesets.Count > 0;

    public RulesetLibrary Rulesets(string name) => _rulesets.GetValueOrDefault(name) ?? RulesetLibrary.Fold.Initial;

    public Withdrawal Withdrawal(string id) => _withdrawals.GetValueOrDefault(id) ?? Payments.Withdrawal.Initial;

    /// <summary>The last record of a day's reconciliation.</summary>
    public ReconciliationLog Reconciliation(string day) => _reconciliations.GetValueOrDefault(day) ?? ReconciliationLog.Fold.Initial;

    /// <summary>The feed of a rule set's sources.</summary>
    public OracleFeed Oracle(string ruleset) => _oracles.GetValueOrDefault(ruleset) ?? OracleFeed.Initial;

    public TruthTable Truth(string table) => _truth.GetValueOrDefault(table) ?? TruthTable.Initial;

    /// <summary>What the market's final pool and vector say is to be paid; worth computing once, since neither changes any more.</summary>
    public SettlementPlan PlanOf(MarketId id)
    {
        if (!_plans.TryGetValue(id.Value, out var plan))
        {
            var market = Market(id);
            var vector = SettlementDecider.FinalVector(market.Resolution) ?? throw new InvalidOperationException($"{id} has no final value to pay by.");
            _plans[id.Value] = plan = SettlementPlan.From(market.Pool, new PayoutVector(vector));
        }

        return plan;
    }

    /// <summary>What the pool says is to be posted so that the market has paid by another value than the one before; computed once for a correction.</summary>
    public CorrectionPlan CorrectionOf(MarketId id)
    {
        var market = Market(id);
        var settled = market.Settlement as MarketSettlement.Settled;
        var (before, to) = settled?.Corrections?.Step switch
        {
            CorrectionStep.Proposed step => (settled.Corrections.Vector, step.Proposal.Vector),
            CorrectionStep.Posting step => (step.Before, step.Plan.Vector),
            _ => throw new InvalidOperationException($"{id} has no correction to post."),
        };
        if (!_corrections.TryGetValue(id.Value, out var kept) || kept.To != to)
        {
            before ??= SettlementDecider.FinalVector(market.Resolution) ?? throw new InvalidOperationException($"{id} has no final value.");
            _corrections[id.Value] = kept = (to, CorrectionPlan.From(market.Pool, new PayoutVector(before.Value), new PayoutVector(to)));
        }

        return kept.Plan;
    }

    /// <summary>The balance of an account in units; 0 for one that does not exist.</summary>
    public long BalanceUnits(AccountId id) => Account(id).Cash.Units;

    public void Apply(StreamId stream, object @event) => Apply(stream.Category, stream.Key, @event);

    internal void Apply(string category, string key, object @event)
    {
        switch (category)
        {
            case "market" or "quotes" or "resolution" or "abuse":
                var market = _markets.GetValueOrDefault(key) ?? new MarketStates();
                market.Apply(category, @event);
                _markets.TryAdd(key, market);
                break;
            case "account":
                var id = new AccountId(key);
                _accounts[id] = Domain.Accounts.Account.Fold.Apply(Account(id), @event);
                break;
            case "template":
                _templates[key] = TemplateEntry.Fold.Apply(Template(key), @event);
                break;
            case "ruleset":
                _rulesets[key] = RulesetLibrary.Fold.Apply(Rulesets(key), @event);
                break;
            case "watcher" when key == SloPolicy.Stream.Key:
                Slo = SloPolicy.Fold.Apply(Slo, @event);
                break;
            case "truth":
                _truth[key] = TruthTable.Fold.Apply(Truth(key), @event);
                break;
            case "withdrawal":
                _withdrawals[key] = Payments.Withdrawal.Fold.Apply(Withdrawal(key), @event);
                break;
            case "reconciliation":
                _reconciliations[key] = ReconciliationLog.Fold.Apply(Reconciliation(key), @event);
                break;
            case "oracle":
                _oracles[key] = OracleFeed.Fold.Apply(Oracle(key), @event);
                break;
            case "custody":
                Custody = LogCustody.Fold.Apply(Custody, @event);
                break;
        }
    }
}

using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Pricing;
using Mbp.Domain.Resolution;
using Mbp.Domain.Settlement;
using Mbp.Domain.Trading;
using Mbp.Ledger;

namespace Mbp.Domain.Audit;

/// <summary>Every state of one market, as its three streams fold.</summary>
public sealed record MarketStates(
    Market Market, Pool Pool, PriceTrack Track, PriceHistory LastDay, MarketResolution Resolution, MarketSettlement Settlement, TwapLog Twap)
{
    public static MarketStates Initial { get; } = new(
        Markets.Market.Initial, Pool.Fold.Initial, PriceFolds.Track.Initial, PriceFolds.LastDay.Initial,
        MarketResolution.Initial, MarketSettlement.Initial, TwapLog.Initial);

    /// <summary>The cash that the market holds: complete sets and fees, less what the settlement has paid out.</summary>
    public long HeldUnits => Settlement switch
    {
        MarketSettlement.Paying paying => Pool.Locked.Units + Pool.FeePool.Units - paying.Paid.Units,
        MarketSettlement.Settled settled => settled.Result.Dust.Units + settled.Result.FeeDust.Units,
        _ => Pool.Locked.Units + Pool.FeePool.Units,
    };

    public MarketStates Apply(string category, object @event) => category switch
    {
        "market" => this with
        {
            Market = Markets.Market.Fold.Apply(Market, @event),
            Pool = Pool.Fold.Apply(Pool, @event),
            Track = PriceFolds.Track.Apply(Track, @event),
            LastDay = PriceFolds.LastDay.Apply(LastDay, @event),
        },
        "quotes" => this with { Twap = TwapLog.Fold.Apply(Twap, @event) },
        "resolution" => this with
        {
            Resolution = MarketResolution.Fold.Apply(Resolution, @event),
            Settlement = MarketSettlement.Fold.Apply(Settlement, @event),
        },
        _ => this,
    };
}

/// <summary>The whole ledger's states, from nothing but its events.</summary>
public sealed class AuditStates
{
    private readonly Dictionary<string, MarketStates> _markets = new(StringComparer.Ordinal);
    private readonly Dictionary<AccountId, Account> _accounts = [];
    private readonly Dictionary<string, TemplateEntry> _templates = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SettlementPlan> _plans = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TruthTable> _truth = new(StringComparer.Ordinal);

    public IReadOnlyDictionary<string, MarketStates> Markets => _markets;

    public IReadOnlyDictionary<AccountId, Account> Accounts => _accounts;

    public MarketStates Market(MarketId id) => _markets.GetValueOrDefault(id.Value) ?? MarketStates.Initial;

    public Account Account(AccountId id) => _accounts.GetValueOrDefault(id) ?? Domain.Accounts.Account.Initial;

    public TemplateEntry Template(string id) => _templates.GetValueOrDefault(id) ?? TemplateEntry.Initial;

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

    /// <summary>The balance of an account in units; 0 for one that does not exist.</summary>
    public long BalanceUnits(AccountId id) => Account(id) is Domain.Accounts.Account.Open open ? open.Balance.Units : 0;

    public void Apply(StreamId stream, object @event)
    {
        switch (stream.Category)
        {
            case "market" or "quotes" or "resolution":
                _markets[stream.Key] = Market(new MarketId(stream.Key)).Apply(stream.Category, @event);
                break;
            case "account":
                var id = new AccountId(stream.Key);
                _accounts[id] = Domain.Accounts.Account.Fold.Apply(Account(id), @event);
                break;
            case "template":
                _templates[stream.Key] = TemplateEntry.Fold.Apply(Template(stream.Key), @event);
                break;
            case "truth":
                _truth[stream.Key] = TruthTable.Fold.Apply(Truth(stream.Key), @event);
                break;
        }
    }
}

using BenchmarkDotNet.Attributes;
using Mbp.Benchmarks.Filling;
using Mbp.Benchmarks.Load;
using Mbp.Domain;
using Mbp.Domain.Abuse;
using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Slo;
using Mbp.Domain.Markets;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using Mbp.Ledger.Merkle;
using Mbp.Policies;
using NodaTime;

namespace Mbp.Benchmarks.Inner;

/// <summary>The parts of a trade that cost processor time in the writer, one by one, on a market that 500 accounts hold shares of.</summary>
[MemoryDiagnoser]
public class InnerBenchmarks
{
    private const int Holders = 500;

    private readonly EventCatalog _catalog = Slices.Catalog();
    private readonly Instant _at = Instant.FromUtc(2025, 9, 10, 12, 0);
    private readonly MarketId _market = new(Place.Market(0));
    private Market _lifecycle = Market.Initial;
    private Pool _pool = Pool.Fold.Initial;
    private Account _account = Account.Initial;
    private TradeFlow _flow = TradeFlow.Initial;
    private BuyShares _command = null!;
    private TradeExecuted _trade = null!;
    private byte[] _body = [];

    [GlobalSetup]
    public void SetUp()
    {
        var states = new InMemoryStates();
        foreach (var template in TemplateCatalogue.BuiltIn)
        {
            states.Carry(Commands.Seed(template), _at);
        }

        foreach (var policy in BuiltInPolicies.All)
        {
            states.Carry(Commands.Seed(policy), _at);
        }

        for (var i = 0; i < Holders; i++)
        {
            states.Carry(Commands.OpenAccount(Place.Account(i)), _at);
            states.Carry(Commands.Grant(Place.Account(i), Credits.FromUnits(Place.Funds * Decimal8.One), "benchmark"), _at);
            if (i == 0)
            {
                states.Carry(Commands.CreateMarket(_market.Value, "Is it fast?", Place.Account(0), Credits.FromUnits(Place.Liquidity * Decimal8.One)), _at);
            }

            states.Carry(TradeOperation.Of(_market, new AccountId(Place.Account(i)), at => Buy(i, at)), _at);
        }

        _lifecycle = states.Get(Market.Fold.Of(_market.Stream));
        _pool = states.Get(Pool.Fold.Of(_market.Stream));
        _command = Buy(Holders / 2, _at);
        _account = states.Get(Account.Fold.Of(_command.Account.Stream));
        _flow = states.Get(TradeFlow.Fold.Of(_market.Stream));
        _trade = TradeDecider.Decide(_command, _lifecycle, _pool, _account, _flow, Moderation.None, SloPolicy.Fold.Initial).Events.Select(e => e.Event).OfType<TradeExecuted>().Single();
        _body = _catalog.Encode(_trade).Data;
    }

    [Benchmark]
    public object Decide() => TradeDecider.Decide(_command, _lifecycle, _pool, _account, _flow, Moderation.None, SloPolicy.Fold.Initial);

    [Benchmark]
    public object Evolve() => Pool.Fold.Apply(_pool, _trade);

    [Benchmark]
    public object Encode() => _catalog.Encode(_trade);

    [Benchmark]
    public object Decode() => _catalog.Decode("trade_executed", _body);

    [Benchmark]
    public MerkleHash LeafHash() => MerkleTree.LeafHash(_body);

    private BuyShares Buy(int account, Instant at) => new(
        _market, new AccountId(Place.Account(account)), "0198c0ffee00700080000123456789ab", account % 2 == 0 ? "YES" : "NO", Credits.FromUnits(Decimal8.One), null, at);
}

using Mbp.Benchmarks.Filling;
using Mbp.Benchmarks.Load;
using Mbp.Domain;
using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using Mbp.Ledger.Merkle;
using Mbp.Ledger.Writing;
using NodaTime;

namespace Mbp.Benchmarks.Append;

/// <summary>
/// Batches as the writer commits them under load, made beforehand: 100 trades of 512 accounts in 32 markets, decided by the product's decider on
/// states in memory; for each trade the account's event, the market's event and an idempotency row.
/// </summary>
internal sealed class TradeBatches
{
    public const int Trades = 100;
    public const int Events = 2 * Trades;

    private readonly EventCatalog _catalog = Slices.Catalog();
    private readonly Random _random = new(1);
    private readonly byte[] _headers = """{"actor":"op-1"}"""u8.ToArray();
    private readonly InMemoryStates _states = new();
    private Instant _at = Instant.FromUnixTimeSeconds(SystemClock.Instance.GetCurrentInstant().ToUnixTimeSeconds());
    private long _number;

    /// <summary>What the trades need: templates, accounts with credits, markets with pools. The first batch of every ledger.</summary>
    public Batch Opening()
    {
        var operations = TemplateCatalogue.BuiltIn.Select(Commands.Seed)
            .Concat(Enumerable.Range(0, Place.Accounts).SelectMany(i => new[]
            {
                Commands.OpenAccount(Place.Account(i)), Commands.Grant(Place.Account(i), Whole(Place.Funds), "benchmark"),
            }))
            .Concat(Enumerable.Range(0, Place.Hot.Count).Select(i => Commands.CreateMarket(Place.Market(i), "Is it fast?", Place.Opener(i), Whole(Place.Liquidity))));
        var events = new List<NewEvent>();
        foreach (var operation in operations)
        {
            Decide(operation, events);
        }

        return new Batch(events, [], []);
    }

    public Batch Next()
    {
        var events = new List<NewEvent>(Events);
        var commands = new List<NewCommand>(Trades);
        for (var i = 0; i < Trades; i++)
        {
            var (market, account) = (new MarketId(Place.Market(_random.Next(Place.Hot.Count))), new AccountId(Place.Account(_random.Next(Place.Accounts))));
            var (outcome, amount) = (_random.Next(2) == 0 ? "YES" : "NO", Whole(1 + _random.Next(9)));
            var first = events.Count;
            Decide(TradeOperation.Of(market, account, at => new BuyShares(market, account, Guid.CreateVersion7().ToString("N"), outcome, amount, null, at)), events);
            var hash = new byte[32];
            _random.NextBytes(hash);
            commands.Add(new NewCommand(new CommandKey("op-1", $"append-{++_number:000000000000}"), hash, first, events.Count - first, _at));
        }

        // Made while a batch is decided, so they are part of no append.
        return new Batch(events, commands, []) { Leaves = LeafBatch.Of(events) };
    }

    private void Decide(Operation operation, List<NewEvent> events)
    {
        _at += Duration.FromMilliseconds(1) / 10;
        var (correlation, causation) = (Guid.CreateVersion7().ToString("N"), Guid.CreateVersion7().ToString("N"));
        foreach (var ((stream, body), version) in _states.Carry(operation, _at))
        {
            events.Add(new NewEvent(Guid.CreateVersion7(), stream, version, _catalog.Encode(body), _at, correlation, causation, _headers));
        }
    }

    private static Credits Whole(long amount) => Credits.FromUnits(amount * Decimal8.One);
}

using System.Security.Cryptography;
using System.Text;
using Mbp.Benchmarks.Load;
using Mbp.Domain;
using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using Mbp.Ledger.Postgres;
using Mbp.Ledger.Postgres.Embedded;
using Mbp.Ledger.Writing;
using Mbp.Policies;
using NodaTime;

namespace Mbp.Benchmarks.Filling;

/// <summary>
/// Fills a data folder's ledger with a real history, fast: the product's own writer and deciders without HTTP, so every event is one that was
/// decided, snapshots are where the product would have them, and an audit of the ledger holds.
/// </summary>
internal sealed class LedgerFill : IAsyncDisposable
{
    /// <summary>Traded first, and then never again: what a start finds cold.</summary>
    public static readonly MarketRange Cold = new(0, 2);

    /// <summary>Traded until the ledger is full.</summary>
    public static readonly MarketRange Warm = new(2, 402);

    private const int TradesOfColdMarket = 10_000;
    private const int Parallel = 1_024;

    // Every seventh trade is a sale; after so many trades, which no sale follows a sale by, market and account meet again.
    private const int SellEvery = 7;
    private const int Again = 12_800;

    private readonly EmbeddedPostgres _postgres;
    private readonly PostgresEventStore _store;
    private readonly LedgerWriter _writer;
    private long _position;

    private LedgerFill(EmbeddedPostgres postgres, PostgresEventStore store)
    {
        (_postgres, _store) = (postgres, store);
        _writer = new LedgerWriter(
            store, Slices.Catalog(), SystemClock.Instance, "benchmark", new WriterOptions { Deadline = TimeSpan.FromMinutes(2) },
            committed => Volatile.Write(ref _position, committed.Count == 0 ? _position : committed[^1].Position),
            (e, what) => Console.Error.WriteLine($"{what} {e.Message}"));
    }

    public PostgresEventStore Store => _store;

    public RoleConnections Connections => _postgres.Connections;

    /// <summary>Events that were written so far.</summary>
    public long Position => Volatile.Read(ref _position);

    public static async Task<LedgerFill> OpenAsync(string data)
    {
        var postgres = await EmbeddedPostgres.StartAsync(new EmbeddedPostgresOptions(data), CancellationToken.None).ConfigureAwait(false);
        await Migrations.Ledger.RunAsync(postgres.Connections.Owner, CancellationToken.None).ConfigureAwait(false);
        var fill = new LedgerFill(postgres, new PostgresEventStore(postgres.Connections));
        while (!fill._writer.IsWriter)
        {
            await Task.Delay(20).ConfigureAwait(false);
        }

        return fill;
    }

    /// <returns>How many trades each cold market has.</returns>
    public async Task<int> RunAsync(long events)
    {
        // Each trade is two events; a small ledger has smaller cold markets.
        var coldTrades = (int)Math.Min(TradesOfColdMarket, events / 8);
        await SetUpAsync(Warm.End).ConfigureAwait(false);
        await EachAsync(coldTrades * Cold.Count, i => Trade(i, Cold)).ConfigureAwait(false);
        await EachAsync((int)Math.Max(0, (events - Position) / 2), i => Trade(i, Warm)).ConfigureAwait(false);
        return coldTrades;
    }

    /// <summary>What a new host seeds, the traders with their credits, and markets.</summary>
    public async Task SetUpAsync(int markets)
    {
        await EachAsync(TemplateCatalogue.BuiltIn.Count, i => Commands.Seed(TemplateCatalogue.BuiltIn[i])).ConfigureAwait(false);
        await EachAsync(BuiltInPolicies.All.Count, i => Commands.Seed(BuiltInPolicies.All[i])).ConfigureAwait(false);
        await EachAsync(Place.Accounts, i => Commands.OpenAccount(Place.Account(i))).ConfigureAwait(false);
        await EachAsync(Place.Accounts, i => Commands.Grant(Place.Account(i), Credits.FromUnits(Place.Funds * Decimal8.One), "benchmark")).ConfigureAwait(false);
        await EachAsync(markets, i => Commands.CreateMarket(Place.Market(i), $"Is benchmark market {i} fast?", Place.Opener(i), Credits.FromUnits(Place.Liquidity * Decimal8.One))).ConfigureAwait(false);
    }

    /// <summary>One command, carried out and durable.</summary>
    public async Task<CommandOutcome> SendAsync(Operation operation, string actor = "op-1")
    {
        var outcome = await _writer.SubmitAsync(operation, new CommandContext(actor, Guid.CreateVersion7().ToString("N")), CancellationToken.None).ConfigureAwait(false);
        return outcome.Rejection is { } rejection ? throw new InvalidOperationException($"A command of the benchmark was refused: {rejection.Code}: {rejection.Message}") : outcome;
    }

    /// <summary>Another ledger of the same server.</summary>
    public async Task<RoleConnections> AnotherAsync(string name)
    {
        var connections = await _postgres.CreateDatabaseAsync(name, CancellationToken.None).ConfigureAwait(false);
        await Migrations.Ledger.RunAsync(connections.Owner, CancellationToken.None).ConfigureAwait(false);
        return connections;
    }

    public async ValueTask DisposeAsync()
    {
        await _writer.DisposeAsync().ConfigureAwait(false);
        await _store.DisposeAsync().ConfigureAwait(false);
        await _postgres.DisposeAsync().ConfigureAwait(false);
    }

    private static Operation Trade(int number, MarketRange range)
    {
        var (market, account) = (new MarketId(Place.Market(range.First + number % range.Count)), new AccountId(Place.Account(number * 31 % Place.Accounts)));
        var (outcome, amount) = (OutcomeOf(number), Credits.FromUnits((1 + number % 9) * Decimal8.One));
        if (number % SellEvery == 0 && number >= Again && range == Warm)
        {
            // The same account bought the same outcome here one full turn before.
            var sold = OutcomeOf(number - Again);
            return TradeOperation.Of(market, account, at => new SellShares(market, account, Guid.CreateVersion7().ToString("N"), sold, Shares.FromUnits(Decimal8.One / 2), null, at));
        }

        return TradeOperation.Of(market, account, at => new BuyShares(market, account, Guid.CreateVersion7().ToString("N"), outcome, amount, null, at));
    }

    private static string OutcomeOf(int number) => (number % 3 == 0) == (number % 1_000 < 500) ? "NO" : "YES";

    /// <summary>Carries out so many commands, many at a time.</summary>
    public Task EachAsync(int count, Func<int, Operation> operation) => System.Threading.Tasks.Parallel.ForEachAsync(
        Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = Parallel },
        async (number, cancellationToken) =>
        {
            var id = Guid.CreateVersion7().ToString("N");
            var context = new CommandContext("op-1", id, new CommandKey("op-1", id), SHA256.HashData(Encoding.ASCII.GetBytes(id)));
            if ((await _writer.SubmitAsync(operation(number), context, cancellationToken).ConfigureAwait(false)).Rejection is { } rejection)
            {
                throw new InvalidOperationException($"A command of the benchmark was refused: {rejection.Code}: {rejection.Message}");
            }
        });
}

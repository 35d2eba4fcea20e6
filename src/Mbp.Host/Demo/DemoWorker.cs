using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Host.Markets;
using Mbp.Host.Platform;
using Mbp.Ledger;
using Mbp.Ledger.Json;
using Mbp.Ledger.Writing;
using NodaTime;

namespace Mbp.Host.Demo;

/// <summary>Replays the bundled history (Demo/README.md), so that a first look finds something. Every step has a key: a second start adds nothing.</summary>
internal sealed class DemoWorker(LedgerWriter writer, LiveLedger live, LedgerSeeder templates, ILogger<DemoWorker> log) : BackgroundService
{
    private const string House = "demo-house";
    private const string Template = "TPL-YESNO-01";

    /// <summary>Every fourth market is resolved and settled; the others stay open to try things on.</summary>
    private const int ResolveEvery = 4;

    private static readonly Credits Liquidity = Credits.FromUnits(1_000 * Decimal8.One);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await templates.Done.WaitAsync(stoppingToken).ConfigureAwait(false);
        if (!writer.IsWriter)
        {
            return;
        }

        try
        {
            var history = Read();
            await OpenAccountsAsync(history, stoppingToken).ConfigureAwait(false);
            var trades = 0;
            for (var i = 0; i < history.Markets.Count; i++)
            {
                trades += await ReplayAsync(history.Markets[i], resolve: i % ResolveEvery == 0, stoppingToken).ConfigureAwait(false);
            }

            Log.DemoDone(log, history.Markets.Count, trades);
        }
        catch (Exception) when (stoppingToken.IsCancellationRequested)
        {
            return;
        }
        catch (Exception e)
        {
            // The demo is an extra; the host goes on without it, and the next start takes it up where it stopped.
            Log.WorkerTrouble(log, e, "the demo");
        }
    }

    private async Task OpenAccountsAsync(DemoHistory history, CancellationToken cancellationToken)
    {
        var grants = history.Markets.SelectMany(m => m.Trades).GroupBy(t => t.Trader)
            .ToDictionary(g => g.Key, g => g.Where(t => t.Side == TradeSide.Buy).Aggregate(Credits.Zero, (sum, t) => sum + t.Amount), StringComparer.Ordinal);
        grants[House] = Credits.FromUnits(Liquidity.Units * history.Markets.Count);
        foreach (var (name, amount) in grants)
        {
            var account = Account.Fold.Of(new AccountId(name).Stream);
            await SendAsync($"open:{name}", Operation.On(AccountDecider.Decider, account, at => new OpenAccount(new AccountId(name), at)), cancellationToken).ConfigureAwait(false);
            if (amount > Credits.Zero)
            {
                await SendAsync($"grant:{name}", Operation.On(AccountDecider.Decider, account, at => new GrantCredits(amount, "demo", at)), cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <returns>How many trades were accepted.</returns>
    private async Task<int> ReplayAsync(DemoMarket market, bool resolve, CancellationToken cancellationToken)
    {
        var id = new MarketId($"demo-{market.Id}");
        await SendAsync($"create:{id}", CreateMarketOperation.Of(Template, at => Create(id, market.Question, at)), cancellationToken).ConfigureAwait(false);
        var accepted = 0;
        for (var i = 0; i < market.Trades.Count; i++)
        {
            var (trade, account, tradeId) = (market.Trades[i], new AccountId(market.Trades[i].Trader), Guid.CreateVersion7().ToString("N"));
            // What the source's pool sold this trader is not what this one did: a sale is capped, or left out, by what is held here.
            var held = live.Current.Find(id)?.Pool is { IsOpen: true } pool ? pool.HolderOf(account).Shares[pool.IndexOf(trade.Outcome)] : Shares.Zero;
            var shares = trade.Shares < held ? trade.Shares : held;
            var outcome = await SendAsync(
                $"trade:{id}:{i}",
                TradeOperation.Of(id, account, at => trade.Side == TradeSide.Buy
                    ? new BuyShares(id, account, tradeId, trade.Outcome, trade.Amount, MinShares: null, at)
                    : new SellShares(id, account, tradeId, trade.Outcome, shares, MinReturn: null, at)),
                cancellationToken).ConfigureAwait(false);
            accepted += outcome.Rejection is null ? 1 : 0;
            await live.AtLeastAsync(outcome.Position, TimeSpan.FromSeconds(5), cancellationToken).ConfigureAwait(false);
        }

        if (resolve)
        {
            await SendAsync($"close:{id}", MarketEndpoints.Close(id, "end of the demo history"), cancellationToken).ConfigureAwait(false);
            await SendAsync($"start:{id}", Step(at => new StartResolution(id, "demo-1", at)), "demo-1", cancellationToken).ConfigureAwait(false);
            await SendAsync($"manual:{id}", Step(at => new ProposeManually(id, market.Result, "urn:demo:replication-project", "demo-1", at)), "demo-1", cancellationToken).ConfigureAwait(false);
            await SendAsync($"approve:{id}", Step(at => new ApproveManually(id, "demo-2", at)), "demo-2", cancellationToken).ConfigureAwait(false);
        }

        return accepted;

        Operation Step(Func<Instant, ResolutionCommand> command) => ResolutionOperation.Of(id, live.Current.Find(id)?.Market ?? Market.Initial, disputer: null, command);
    }

    private static CreateMarket Create(MarketId id, string question, Instant at) => new(
        id, question, new AccountId(House), Liquidity, [], ClosesAt: null, new Dictionary<string, string>(), RulesetLibrary.ReplayName, at);

    private Task<CommandOutcome> SendAsync(string step, Operation operation, CancellationToken cancellationToken) => SendAsync(step, operation, "worker:demo", cancellationToken);

    // Who decides a value is in the event and in its header: the replay takes the one from the other.
    private Task<CommandOutcome> SendAsync(string step, Operation operation, string actor, CancellationToken cancellationToken) => writer.SubmitAsync(
        operation,
        CommandContext.ForWorker("demo") with { Actor = actor, Key = new CommandKey("worker:demo", step), Hash = SHA256.HashData(Encoding.UTF8.GetBytes(step)) },
        cancellationToken);

    private static DemoHistory Read()
    {
        using var file = typeof(DemoWorker).Assembly.GetManifestResourceStream("Mbp.Host.Demo.lmsr-replication.json")
                         ?? throw new InvalidOperationException("The demo's history is not in this build.");
        return JsonSerializer.Deserialize<DemoHistory>(file, LedgerJson.Options) ?? throw new InvalidDataException("The demo's history is empty.");
    }

    private sealed record DemoHistory(IReadOnlyList<DemoMarket> Markets);

    private sealed record DemoMarket(string Id, string Question, string Result, IReadOnlyList<DemoTrade> Trades);

    private sealed record DemoTrade(string Trader, TradeSide Side, string Outcome, Credits Amount, Shares Shares);
}

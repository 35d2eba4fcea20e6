using Mbp.Domain.Markets;
using Mbp.Domain.Resolution;
using Mbp.Domain.Settlement;
using Mbp.Host.Platform;
using Mbp.Host.Settlement;
using Mbp.Ledger.Writing;
using NodaTime;

namespace Mbp.Host.Markets;

/// <summary>
/// Moves markets on when their time has come: closes them, makes undisputed values final, plans and pays settlements. What is due follows from
/// the ledger alone, so nothing is lost in a crash; every step is "already so" when it was done before, so nothing happens twice.
/// </summary>
internal sealed class MarketClock(LedgerWriter writer, LiveLedger live, IClock clock, ILogger<MarketClock> log) : BackgroundService
{
    private const int MarketsPerRound = 200;

    private const string Name = "market-clock";

    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly Dictionary<string, SettlementPlan> _plans = new(StringComparer.Ordinal);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Tick);
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
        {
            if (!writer.IsWriter)
            {
                continue;
            }

            var now = clock.GetCurrentInstant();
            foreach (var (_, market) in live.Current.Due.TakeWhile(d => d.At <= now).Take(MarketsPerRound))
            {
                try
                {
                    await StepAsync(market, stoppingToken).ConfigureAwait(false);
                }
                catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
                {
                    return;
                }
                catch (Exception e)
                {
                    // One market's trouble must not stop the others' clock; this one is due again at the next tick.
                    Log.WorkerTrouble(log, e, market);
                }
            }
        }
    }

    private async Task StepAsync(string id, CancellationToken cancellationToken)
    {
        var view = live.Current.Markets[id];
        var market = view.Terms!.MarketId;
        var context = CommandContext.ForWorker(Name);
        var outcome = (view.Market, view.Resolution, view.Settlement) switch
        {
            (_, { IsFinal: true }, MarketSettlement.NotPlanned) =>
                await SettlementSteps.PlanAsync(writer, market, context, cancellationToken).ConfigureAwait(false),
            (_, _, MarketSettlement.Paying paying) =>
                await SettlementSteps.PayAsync(writer, view, PlanOf(view, paying), paying.Done, context, cancellationToken).ConfigureAwait(false),
            (Market.Closed, _, _) when MarketDecider.OverdueAt(view.Market, view.Resolution) <= clock.GetCurrentInstant() =>
                await writer.SubmitAsync(FreezeOverdue(market), context, cancellationToken).ConfigureAwait(false),
            (Market.Closed, _, _) =>
                await writer.SubmitAsync(
                    ResolutionOperation.Of(market, view.Market, view.Resolution.OpenDispute?.By, at => new AdvanceResolution(market, at)), context, cancellationToken).ConfigureAwait(false),
            (Market.Open or Market.Halted, _, _) =>
                await writer.SubmitAsync(MarketEndpoints.Close(market, "deadline"), context, cancellationToken).ConfigureAwait(false),
            _ => null,
        };

        if (outcome?.Rejection is { } rejection)
        {
            Log.WorkerRefused(log, id, rejection.Code);
        }

        if (outcome is not null)
        {
            // The next step builds on what this one did.
            var after = await live.AtLeastAsync(outcome.Position, Patience, cancellationToken).ConfigureAwait(false);
            if (after.Markets[id].Settlement is MarketSettlement.Settled)
            {
                _plans.Remove(id);
            }
        }
    }

    private static Operation FreezeOverdue(MarketId market) => Operation.On(
        Market.Fold.Of(market.Stream), MarketResolution.Fold.Of(market.Resolution),
        (at, lifecycle, resolution) => MarketDecider.Freeze(new FreezeOverdue(at), lifecycle, resolution));

    // A plan over many accounts is worth computing once: the pool is final, so it is the same for every payout.
    private SettlementPlan PlanOf(MarketView view, MarketSettlement.Paying paying)
    {
        var id = view.Terms!.MarketId.Value;
        if (!_plans.TryGetValue(id, out var plan))
        {
            _plans[id] = plan = SettlementPlan.From(view.Pool, new PayoutVector(paying.Plan.Vector));
        }

        return plan;
    }
}

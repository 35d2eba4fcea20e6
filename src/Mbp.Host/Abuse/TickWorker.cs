using Mbp.Domain.Abuse;
using Mbp.Domain.Markets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Pricing;
using Mbp.Domain.Trading;
using Mbp.Host.Platform;
using Mbp.Ledger.Reading;
using Mbp.Ledger.Writing;
using NodaTime;

namespace Mbp.Host.Abuse;

/// <summary>
/// Has every restless market judged at every tick: by the halt rules, and by the anti-abuse rules; and has the refusals of ended minutes recorded.
/// Which ticks are due follows from the clock, and what a tick gives follows from the ledger, so ticks that were missed are judged in order when the
/// host is back, and a tick that was judged before changes nothing.
/// </summary>
internal sealed class TickWorker(LedgerWriter writer, EventFeed feed, LiveLedger live, RefusalMeter refusals, IClock clock, ILogger<TickWorker> log) : BackgroundService
{
    private const int InFlight = 256;

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);
    private static readonly Duration Tick = PriceTrack.TickLength;

    /// <summary>The averages have met the price by then, and no rule has anything to say until the next quote.</summary>
    private static readonly Duration Restless = Duration.FromMinutes(15);

    /// <summary>So far back a tick can be told from the prices that are kept (<see cref="PriceTrack"/>); those before saw a price that stood still.</summary>
    private static readonly Duration LongestCatchUp = Duration.FromMinutes(5);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private Instant? _judged;

    /// <summary>The last tick that every market was judged at by this process.</summary>
    public Instant? Judged => _judged;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await Task.Delay(Look, stoppingToken).ConfigureAwait(false);
            if (!writer.IsWriter || !live.CaughtUp.IsCompleted)
            {
                _judged = null;
                continue;
            }

            var due = PriceTrack.TickAtOrBefore(clock.GetCurrentInstant());
            _judged = Instant.Max(_judged ?? Instant.MinValue, due - LongestCatchUp);
            while (_judged < due && !stoppingToken.IsCancellationRequested)
            {
                var next = _judged.Value + Tick;
                await JudgeAsync(next, stoppingToken).ConfigureAwait(false);
                _judged = next;
            }
        }
    }

    private async Task JudgeAsync(Instant tick, CancellationToken cancellationToken)
    {
        using var span = Telemetry.Source.StartActivity("abuse.detect");
        try
        {
            // Which markets are restless is asked of the view: it must have seen every quote up to the tick.
            var view = await SeenAsync(cancellationToken).ConfigureAwait(false);
            foreach (var some in Steps(view, tick).Chunk(InFlight))
            {
                await Task.WhenAll(some.Select(step => StepAsync(step, cancellationToken))).ConfigureAwait(false);
            }
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            // The host stops; the tick is judged when it is back.
        }
    }

    private async Task<LedgerView> SeenAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await live.AtLeastAsync(feed.Head, Patience, cancellationToken).ConfigureAwait(false);
        }
        catch (ReadBehindException)
        {
            // Whoever is overlooked is looked at in 30 seconds.
            return live.Current;
        }
    }

    private IEnumerable<(string Market, Operation Operation)> Steps(LedgerView ledger, Instant tick)
    {
        foreach (var view in ledger.Markets.Values)
        {
            if (IsRestless(view, tick))
            {
                var market = view.Terms!.MarketId;
                if (IsWorthAsking(view, tick))
                {
                    yield return (market.Value, Halts(market, tick));
                }

                if (view.Market.Policy()!.Rules.Abuse is not null && HasTradedSince(view, tick - HaltJudge.Window))
                {
                    yield return (market.Value, Trades(market, tick));
                }
            }
        }

        foreach (var ended in refusals.TakeEnded())
        {
            var market = ended(Instant.MinValue).MarketId;
            yield return (market.Value, Operation.On(
                Market.Fold.Of(market.Stream), FlagLog.Fold.Of(market.Abuse), (at, lifecycle, flags) => AbuseDecider.Record(ended(at), lifecycle, flags).On(market.Abuse)));
        }
    }

    private async Task StepAsync((string Market, Operation Operation) step, CancellationToken cancellationToken)
    {
        try
        {
            var outcome = await writer.SubmitAsync(step.Operation, CommandContext.ForWorker("ticks"), cancellationToken).ConfigureAwait(false);
            foreach (var recorded in outcome.Events)
            {
                ProtectionMetrics.Saw(recorded.Data);
            }
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception e)
        {
            // One market's trouble must not keep the others from being judged; its next tick looks at the same prices again.
            Log.WorkerTrouble(log, e, step.Market);
        }
    }

    private static Operation Halts(MarketId market, Instant tick) => Operation.On(
        Market.Fold.Of(market.Stream), PriceFolds.Track.Of(market.Stream), Pool.Fold.Of(market.Stream),
        (at, lifecycle, track, pool) => MarketDecider.Judge(new JudgeMarket(tick, at), lifecycle, track, pool).On(market.Stream));

    private static Operation Trades(MarketId market, Instant tick) => Operation.On(
        Market.Fold.Of(market.Stream), TradeFlow.Fold.Of(market.Stream), FlagLog.Fold.Of(market.Abuse),
        (at, lifecycle, flow, flags) => AbuseDecider.Judge(new JudgeTrades(market, tick, at), lifecycle, flow, flags));

    private static bool IsRestless(MarketView view, Instant tick) => IsNearTheLast(view, tick) || IsShallow(view, tick);

    /// <summary>A pool is as shallow in a quiet market as in a busy one: after other rules came into force, or a person resumed it, no quote tells of it.</summary>
    private static bool IsShallow(MarketView view, Instant tick) =>
        view.Market is Market.Open or Market.Halted && view.Market.HaltLevel() < HaltLevel.Soft
        && view.Market.Policy()?.Rules.Halts is { DepthFloor: not null } halts && view.Pool.IsOpen && HaltJudge.Shallow(halts, view.Pool, tick) is not null;

    private static bool IsNearTheLast(MarketView view, Instant tick) => view.Market switch
    {
        Market.Open open => open.Rules.Policy?.Rules.Halts is not null && view.Prices.Last > tick - Restless,
        Market.Halted halted => halted.Rules.Policy?.Rules.Halts is not null && (halted.Level > halted.HeldAt || view.Prices.Last > tick - Restless),
        _ => false,
    };

    /// <summary>The same question as the decider's, asked of the view, which has seen every quote up to the tick: most ticks of most markets have no answer that is worth a command.</summary>
    private bool IsWorthAsking(MarketView view, Instant tick)
    {
        try
        {
            return !MarketDecider.Judge(new JudgeMarket(tick, Instant.Max(tick, view.Prices.Last)), view.Market, view.Prices, view.Pool).Events.IsEmpty;
        }
        catch (InvalidOperationException e)
        {
            Log.WorkerTrouble(log, e, view.Terms!.MarketId.Value);
            return false;
        }
    }

    private static bool HasTradedSince(MarketView view, Instant since) => view.Tape.Trades is [.., var last] && last.Trade.At > since;
}

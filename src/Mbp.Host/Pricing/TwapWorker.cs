using Mbp.Domain.Markets;
using Mbp.Domain.Pricing;
using Mbp.Host.Platform;
using Mbp.Ledger.Writing;
using NodaTime;

namespace Mbp.Host.Pricing;

/// <summary>Asks at every full minute for each open market's <c>twap_recomputed</c>; the decider says which have something new to say.</summary>
internal sealed class TwapWorker(LedgerWriter writer, LiveLedger live, IClock clock, ILogger<TwapWorker> log) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var now = clock.GetCurrentInstant();
            var next = TwapDecider.LastTick(now) + TwapDecider.Every;
            await Task.Delay((next - now).ToTimeSpan() + TimeSpan.FromMilliseconds(5), stoppingToken).ConfigureAwait(false);
            if (!writer.IsWriter)
            {
                continue;
            }

            foreach (var view in live.Current.Markets.Values.Where(IsWorthAsking))
            {
                var market = view.Terms!.MarketId;
                try
                {
                    using var span = Telemetry.Source.StartActivity("twap.compute");
                    await writer.SubmitAsync(Recompute(market), CommandContext.ForWorker("twap"), stoppingToken).ConfigureAwait(false);
                }
                catch (Exception) when (stoppingToken.IsCancellationRequested)
                {
                    return;
                }
                catch (Exception e)
                {
                    // A minute without a benchmark is no loss that a retry would mend; the quotes themselves are all there.
                    Log.WorkerTrouble(log, e, market.Value);
                }
            }
        }
    }

    public static Operation Recompute(MarketId market)
    {
        var states = (
            Market: Market.Fold.Of(market.Stream), Track: PriceFolds.Track.Of(market.Stream), Log: TwapLog.Fold.Of(market.Quotes));
        return Operation.On(
            states.Market, states.Track, states.Log,
            (at, lifecycle, track, twaps) => TwapDecider.Decide(new RecomputeTwap(market, at), lifecycle, track, twaps).On(market.Quotes));
    }

    // The same question as the decider's, asked of the view: quiet markets are not even loaded.
    private static bool IsWorthAsking(MarketView view) =>
        view.Market is Market.Open or Market.Halted && !TwapDecider.IsQuiet(view.Twap, view.Prices);
}

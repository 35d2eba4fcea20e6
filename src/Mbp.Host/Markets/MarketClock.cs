using System.Collections.Concurrent;
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
/// the ledger alone, so nothing is lost in a crash; every step is "already so" when it was done before, so nothing happens twice. Markets are moved
/// beside one another, and those that pay have places of their own: however much there is to pay, a deadline does not wait for it.
/// </summary>
internal sealed class MarketClock(LedgerWriter writer, LiveLedger live, SettlementSteps settlement, IClock clock, ILogger<MarketClock> log) : BackgroundService
{
    /// <summary>Steps of one command each: as many as one commit takes along easily.</summary>
    private const int DeadlinesAtOnce = 64;

    /// <summary>Markets whose payouts are under way: each holds its plan in memory, and they share the batches between them.</summary>
    private const int PostingAtOnce = 64;

    private const string Name = "market-clock";

    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>A market whose step failed or was refused is not asked again before, so that it does not fill the log.</summary>
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(500);

    private readonly ConcurrentDictionary<string, Task> _underWay = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _deadlines = new(DeadlinesAtOnce);
    private readonly SemaphoreSlim _posting = new(PostingAtOnce);
    private readonly SemaphoreSlim _again = new(0);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                // A market that is done has made room for the next; several at once count as one.
                await _again.WaitAsync(Tick, stoppingToken).ConfigureAwait(false);
                await Task.Delay(Pace, stoppingToken).ConfigureAwait(false);
                while (_again.Wait(0, CancellationToken.None))
                {
                }

                if (writer.IsWriter)
                {
                    BeginDue(stoppingToken);
                }
                else
                {
                    settlement.Forget();
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            await Task.WhenAll(_underWay.Values).ConfigureAwait(false);
        }
    }

    private void BeginDue(CancellationToken stoppingToken)
    {
        var (view, now) = (live.Current, clock.GetCurrentInstant());
        foreach (var (_, market) in view.Due.TakeWhile(d => d.At <= now))
        {
            var places = IsPosting(view.Markets[market]) ? _posting : _deadlines;
            if (_underWay.ContainsKey(market) || !places.Wait(0, CancellationToken.None))
            {
                continue;
            }

            // Nobody else adds to it, and whoever is done takes itself out: it must be in first.
            var begin = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _underWay[market] = GoOnAsync(market, places, begin.Task, stoppingToken);
            begin.SetResult();
        }
    }

    /// <summary>Moves one market on for as long as something is due that is done in such a place.</summary>
    private async Task GoOnAsync(string market, SemaphoreSlim places, Task begin, CancellationToken stoppingToken)
    {
        await begin.ConfigureAwait(false);
        var rest = false;
        try
        {
            while (IsPosting(live.Current.Markets[market]) == (places == _posting))
            {
                var moved = await StepAsync(market, stoppingToken).ConfigureAwait(false);
                rest = moved is false;
                if (moved is not true)
                {
                    break;
                }
            }
        }
        catch (Exception) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops; what is due then is due when it is back.
        }
        catch (Exception e)
        {
            // One market's trouble must not stop the others' clock.
            Log.WorkerTrouble(log, e, market);
            rest = true;
        }

        places.Release();
        if (rest && !stoppingToken.IsCancellationRequested)
        {
            await Task.Delay(Rest, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        _underWay.TryRemove(market, out _);
        _again.Release();
    }

    private static bool IsPosting(MarketView view) => view.Settlement is MarketSettlement.Paying or MarketSettlement.Settled { Posting: not null };

    /// <returns>Whether the market moved; false = it was refused, null = nothing is due or nothing came of it.</returns>
    private async Task<bool?> StepAsync(string id, CancellationToken cancellationToken)
    {
        var (view, now) = (live.Current.Markets[id], clock.GetCurrentInstant());
        if (!(view.DueAt <= now))
        {
            return null;
        }

        var market = view.Terms!.MarketId;
        var context = CommandContext.ForWorker(Name);
        var outcome = (view.Market, view.Resolution, view.Settlement) switch
        {
            (_, { IsFinal: true }, MarketSettlement.NotPlanned) =>
                await settlement.PlanAsync(view, context, cancellationToken).ConfigureAwait(false),
            (_, _, MarketSettlement.Paying paying) =>
                await settlement.PayOutAsync(view, paying, context, cancellationToken).ConfigureAwait(false),
            (_, _, MarketSettlement.Settled { Posting: { } posting }) =>
                await settlement.CorrectAsync(view, posting, context, cancellationToken).ConfigureAwait(false),
            (Market.Closed, _, _) when ResolutionDeadlines.OverdueAt(view.Market, view.Resolution) <= now =>
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
            return false;
        }

        if (outcome is null)
        {
            return null;
        }

        // The next step builds on what this one did.
        await live.AtLeastAsync(outcome.Position, Patience, cancellationToken).ConfigureAwait(false);
        return outcome.Events.Count > 0 ? true : null;
    }

    private static Operation FreezeOverdue(MarketId market) => Operation.On(
        Market.Fold.Of(market.Stream), MarketResolution.Fold.Of(market.Resolution),
        (at, lifecycle, resolution) => MarketDecider.Freeze(new FreezeOverdue(at), lifecycle, resolution));
}

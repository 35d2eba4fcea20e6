using Mbp.Domain.Payments;
using Mbp.Host.Platform;
using Mbp.Ledger.Postgres.Reacting;
using Mbp.Ledger.Writing;
using NodaTime;

namespace Mbp.Host.Payments;

/// <summary>
/// Begins the attempts that are due, and hears what the rail says by itself. What is due follows from the ledger and the clock, so a restart changes
/// nothing; the cursor of the notices is durable, and a notice that comes again is "already so".
/// </summary>
internal sealed class PayoutClock : BackgroundService, IAsyncDisposable
{
    private const int InFlight = 64;
    private const int Page = 100;

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly Payouts _payouts;
    private readonly LedgerWriter _writer;
    private readonly LiveLedger _live;
    private readonly IClock _clock;
    private readonly ILogger<PayoutClock> _log;
    private readonly TroubleLog _troubles;
    private readonly PostgresSubscriptions _cursors;
    private readonly string _cursor;
    private long? _heard;

    public PayoutClock(Payouts payouts, LedgerWriter writer, LiveLedger live, Database database, IClock clock, ILogger<PayoutClock> log)
    {
        (_payouts, _writer, _live, _clock, _log) = (payouts, writer, live, clock, log);
        (_troubles, _cursors, _cursor) = (new TroubleLog(log), new PostgresSubscriptions(database.Connections), $"mbp:rail:{payouts.Rail.Name}");
    }

    public async ValueTask DisposeAsync()
    {
        Dispose();
        await _cursors.DisposeAsync().ConfigureAwait(false);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await Task.Delay(Look, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!_writer.IsWriter || !_live.CaughtUp.IsCompleted)
            {
                // Another process may hear them meanwhile.
                _heard = null;
                continue;
            }

            await TryAsync(SubmitAsync, "The attempts that are due are begun later.", stoppingToken).ConfigureAwait(false);
            await TryAsync(HearAsync, "The rail's notices are heard later; nothing is skipped.", stoppingToken).ConfigureAwait(false);
        }
    }

    private async Task TryAsync(Func<CancellationToken, Task> step, string consequence, CancellationToken cancellationToken)
    {
        try
        {
            await step(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            // The host stops.
        }
        catch (Exception e)
        {
            _heard = null;
            _troubles.Report(e, consequence);
        }
    }

    private async Task SubmitAsync(CancellationToken cancellationToken)
    {
        var (payouts, now) = (_live.Current.Payouts, _clock.GetCurrentInstant());
        var due = payouts.Due.TakeWhile(one => one.At <= now).Select(one => payouts.Open[one.Withdrawal].State).OfType<Withdrawal.Waiting>().ToList();
        foreach (var some in due.Chunk(InFlight))
        {
            var outcomes = await Task.WhenAll(some.Select(waiting => _writer.SubmitAsync(
                Payouts.Submit(waiting.Order.Withdrawal, waiting.Order.Account, waiting.Attempt + 1), CommandContext.ForWorker("payouts"), cancellationToken))).ConfigureAwait(false);
            // Else they would be due once more.
            await _live.AtLeastAsync(outcomes.Max(outcome => outcome.Position), Patience, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task HearAsync(CancellationToken cancellationToken)
    {
        var heard = _heard ??= await CursorAsync(cancellationToken).ConfigureAwait(false);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(_payouts.Terms.Patience);
        var notices = await _payouts.Rail.NoticesAsync(heard, Page, patience.Token).WaitAsync(patience.Token).ConfigureAwait(false);
        foreach (var notice in notices)
        {
            await TakeAsync(notice, cancellationToken).ConfigureAwait(false);
        }

        if (notices.Count > 0)
        {
            _heard = await _cursors.AdvanceAsync(_cursor, heard, notices[^1].Number, [], cancellationToken).ConfigureAwait(false) ? notices[^1].Number : null;
        }
    }

    private async Task TakeAsync(RailNotice notice, CancellationToken cancellationToken)
    {
        // One that cannot be taken is not heard again: the day's reconciliation has it, and whatever is repaired is repaired there.
        if (!WithdrawalId.IsValid(notice.Key) || await _payouts.FindAsync(new WithdrawalId(notice.Key), cancellationToken).ConfigureAwait(false) is not { Asked: { } order })
        {
            Log.WorkerRefused(_log, $"rail notice {notice.Number}", PaymentErrors.NotFound.Code);
            return;
        }

        var outcome = await _payouts.RecordAsync(order.Withdrawal, order.Account, attempt: null, notice.Answer, CommandContext.ForWorker("rail"), cancellationToken).ConfigureAwait(false);
        if (outcome.Rejection is { } rejection)
        {
            Log.WorkerRefused(_log, $"rail notice {notice.Number} of {order.Withdrawal}", rejection.Code);
        }
    }

    private async Task<long> CursorAsync(CancellationToken cancellationToken)
    {
        await _cursors.CreateAsync(_cursor, 0, cancellationToken).ConfigureAwait(false);
        return await _cursors.FindAsync(_cursor, cancellationToken).ConfigureAwait(false) ?? 0;
    }
}

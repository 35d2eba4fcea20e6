using System.Text.Json;
using Mbp.Domain.Payments;
using Mbp.Host.Platform;
using Mbp.Ledger;
using Mbp.Ledger.Json;
using Mbp.Ledger.Reacting;
using NodaTime;

namespace Mbp.Host.Payments;

/// <summary>
/// Carries out one attempt: asks the rail whether it has the order, gives it the order only if it does not, and records what it said. A message
/// that comes again (a crash between the rail's answer and the record, or between the record and the message's end) finds what was done.
/// The rail's troubles are answers like others and never hold a lane up; only the ledger's do.
/// </summary>
internal sealed class PayoutSender(string name, Payouts payouts, IClock clock, ILogger<PayoutSender> log) : IOutboxDestination
{
    private readonly TroubleLog _troubles = new(log);

    public string Name => name;

    public async Task SendAsync(OutboxMessage message, CancellationToken cancellationToken)
    {
        var attempt = JsonSerializer.Deserialize<AttemptMessage>(message.Body.Span, LedgerJson.Options) ?? throw new InvalidDataException("An attempt's message is null.");
        var id = new WithdrawalId(attempt.Withdrawal);
        // Committed, and no cache: an order whose credits are back in the account must not be sent any more, whenever this message comes.
        if (await payouts.FindAsync(id, cancellationToken).ConfigureAwait(false) is not Withdrawal.Submitted submitted || submitted.Attempt != attempt.Attempt)
        {
            return;
        }

        var answer = await AskAsync(submitted, cancellationToken).ConfigureAwait(false);
        var outcome = await payouts.RecordAsync(id, submitted.Order.Account, submitted.Attempt, answer, Deduplication.ForMessage(Name, message), cancellationToken).ConfigureAwait(false);
        if (outcome.Rejection is { } rejection)
        {
            Log.WorkerRefused(log, $"payout {id}", rejection.Code);
        }
    }

    private async Task<RailAnswer> AskAsync(Withdrawal.Submitted submitted, CancellationToken cancellationToken)
    {
        var order = submitted.Order;
        var known = await CallAsync(call => payouts.Rail.FindAsync(order.Withdrawal.Value, call), cancellationToken).ConfigureAwait(false);
        if (known is not RailAnswer.NotFound || submitted.NotAfter is not { } notAfter || clock.GetCurrentInstant() > notAfter)
        {
            return known;
        }

        return await CallAsync(
            call => payouts.Rail.SendAsync(new PayoutOrder(order.Withdrawal.Value, order.Amount, order.Payee, notAfter), call), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>What is thrown, and what takes too long, is silence: it says nothing about what was done.</summary>
    private async Task<RailAnswer> CallAsync(Func<CancellationToken, Task<RailAnswer>> call, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(payouts.Terms.Patience);
        try
        {
            return await call(patience.Token).WaitAsync(patience.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            _troubles.Report(e, $"The rail {payouts.Rail.Name} gave no answer; it is asked again by the order's key.");
            return new RailAnswer.Silence();
        }
    }
}

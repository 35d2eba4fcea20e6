using Mbp.Ledger;

namespace Mbp.Domain.Payments;

public static class PaymentSlice
{
    public static readonly Slice Slice = new("payments", Wire);

    private static void Wire(EventCatalog catalog) => catalog
        .Add<WithdrawalRequested>("withdrawal_requested")
        .Add<PayoutSubmitted>("payout_submitted")
        .Add<PayoutDeferred>("payout_deferred")
        .Add<PayoutSettled>("payout_settled")
        .Add<PayoutFailed>("payout_failed")
        .Add<PayoutReversed>("payout_reversed")
        .Add<ReconciliationRecorded>("reconciliation_recorded");
}

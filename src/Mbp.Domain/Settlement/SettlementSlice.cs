using Mbp.Ledger;

namespace Mbp.Domain.Settlement;

public static class SettlementSlice
{
    public static readonly Slice Slice = new("settlement", Wire);

    private static void Wire(EventCatalog catalog) => catalog
        .Add<SettlementPlanned>("settlement_planned")
        .Add<PayoutRecorded>("payout_recorded")
        .Add<MarketSettled>("market_settled")
        .Add<SettlementCorrectionProposed>("settlement_correction_proposed")
        .Add<SettlementCorrected>("settlement_corrected")
        .Add<PayoutCorrected>("payout_corrected")
        .Add<SettlementCorrectionDone>("settlement_correction_done");
}

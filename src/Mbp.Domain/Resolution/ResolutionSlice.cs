using Mbp.Ledger;

namespace Mbp.Domain.Resolution;

public static class ResolutionSlice
{
    public static readonly Slice Slice = new("resolution", Wire);

    private static void Wire(EventCatalog catalog) => catalog
        .Add<ResolutionStarted>("resolution_started")
        .Add<RuleEvaluated>("rule_evaluated")
        .Add<ManualProposed>("manual_proposed")
        .Add<ResolutionDetermined>("resolution_determined")
        .Add<ResolutionFinished>("resolution_finished")
        .Add<MarketVoided>("market_voided")
        .Add<TruthRecorded>("truth_recorded");
}

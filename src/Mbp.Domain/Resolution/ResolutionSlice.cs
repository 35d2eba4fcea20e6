using Mbp.Domain.Resolution.Oracle;
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
        .Add<TruthRecorded>("truth_recorded")
        .Add<ReportAccepted>("report_accepted")
        .Add<ReportRejected>("report_rejected")
        .Add<SourceEquivocated>("source_equivocated")
        .Add<RoundFailed>("round_failed")
        .Add<ResolutionPostponed>("resolution_postponed")
        .Add<DisputeOpened>("dispute_opened")
        .Add<RulingRecorded>("ruling_recorded")
        .Add<DisputeRuled>("dispute_ruled")
        .Add<ArbitrationOpened>("arbitration_opened")
        .Add<ResolutionSlaBreached>("resolution_sla_breached")
        .Add<RollbackProposed>("resolution_rollback_proposed")
        .Add<ResolutionRolledBack>("resolution_rolled_back")
        .Add<OracleRoundJudged>("oracle_round_judged")
        .Add<FailoverEntered>("failover_entered")
        .Add<FailoverLeft>("failover_left")
        .Add<ReputationChanged>("source_reputation_changed");
}

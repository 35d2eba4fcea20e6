using System.Diagnostics.Metrics;
using Mbp.Domain.Payments;
using Mbp.Host.Platform;
using Mbp.Ledger.Writing;
using NodaTime;

namespace Mbp.Host.Payments;

/// <summary>Payouts in numbers, for <c>/metrics</c>.</summary>
internal sealed class PayoutMetrics : IDisposable
{
    private static readonly Counter<long> Outcomes = Telemetry.Meter.CreateCounter<long>(
        "mbp.payouts", description: "What became of payouts, by outcome: settled, failed, reversed; and attempts that brought no end, as deferred with their reason.");

    private static readonly Counter<long> Contradictions = Telemetry.Meter.CreateCounter<long>(
        "mbp.payout_contradictions", description: "What a rail said that the ledger refuses to believe, by code: for people.");

    private readonly Meter _meter = new(Telemetry.Name);

    public PayoutMetrics(LiveLedger live, ReconciliationRun reconciliation, IClock clock)
    {
        _meter.CreateObservableGauge("payouts.open", () => (long)live.Current.Payouts.Open.Count, description: "Withdrawals on their way.");
        _meter.CreateObservableGauge("payouts.stuck", () => (long)live.Current.Payouts.Open.Count(one => one.Value.NeedsPeople), description: "Those of them that need people.");
        _meter.CreateObservableGauge(
            "payouts.oldest_open", () => Oldest(live.Current.Payouts, clock.GetCurrentInstant()), unit: "s", description: "Since when the oldest of them is on its way; 0 = none is.");
        _meter.CreateObservableGauge(
            "payouts.repair_median", () => Times(reconciliation, times => times.MedianMs), unit: "s", description: "From a payout's first failure to its end: the median of the day reconciled last.");
        _meter.CreateObservableGauge(
            "payouts.repair_p95", () => Times(reconciliation, times => times.P95Ms), unit: "s", description: "The same, of 95 in a hundred.");
        _meter.CreateObservableGauge(
            "reconciliation.discrepancies", () => reconciliation.Last is { } last ? [new Measurement<long>(last.Found.Discrepancies.Count)] : Array.Empty<Measurement<long>>(),
            description: "What the last reconciliation of this process left unmatched.");
    }

    /// <summary>Counts what a command caused; an answer that is given again has been counted.</summary>
    public static void Saw(CommandOutcome outcome)
    {
        if (outcome.Rejection is { } rejection)
        {
            Contradictions.Add(1, new KeyValuePair<string, object?>("code", rejection.Code));
            return;
        }

        foreach (var recorded in outcome.Replayed ? [] : outcome.Events)
        {
            switch (recorded.Data)
            {
                case PayoutSettled:
                    Outcomes.Add(1, new KeyValuePair<string, object?>("outcome", "settled"));
                    break;
                case PayoutFailed:
                    Outcomes.Add(1, new KeyValuePair<string, object?>("outcome", "failed"));
                    break;
                case PayoutReversed:
                    Outcomes.Add(1, new KeyValuePair<string, object?>("outcome", "reversed"));
                    break;
                case PayoutDeferred e:
                    Outcomes.Add(1, new("outcome", "deferred"), new("reason", WithdrawalTable.Spelled(e.Reason)));
                    break;
            }
        }
    }

    public void Dispose() => _meter.Dispose();

    private static double Oldest(PayoutView payouts, Instant now) => payouts.Open.Count == 0 ? 0 : Math.Max(0, (now - payouts.Open.Values.Min(one => one.RequestedAt)).TotalSeconds);

    private static IEnumerable<Measurement<double>> Times(ReconciliationRun reconciliation, Func<RepairTimes, long?> which) =>
        reconciliation.Last is { } last && which(last.Times) is { } ms ? [new Measurement<double>(ms / 1000.0)] : [];
}

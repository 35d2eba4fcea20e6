using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Payments;

/// <summary>What happens in the stream <c>reconciliation-{yyyy-mm-dd}</c>.</summary>
public abstract record ReconciliationEvent;

/// <summary>A day's statement of the rail was held against the ledger.</summary>
/// <param name="Day">The day, UTC: <c>yyyy-mm-dd</c>.</param>
/// <param name="Rail">Whose statement.</param>
/// <param name="Matched">Movements that both sides tell alike.</param>
/// <param name="Total">All movements of the day, of either side.</param>
/// <param name="Discrepancies">What is left, by class; empty = 100 %.</param>
/// <param name="Repaired">Movements that the ledger had not heard of, and that this run recorded.</param>
/// <param name="ReportSha256">Of the report file's bytes, hex.</param>
/// <param name="At">Ledger time.</param>
public sealed record ReconciliationRecorded(
    string Day, string Rail, int Matched, int Total, EquatableArray<DiscrepancyCount> Discrepancies, int Repaired, string ReportSha256, Instant At) : ReconciliationEvent;

public sealed record DiscrepancyCount(DiscrepancyClass Class, int Count);

/// <summary>How the rail's statement and the ledger differ.</summary>
public enum DiscrepancyClass
{
    /// <summary>The ledger has a movement that the statement lacks.</summary>
    MissingAtRail,

    /// <summary>The statement has a key that the ledger does not know.</summary>
    MissingInLedger,

    /// <summary>Both have it, with different amounts.</summary>
    AmountMismatch,

    /// <summary>The statement has a second payment under one key: somebody was paid twice.</summary>
    DuplicateAtRail,

    /// <summary>Paid at the rail and returned in the ledger, or another contradiction that no command mends.</summary>
    StatusMismatch,

    /// <summary>Paid at the rail, open in the ledger: its notice was lost. Recorded by command.</summary>
    SettledUnrecorded,

    /// <summary>Back at the rail, settled in the ledger. Recorded by command.</summary>
    ReversedUnrecorded,

    /// <summary>Requested on the day or before it, and still on its way.</summary>
    Late,
}

/// <summary>The last record of a day.</summary>
/// <param name="ReportSha256">Its report; null = the day has no record.</param>
public sealed record ReconciliationLog(string? ReportSha256)
{
    public static readonly Fold<ReconciliationLog> Fold = new(
        "reconciliation", 1, new ReconciliationLog(ReportSha256: null), (log, @event) => @event is ReconciliationRecorded e ? new ReconciliationLog(e.ReportSha256) : log);

    /// <param name="day"><c>yyyy-mm-dd</c>.</param>
    public static StreamId StreamOf(string day) => StreamId.Of("reconciliation", day);
}

public static class ReconciliationDecider
{
    /// <summary>A run that found what the one before it found is no news.</summary>
    public static Decision<StreamEvent> Record(ReconciliationRecorded found, ReconciliationLog log)
    {
        ArgumentNullException.ThrowIfNull(found);
        ArgumentNullException.ThrowIfNull(log);
        return log.ReportSha256 == found.ReportSha256 ? [] : [ReconciliationLog.StreamOf(found.Day).With(found)];
    }
}

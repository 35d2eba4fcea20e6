using Mbp.Domain.Units;
using Mbp.Ledger;
using Mbp.Ledger.Reading;
using NodaTime;

namespace Mbp.Domain.Resolution;

/// <summary>A row of <c>mbp_resolutions</c> (C5): how a market's value came about, and what backs it.</summary>
public sealed record ResolutionRow(
    string MarketId,
    Instant StartedAt,
    string RuleVersion,
    string SourceKind,
    string? SourceRef,
    string? DecidedValue,
    Instant? DecidedAt,
    string? DecidedBy,
    string? EvidenceUri,
    string? AuditTraceId);

/// <summary>Every resolution, from its start.</summary>
public static class ResolutionTable
{
    public static readonly Table<ResolutionRow> Table = new Table<ResolutionRow>("mbp_resolutions")
        .Text("market_id", r => r.MarketId)
        .Time("started_at", r => r.StartedAt)
        .Text("rule_version", r => r.RuleVersion)
        .Text("source_kind", r => r.SourceKind)
        .Text("source_ref", r => r.SourceRef, nullable: true)
        .Text("decided_value", r => r.DecidedValue, nullable: true)
        .Time("decided_at", r => r.DecidedAt, nullable: true)
        .Text("decided_by", r => r.DecidedBy, nullable: true)
        .Text("evidence_uri", r => r.EvidenceUri, nullable: true)
        .Text("audit_trace_id", r => r.AuditTraceId, nullable: true)
        .Key("market_id")
        .Found(
            r => new RowKey(r.MarketId),
            read => new ResolutionRow(
                read.Text(), read.Time(), read.Text(), read.Text(), read.TextOrNull(), read.TextOrNull(), read.TimeOrNull(), read.TextOrNull(), read.TextOrNull(),
                read.TextOrNull()));

    public static readonly TableProjection Projection = TableProjection.Keyed(
        "resolutions", 1, Table,
        recorded => recorded.Data is ResolutionEvent ? recorded.Stream.Key : null,
        Apply);

    private static ResolutionRow Apply(ResolutionRow? row, Recorded recorded) => (row, recorded.Data) switch
    {
        (null, ResolutionStarted e) => new ResolutionRow(
            e.MarketId.Value, e.At, e.RuleVersion, Words.Of(e.SourceKind), e.SourceRef, null, null, null, null, Trace(recorded)),
        (null, _) => throw new InvalidOperationException($"{recorded.Data.GetType().Name} comes before the resolution is started."),
        (_, RuleEvaluated { Value: not null } e) => row with { SourceRef = e.SourceRef, EvidenceUri = e.EvidenceUri },
        (_, ManualProposed e) => row with { EvidenceUri = e.EvidenceUri },
        (_, ResolutionDetermined e) => row with
        {
            SourceKind = Words.Of(e.SourceKind),
            DecidedValue = e.Value,
            DecidedAt = e.At,
            DecidedBy = string.Join(',', e.DecidedBy),
            EvidenceUri = e.EvidenceUri,
            AuditTraceId = Trace(recorded),
        },
        (_, ResolutionFinished e) => row with { DecidedValue = e.Value },
        (_, MarketVoided e) => row with { DecidedValue = row.DecidedValue ?? "INVALID", DecidedAt = row.DecidedAt ?? e.At, AuditTraceId = row.AuditTraceId ?? Trace(recorded) },
        _ => row,
    };

    private static string? Trace(Recorded recorded) => recorded.Stored.CorrelationId is { Length: > 0 } trace ? trace : null;
}

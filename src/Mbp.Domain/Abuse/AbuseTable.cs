using Mbp.Ledger.Reading;
using NodaTime;

namespace Mbp.Domain.Abuse;

/// <summary>A row of <c>mbp_abuse_events</c> (C6).</summary>
public sealed record AbuseRow(string Id, string MarketId, Instant At, string Kind, string Severity, string? Details, string? ActionTaken);

/// <summary>What the anti-abuse rules found. The table is there for those who report on it; no event of this build fills it yet.</summary>
public static class AbuseTable
{
    public static readonly Table<AbuseRow> Table = new Table<AbuseRow>("mbp_abuse_events")
        .Text("id", r => r.Id)
        .Text("market_id", r => r.MarketId)
        .Time("ts", r => r.At)
        .Text("kind", r => r.Kind)
        .Text("severity", r => r.Severity)
        .Text("details", r => r.Details, nullable: true)
        .Text("action_taken", r => r.ActionTaken, nullable: true)
        .Key("id")
        .Index("market_id, ts");

    public static readonly TableProjection Projection = TableProjection.Flat("abuse_events", 1, Table, _ => null, _ => (AbuseRow?)null);
}

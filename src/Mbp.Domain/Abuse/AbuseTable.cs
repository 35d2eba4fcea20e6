using Mbp.Domain.Units;
using Mbp.Ledger.Reading;
using NodaTime;

namespace Mbp.Domain.Abuse;

/// <summary>A row of <c>mbp_abuse_events</c> (C6).</summary>
public sealed record AbuseRow(string Id, string MarketId, Instant At, string Kind, string Severity, string? Details, string? ActionTaken);

/// <summary>What the anti-abuse rules found, a row for each flag.</summary>
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

    public static readonly TableProjection Projection = TableProjection.Flat(
        "abuse_events", 2, Table,
        recorded => recorded.Data is AbuseFlagged ? recorded.Stream.Key : null,
        recorded => recorded.Data is AbuseFlagged e
            ? new AbuseRow(e.Id, e.MarketId.Value, e.At, Spelled(e.Kind), Words.Of(e.Severity), e.Details, Spelled(e.Action))
            : null);

    // As the requirements spell them.
    public static string Spelled(AbuseKind kind) => kind switch
    {
        AbuseKind.Burst => "burst",
        AbuseKind.RateLimit => "rate_limit",
        AbuseKind.Manipulation => "manipulation",
        _ => throw new InvalidOperationException($"{kind} has no word."),
    };

    public static string Spelled(AbuseAction action) => action switch
    {
        AbuseAction.AlertOnly => "alert_only",
        AbuseAction.Limited => "limited",
        AbuseAction.Paused => "paused",
        _ => throw new InvalidOperationException($"{action} has no word."),
    };
}

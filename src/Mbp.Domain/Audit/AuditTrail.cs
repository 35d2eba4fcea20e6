using Mbp.Domain.Abuse;
using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Payments;
using Mbp.Domain.Trading;
using Mbp.Ledger;
using Mbp.Ledger.Reading;
using NodaTime;

namespace Mbp.Domain.Audit;

/// <summary>A row of <c>mbp_audit_trail</c>: who did what to which stream, when, why, and in which trace.</summary>
/// <param name="Position">The event's place in the ledger.</param>
/// <param name="StreamId">The stream that it happened to.</param>
/// <param name="MarketId">The market that it is about, if any.</param>
/// <param name="AccountId">The account that it is about, if any.</param>
/// <param name="At">When.</param>
/// <param name="Action">What: the event's wire name.</param>
/// <param name="Actor">Who, pseudonymous; null for events that others appended.</param>
/// <param name="Reason">Why, where the event says so.</param>
/// <param name="PolicyHash">The rule set that was in force, where the event says so.</param>
/// <param name="TraceId">The trace that it belongs to.</param>
/// <param name="CommandId">The command that caused it.</param>
public sealed record AuditRow(
    long Position,
    string StreamId,
    string? MarketId,
    string? AccountId,
    Instant At,
    string Action,
    string? Actor,
    string? Reason,
    string? PolicyHash,
    string TraceId,
    string CommandId);

/// <summary>Everything that ever happened, a line each. An account's side of a trade, payout or withdrawal is no line of its own: the other side's says it.</summary>
public static class AuditTrail
{
    /// <summary>The action of nine lines of ten. Who looks for it looks at all lines or a market's; who looks for others has an index without it.</summary>
    public const string Trade = "trade_executed";

    private const string Others = $"action <> '{Trade}'";

    public static readonly Table<AuditRow> Table = new Table<AuditRow>("mbp_audit_trail")
        .Whole("position", r => r.Position)
        .Text("stream_id", r => r.StreamId)
        .Text("market_id", r => r.MarketId, nullable: true)
        .Text("account_id", r => r.AccountId, nullable: true)
        .Time("ts", r => r.At)
        .Text("action", r => r.Action)
        .Text("actor", r => r.Actor, nullable: true)
        .Text("reason", r => r.Reason, nullable: true)
        .Text("policy_hash", r => r.PolicyHash, nullable: true)
        .Text("trace_id", r => r.TraceId)
        .Text("command_id", r => r.CommandId)
        .Key("position")
        .Index("market_id, position")
        .Index("account_id, position")
        .Index("actor, position")
        .Index("stream_id, position", Others)
        .Index("action, position", Others);

    public static readonly TableProjection Projection = TableProjection.Flat(
        "audit_trail", 2, Table,
        recorded => recorded.Data is AccountDebited or AccountCredited or CreditsWithdrawn or CreditsReturned ? null : recorded.Stream.Value,
        Row);

    private static AuditRow? Row(Recorded recorded)
    {
        var (stream, stored) = (recorded.Stream, recorded.Stored);
        var isMarkets = stream.Category is "market" or "quotes" or "resolution" or "abuse";
        return new AuditRow(
            recorded.Position, stream.Value,
            isMarkets ? stream.Key : null,
            AccountOf(recorded),
            recorded.At, stored.Type, stored.Header("actor"), ReasonOf(recorded.Data), stored.Header("policy_hash"), stored.CorrelationId, stored.CausationId);
    }

    private static string? AccountOf(Recorded recorded) => recorded.Data switch
    {
        PoolEvent e => e.Account.Value,
        MarketCreated e => e.Account.Value,
        Settlement.PayoutRecorded e => e.Account.Value,
        Settlement.PayoutCorrected e => e.Account.Value,
        ModerationProposed { Measure.Account: { } account } => account.Value,
        ModerationApplied { Measure.Account: { } account } => account.Value,
        WithdrawalRequested e => e.Account.Value,
        AccountEvent => recorded.Stream.Key,
        _ => null,
    };

    private static string? ReasonOf(object @event) => @event switch
    {
        MarketHalted e => e.Reason,
        MarketResumed e => e.Reason,
        RulesetActivated e => e.Reason,
        RulesetRolledBack e => e.Reason,
        AbuseFlagged e => e.Details,
        ModerationProposed e => e.Reason,
        ModerationApplied e => e.Reason,
        ModerationUndone e => e.Reason,
        ModerationRedone e => e.Reason,
        MarketClosed e => e.Reason,
        CreditsGranted e => e.Reason,
        PayoutDeferred e => WithdrawalTable.Spelled(e.Reason),
        PayoutFailed e => e.Code,
        PayoutReversed e => e.Code,
        Resolution.ManualProposed e => e.EvidenceUri,
        Resolution.ResolutionDetermined e => e.EvidenceUri,
        Resolution.MarketVoided e => e.Reason,
        Settlement.SettlementCorrectionProposed e => e.Reason,
        Settlement.SettlementCorrected e => e.Reason,
        _ => null,
    };
}

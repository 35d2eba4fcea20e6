using System.Text.Json;
using Mbp.Host.Anchoring;

namespace Mbp.Host.Abuse;

/// <summary>A moderator's measure.</summary>
/// <param name="Action"><c>pause</c>, <c>limit</c>, <c>restrict</c> (an account buys no more here) or <c>clawback</c> (credits go to the insurance account; a second operator approves).</param>
/// <param name="Reason">Why; kept in the ledger.</param>
/// <param name="EvidenceUri">Where the evidence is.</param>
/// <param name="Account">Whom it is about, for <c>restrict</c> and <c>clawback</c>.</param>
/// <param name="Amount">How much, for <c>clawback</c>.</param>
public sealed record ModerationRequest(string? Action, string? Reason, string? EvidenceUri, string? Account = null, string? Amount = null);

/// <param name="MarketId">The market.</param>
/// <param name="Number">The case's number in it.</param>
/// <param name="State"><c>proposed</c>, <c>inforce</c> or <c>undone</c>.</param>
/// <param name="Pending">What waits for a second operator: <c>apply</c>, <c>undo</c> or <c>redo</c>.</param>
/// <param name="Position">Where in the ledger.</param>
/// <param name="Receipt">The log's signature over it.</param>
public sealed record ModerationStateResponse(string MarketId, int Number, string State, string? Pending, long Position, ReceiptItem? Receipt = null);

/// <param name="Number">1, 2, 3, ... in the market.</param>
/// <param name="Action">What was done.</param>
/// <param name="Account">To whom.</param>
/// <param name="Amount">How much.</param>
/// <param name="EvidenceUri">Where the evidence is.</param>
/// <param name="State"><c>proposed</c>, <c>inforce</c> or <c>undone</c>.</param>
/// <param name="Pending">What waits for a second operator.</param>
/// <param name="PendingBy">Who proposed that.</param>
public sealed record ModerationItem(int Number, string Action, string? Account, string? Amount, string EvidenceUri, string State, string? Pending, string? PendingBy);

public sealed record ModerationListResponse(IReadOnlyList<ModerationItem> Items, long Position);

/// <param name="Id">The flag's id.</param>
/// <param name="MarketId">Where.</param>
/// <param name="At">When.</param>
/// <param name="Kind"><c>burst</c>, <c>rate_limit</c> or <c>manipulation</c>.</param>
/// <param name="Severity"><c>low</c>, <c>med</c> or <c>high</c>.</param>
/// <param name="ActionTaken"><c>alert_only</c>, <c>limited</c> or <c>paused</c>.</param>
/// <param name="Details">The rule's numbers.</param>
public sealed record AbuseItem(string Id, string MarketId, string At, string Kind, string Severity, string? ActionTaken, string? Details);

public sealed record AbuseListResponse(IReadOnlyList<AbuseItem> Items, string? NextCursor, long Position);

/// <param name="Position">Its place in the ledger.</param>
/// <param name="At">When.</param>
/// <param name="Type"><c>market_halted</c>, <c>market_halt_eased</c> or <c>market_resumed</c>.</param>
/// <param name="Actor">Who, pseudonymous.</param>
/// <param name="Data">The event, with the evidence: prices, integrals, and which quotes of the market's stream they are made of.</param>
public sealed record HaltItem(long Position, string At, string Type, string? Actor, JsonElement Data);

public sealed record HaltListResponse(IReadOnlyList<HaltItem> Items, string? NextCursor, long Position);

using Mbp.Host.Anchoring;
using Mbp.Host.Markets;
using Mbp.Host.Settlement;

namespace Mbp.Host.Resolution;

/// <param name="Value">An outcome's name, a scalar's number, or INVALID to void the market.</param>
/// <param name="EvidenceUri">What backs the value: an absolute URI.</param>
public sealed record ManualRequest(string? Value, string? EvidenceUri);

public sealed record EmptyRequest;

public sealed record ResolutionStateResponse(string Id, string Phase, long Position, ReceiptItem? Receipt = null);

/// <summary>Where a market's resolution stands.</summary>
/// <param name="MarketId">The market.</param>
/// <param name="Phase">As on the market's page.</param>
/// <param name="StartedAt">When it started.</param>
/// <param name="SourceKind">Who says what came true.</param>
/// <param name="SourceRef">Where.</param>
/// <param name="Proposal">A manual value that waits for its second operator.</param>
/// <param name="Value">The determined value.</param>
/// <param name="Vector">What a share of each outcome pays.</param>
/// <param name="EvidenceUri">What backs it.</param>
/// <param name="DecidedBy">Pseudonymous ids.</param>
/// <param name="FinalAt">When it can no longer be disputed.</param>
/// <param name="Settlement">What is paid, once that is planned.</param>
/// <param name="Position">The ledger position that the answer shows.</param>
/// <param name="Round">The oracle's round that is under way, or that the value came from.</param>
/// <param name="Dispute">The dispute that is open.</param>
/// <param name="Rollback">A rollback that waits for its second operator.</param>
/// <param name="Postponements">How often it was too early.</param>
/// <param name="Next">What happens next, by when, and who may act until then.</param>
public sealed record ResolutionResponse(
    string MarketId,
    string Phase,
    string? StartedAt,
    string SourceKind,
    string? SourceRef,
    ProposalItem? Proposal,
    string? Value,
    IReadOnlyList<string>? Vector,
    string? EvidenceUri,
    IReadOnlyList<string>? DecidedBy,
    string? FinalAt,
    SettlementItem? Settlement,
    long Position,
    RoundItem? Round = null,
    DisputeItem? Dispute = null,
    RollbackItem? Rollback = null,
    int? Postponements = null,
    IReadOnlyList<NextStep>? Next = null);

public sealed record RollbackItem(string Reason, string EvidenceUri, string By, string At);

/// <param name="Reason">Why what was determined is wrong.</param>
/// <param name="EvidenceUri">What backs that: an absolute URI.</param>
public sealed record RollbackRequest(string? Reason, string? EvidenceUri);

public sealed record ProposalItem(string Value, string EvidenceUri, string By, string At);

/// <param name="Locked">CE$ held against complete sets at the end.</param>
/// <param name="Fees">Unclaimed fees at the end.</param>
/// <param name="Paid">Paid so far, less what a correction took back.</param>
/// <param name="Total">To be paid in all.</param>
/// <param name="Payouts">Accounts to be paid.</param>
/// <param name="Done">Accounts paid so far; absent once all are.</param>
/// <param name="Dust">What rounding leaves of <c>locked</c>.</param>
/// <param name="FeeDust">What rounding leaves of <c>fees</c>.</param>
/// <param name="Root">The plan's RFC 6962 root.</param>
/// <param name="Correction">The last correction of the settlement; absent where there is none.</param>
public sealed record SettlementItem(
    string Locked, string Fees, string Paid, string? Total, int? Payouts, int? Done, string Dust, string FeeDust, string? Root, CorrectionItem? Correction = null);

/// <param name="Value">The fact.</param>
/// <param name="EvidenceUri">What backs it.</param>
public sealed record TruthRequest(string? Value, string? EvidenceUri);

public sealed record TruthResponse(string Table, string Key, string Value, long Position, ReceiptItem? Receipt = null);

using Mbp.Host.Anchoring;

namespace Mbp.Host.Payments;

/// <summary>Credits out of an account, to a payee.</summary>
/// <param name="Amount">CE$, a decimal string with at most 8 decimals, more than 0.</param>
/// <param name="Payee">A pseudonymous reference of 1 to 64 letters, digits and <c>_ . : -</c>. Never a PIX key, a name, or anything else about a person: it is kept for ever.</param>
public sealed record WithdrawalRequest(string? Amount, string? Payee);

/// <param name="Id">The withdrawal; the rail knows it under this key.</param>
/// <param name="Account">Whose credits.</param>
/// <param name="Amount">CE$ that left the account.</param>
/// <param name="Payee">The reference.</param>
/// <param name="State"><c>requested</c>: what comes of it is read by its id.</param>
/// <param name="Position">Where in the ledger.</param>
/// <param name="Receipt">The log's signature over it.</param>
public sealed record WithdrawalRequestedResponse(string Id, string Account, string Amount, string Payee, string State, long Position, ReceiptItem? Receipt = null);

/// <param name="Id">The withdrawal.</param>
/// <param name="Account">Whose credits.</param>
/// <param name="Amount">CE$.</param>
/// <param name="Payee">The reference.</param>
/// <param name="State"><c>requested</c>, <c>submitted</c> (the rail is asked), <c>waiting</c> (for the next attempt), <c>settled</c>, <c>failed</c> or <c>reversed</c>; after the last two the credits are back.</param>
/// <param name="Attempts">How many began.</param>
/// <param name="RailReference">The rail's id of the payment.</param>
/// <param name="Reason">Why it waits (<c>accepted</c>, <c>unavailable</c>, <c>unanswered</c>, <c>not_taken</c>, <c>amount_differs</c>, <c>account_full</c>), failed or came back.</param>
/// <param name="RequestedAt">When it was asked for.</param>
/// <param name="NextAt">When the next attempt is due.</param>
/// <param name="PaidAt">When it was paid, by the rail's clock.</param>
/// <param name="ReversedAt">When it came back, by the rail's clock.</param>
/// <param name="EndedAt">When the ledger heard of its end.</param>
public sealed record WithdrawalItem(
    string Id, string Account, string Amount, string Payee, string State, long Attempts, string? RailReference, string? Reason, string RequestedAt, string? NextAt, string? PaidAt,
    string? ReversedAt, string? EndedAt);

/// <param name="Withdrawal">The withdrawal.</param>
/// <param name="Position">How far the answer is.</param>
public sealed record WithdrawalResponse(WithdrawalItem Withdrawal, long Position);

/// <param name="Items">Newest first.</param>
/// <param name="NextCursor">For the page after this one; absent on the last.</param>
/// <param name="Position">How far the list is.</param>
public sealed record WithdrawalListResponse(IReadOnlyList<WithdrawalItem> Items, string? NextCursor, long Position);

/// <param name="Day">The UTC day, <c>yyyy-mm-dd</c>; absent = the day before today.</param>
public sealed record ReconcileRequest(string? Day = null);

/// <param name="Class">How ledger and rail differ.</param>
/// <param name="Key">The withdrawal, or the key that is none.</param>
/// <param name="RailReference">The rail's id of the payment.</param>
/// <param name="LedgerState">The withdrawal's state.</param>
/// <param name="LedgerAmount">CE$, by the ledger.</param>
/// <param name="RailAmount">CE$, by the rail.</param>
/// <param name="At">The rail's time of it, or the ledger's of the request.</param>
public sealed record DiscrepancyItem(string Class, string Key, string? RailReference, string? LedgerState, string? LedgerAmount, string? RailAmount, string At);

/// <param name="Day">The UTC day.</param>
/// <param name="Rail">Whose statement.</param>
/// <param name="Final">Whether the day is over: before that, nothing is recorded.</param>
/// <param name="Matched">Movements that both sides tell alike.</param>
/// <param name="Total">All movements of the day.</param>
/// <param name="MatchedPercent">Two decimals, rounded down; <c>100.00</c> = nothing is left.</param>
/// <param name="Discrepancies">What is left, by class.</param>
/// <param name="Items">What is left, one by one; the first 500, all of them are in the report.</param>
/// <param name="Repaired">Movements that the ledger had not heard of, and that this run recorded.</param>
/// <param name="Failures">Payouts with a failure that began on the day.</param>
/// <param name="OpenFailures">Those of them without an end.</param>
/// <param name="RepairMedianMs">From the first failure to the end, in milliseconds: the median.</param>
/// <param name="RepairP95Ms">The same, of 95 in a hundred.</param>
/// <param name="ReportSha256">Of the report file.</param>
/// <param name="Report">The report file, on the host's machine.</param>
/// <param name="Position">The position of the record; 0 where nothing was recorded.</param>
public sealed record ReconciliationResponse(
    string Day, string Rail, bool Final, int Matched, int Total, string MatchedPercent, IReadOnlyDictionary<string, int> Discrepancies, IReadOnlyList<DiscrepancyItem> Items, int Repaired,
    int Failures, int OpenFailures, long? RepairMedianMs, long? RepairP95Ms, string ReportSha256, string Report, long Position);

using Mbp.Host.Anchoring;

namespace Mbp.Host.Settlement;

/// <param name="Value">By what the market should have paid: an outcome's name, a scalar's number, or INVALID.</param>
/// <param name="EvidenceUri">What backs the value: an absolute URI.</param>
/// <param name="Reason">Why the first value was wrong; kept in the ledger.</param>
public sealed record CorrectionRequest(string? Value, string? EvidenceUri, string? Reason);

/// <param name="Id">The market.</param>
/// <param name="Correction">Where its correction stands.</param>
/// <param name="Position">The position of the last event.</param>
/// <param name="Receipt">The signed proof that it was taken into the log.</param>
public sealed record CorrectionStateResponse(string Id, CorrectionItem Correction, long Position, ReceiptItem? Receipt = null);

/// <summary>A settlement's last correction.</summary>
/// <param name="Number">1, 2, 3, ... in the market.</param>
/// <param name="State"><c>proposed</c>, <c>posting</c> or <c>done</c>.</param>
/// <param name="Value">By what the market should have paid.</param>
/// <param name="Vector">What a share of each outcome pays by it.</param>
/// <param name="EvidenceUri">What backs the value.</param>
/// <param name="Reason">Why the first value was wrong.</param>
/// <param name="By">Who proposed it, and who approved it.</param>
/// <param name="Accounts">Accounts that were paid too much or too little; absent until it is approved.</param>
/// <param name="Posted">Those that are done.</param>
/// <param name="Back">CE$ that came back so far, from accounts and from insurance.</param>
/// <param name="More">CE$ that were paid more so far, to accounts and to insurance.</param>
/// <param name="Shortfall">What of <c>back</c> insurance paid, as the debtors had spent it.</param>
/// <param name="Repaid">What of <c>more</c> went to insurance, which had carried it before.</param>
/// <param name="Root">The RFC 6962 root of the new plan's lines.</param>
public sealed record CorrectionItem(
    int Number,
    string State,
    string Value,
    IReadOnlyList<string> Vector,
    string EvidenceUri,
    string Reason,
    IReadOnlyList<string> By,
    int? Accounts = null,
    int? Posted = null,
    string? Back = null,
    string? More = null,
    string? Shortfall = null,
    string? Repaid = null,
    string? Root = null);

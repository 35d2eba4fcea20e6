using Mbp.Host.Anchoring;

namespace Mbp.Host.Accounts;

/// <param name="Id">The account's pseudonymous id.</param>
public sealed record OpenAccountRequest(string? Id);

public sealed record AccountOpenedResponse(string Id, long Position, ReceiptItem? Receipt = null);

/// <param name="Amount">CE$, a decimal string with at most 8 decimals.</param>
/// <param name="Reason">Why; kept in the ledger.</param>
public sealed record GrantRequest(string? Amount, string? Reason);

/// <param name="Id">The account.</param>
/// <param name="Balance">CE$ at its disposal.</param>
/// <param name="Version">The version of its stream.</param>
/// <param name="Position">The ledger position that the answer shows.</param>
public sealed record AccountResponse(string Id, string Balance, long Version, long Position);

/// <summary>Shares that an account holds.</summary>
/// <param name="MarketId">The market.</param>
/// <param name="Outcome">The outcome.</param>
/// <param name="Shares">How many.</param>
/// <param name="Price">The outcome's marginal price.</param>
/// <param name="Value">Shares times price, rounded down.</param>
/// <param name="Cost">What they cost, fees included: average cost. Shares that came out of liquidity cost their price then.</param>
/// <param name="Profit">Value less cost: not realized.</param>
public sealed record PositionItem(string MarketId, string Outcome, string Shares, string Price, string Value, string Cost, string Profit);

/// <summary>A part in a pool.</summary>
/// <param name="MarketId">The market.</param>
/// <param name="LpShares">How many LP shares.</param>
/// <param name="Value">The part of the reserves that they stand for, at the prices shown.</param>
/// <param name="Fees">Fees that may be claimed.</param>
public sealed record LiquidityItem(string MarketId, string LpShares, string Value, string Fees);

/// <summary>All in all, in one market.</summary>
/// <param name="MarketId">The market.</param>
/// <param name="Phase">As on the market's page.</param>
/// <param name="Paid">CE$ that went in.</param>
/// <param name="Received">CE$ that came back, payouts included.</param>
/// <param name="Value">What shares, liquidity and fees there are worth; 0 once the market is settled.</param>
/// <param name="Cost">What the shares held cost.</param>
/// <param name="Profit">Received and value, less paid; for a settled market received less paid.</param>
public sealed record MarketTotal(string MarketId, string Phase, string Paid, string Received, string Value, string Cost, string Profit);

/// <param name="Items">Shares, by market and outcome.</param>
/// <param name="Liquidity">Parts in pools.</param>
/// <param name="Markets">Each market that the account ever had something in.</param>
/// <param name="Position">The ledger position that the answer shows.</param>
public sealed record PositionsResponse(
    IReadOnlyList<PositionItem> Items, IReadOnlyList<LiquidityItem> Liquidity, IReadOnlyList<MarketTotal> Markets, long Position);

/// <param name="Scopes">Any of <c>read</c>, <c>trade</c>, <c>withdraw</c>.</param>
public sealed record IssueKeyRequest(IReadOnlyList<string>? Scopes);

/// <param name="KeyId">Names the key, for revoking it.</param>
/// <param name="ApiKey">The key itself; shown this once.</param>
/// <param name="Position">The ledger position of its issue.</param>
public sealed record IssueKeyResponse(string KeyId, string ApiKey, long Position, ReceiptItem? Receipt = null);

public sealed record PositionResponse(long Position, ReceiptItem? Receipt = null);

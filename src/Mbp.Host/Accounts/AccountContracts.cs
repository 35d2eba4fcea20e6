namespace Mbp.Host.Accounts;

/// <param name="Id">The account's pseudonymous id.</param>
public sealed record OpenAccountRequest(string? Id);

public sealed record AccountOpenedResponse(string Id, long Position);

/// <param name="Amount">CE$, a decimal string with at most 8 decimals.</param>
/// <param name="Reason">Why; kept in the ledger.</param>
public sealed record GrantRequest(string? Amount, string? Reason);

/// <param name="Id">The account.</param>
/// <param name="Balance">CE$ at its disposal.</param>
/// <param name="Position">The ledger position that the answer shows.</param>
public sealed record AccountResponse(string Id, string Balance, long Position);

public sealed record PositionItem(string MarketId, string Outcome, string Shares);

public sealed record LiquidityItem(string MarketId, string LpShares);

public sealed record PositionsResponse(IReadOnlyList<PositionItem> Items, IReadOnlyList<LiquidityItem> Liquidity, long Position);

/// <param name="Scopes">Any of <c>read</c>, <c>trade</c>.</param>
public sealed record IssueKeyRequest(IReadOnlyList<string>? Scopes);

/// <param name="KeyId">Names the key, for revoking it.</param>
/// <param name="ApiKey">The key itself; shown this once.</param>
/// <param name="Position">The ledger position of its issue.</param>
public sealed record IssueKeyResponse(string KeyId, string ApiKey, long Position);

public sealed record PositionResponse(long Position);

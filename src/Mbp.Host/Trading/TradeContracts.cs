using Mbp.Host.Anchoring;

namespace Mbp.Host.Trading;

/// <summary>A trade. A buy has <c>amount</c> (and may have <c>minShares</c>), a sale has <c>shares</c> (and may have <c>minReturn</c>).</summary>
/// <param name="Side"><c>buy</c> or <c>sell</c>.</param>
/// <param name="Outcome">The outcome's name, such as <c>YES</c>.</param>
/// <param name="Amount">Buy: what is paid, CE$, fee included.</param>
/// <param name="MinShares">Buy: refused below so many shares.</param>
/// <param name="Shares">Sell: how many shares.</param>
/// <param name="MinReturn">Sell: refused below so many CE$ after the fee.</param>
/// <param name="Account">For operators' keys: whose trade. An account's own key needs none.</param>
public sealed record TradeRequest(
    string? Side, string? Outcome, string? Amount = null, string? MinShares = null, string? Shares = null, string? MinReturn = null, string? Account = null);

/// <param name="TradeId">Unique.</param>
/// <param name="Position">The trade's place in the ledger: a read with <c>min_position</c> of it sees the trade.</param>
/// <param name="At">Ledger time.</param>
/// <param name="Side">As asked.</param>
/// <param name="Outcome">As asked.</param>
/// <param name="Shares">Shares bought or sold.</param>
/// <param name="Amount">Buy: CE$ paid, fee included. Sell: CE$ received after the fee.</param>
/// <param name="Fee">The fee, CE$.</param>
/// <param name="PriceBefore">The traded outcome's marginal price before.</param>
/// <param name="PriceAfter">The traded outcome's marginal price after.</param>
/// <param name="Receipt">The log's signed word that the trade was taken in.</param>
public sealed record TradeResponse(
    string TradeId, long Position, string At, string Side, string Outcome, string Shares, string Amount, string Fee, string PriceBefore, string PriceAfter,
    ReceiptItem? Receipt = null);

/// <param name="Op"><c>add</c> or <c>remove</c>.</param>
/// <param name="Amount">Add: CE$ to provide.</param>
/// <param name="LpShares">Remove: LP shares to give up.</param>
/// <param name="Account">For operators' keys: whose liquidity.</param>
public sealed record LiquidityRequest(string? Op, string? Amount = null, string? LpShares = null, string? Account = null);

/// <summary>What a change of liquidity did; an addition has the first three, a removal the next three.</summary>
/// <param name="Minted">LP shares received.</param>
/// <param name="Kept">Per outcome, shares that stayed in the pool.</param>
/// <param name="Back">Per outcome, shares that the account received.</param>
/// <param name="Out">Per outcome, shares taken from the pool.</param>
/// <param name="Merged">CE$ paid for complete sets.</param>
/// <param name="Left">Per outcome, shares that the account received.</param>
/// <param name="Claimed">Fees paid out on the way.</param>
/// <param name="Position">Its place in the ledger.</param>
/// <param name="Receipt">The log's signed word that it was taken in.</param>
public sealed record LiquidityResponse(
    string? Minted,
    IReadOnlyList<string>? Kept,
    IReadOnlyList<string>? Back,
    IReadOnlyList<string>? Out,
    string? Merged,
    IReadOnlyList<string>? Left,
    string Claimed,
    long Position,
    ReceiptItem? Receipt = null);

/// <summary>What a trade would do now, without doing it.</summary>
/// <param name="Side">As asked.</param>
/// <param name="Outcome">As asked.</param>
/// <param name="Shares">Shares bought or sold.</param>
/// <param name="Amount">CE$ paid or received.</param>
/// <param name="Fee">The fee.</param>
/// <param name="AveragePrice">Amount without fee for each share, rounded down to 8 decimals.</param>
/// <param name="PriceBefore">Marginal price now.</param>
/// <param name="PriceAfter">Marginal price afterwards.</param>
/// <param name="SlippagePpm">|average - before| / before, parts per million; two outcomes only.</param>
/// <param name="Position">The ledger position that the quote is made from.</param>
public sealed record QuoteResponse(
    string Side, string Outcome, string Shares, string Amount, string Fee, string AveragePrice, string PriceBefore, string PriceAfter, long? SlippagePpm, long Position);

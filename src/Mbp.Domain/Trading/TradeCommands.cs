using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Trading;

/// <summary>A command over a market's pool and the account that trades with it.</summary>
public abstract record TradeCommand(MarketId MarketId, AccountId Account, Instant At);

/// <param name="MarketId">Where.</param>
/// <param name="Account">Who pays and receives.</param>
/// <param name="TradeId">Names the trade; made at the edge, since a decision makes nothing up.</param>
/// <param name="Outcome">What is bought.</param>
/// <param name="Amount">What the trader pays, fee included.</param>
/// <param name="MinShares">The trade is refused below so many shares.</param>
/// <param name="At">Ledger time.</param>
public sealed record BuyShares(
    MarketId MarketId, AccountId Account, string TradeId, string Outcome, Credits Amount, Shares? MinShares, Instant At) : TradeCommand(MarketId, Account, At);

/// <param name="MarketId">Where.</param>
/// <param name="Account">Whose shares.</param>
/// <param name="TradeId">Names the trade.</param>
/// <param name="Outcome">What is sold.</param>
/// <param name="Shares">How many.</param>
/// <param name="MinReturn">The trade is refused below this much cash, fee deducted.</param>
/// <param name="At">Ledger time.</param>
public sealed record SellShares(
    MarketId MarketId, AccountId Account, string TradeId, string Outcome, Shares Shares, Credits? MinReturn, Instant At) : TradeCommand(MarketId, Account, At);

public sealed record AddLiquidity(MarketId MarketId, AccountId Account, Credits Amount, Instant At) : TradeCommand(MarketId, Account, At);

public sealed record RemoveLiquidity(MarketId MarketId, AccountId Account, LpShares LpShares, Instant At) : TradeCommand(MarketId, Account, At);

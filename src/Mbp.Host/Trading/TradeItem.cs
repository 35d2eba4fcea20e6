using Mbp.Domain.Units;
using Mbp.Host.Markets;
using Mbp.Ledger.Postgres.Reading;

namespace Mbp.Host.Trading;

/// <summary>A trade in a list.</summary>
/// <param name="Position">Its place in the ledger.</param>
/// <param name="TradeId">Unique.</param>
/// <param name="MarketId">The market.</param>
/// <param name="At">Ledger time.</param>
/// <param name="Account">The trader's pseudonymous id.</param>
/// <param name="Side"><c>buy</c> or <c>sell</c>.</param>
/// <param name="Outcome">The traded outcome.</param>
/// <param name="Shares">Shares bought or sold.</param>
/// <param name="Amount">Buy: CE$ paid, fee included. Sell: CE$ received after the fee.</param>
/// <param name="Fee">The fee, CE$.</param>
/// <param name="PriceBefore">The traded outcome's marginal price before.</param>
/// <param name="PriceAfter">The traded outcome's marginal price after.</param>
/// <param name="SlippagePpm">|average - before| / before, parts per million; two outcomes only.</param>
public sealed record TradeItem(
    long Position,
    string TradeId,
    string MarketId,
    string At,
    string Account,
    string Side,
    string Outcome,
    string Shares,
    string Amount,
    string Fee,
    string PriceBefore,
    string PriceAfter,
    long? SlippagePpm)
{
    internal const string Columns = "position, trade_id, market_id, ts, account_id, side, outcome, shares, amount, fee, price_before, price_after, slippage_ppm";

    internal static TradeItem Of(string market, TapeTrade line) => new(
        line.Position, line.Trade.TradeId, market, MarketPage.Text(line.Trade.At), line.Trade.Account.Value, Words.Of(line.Trade.Side), line.Trade.Outcome,
        line.Trade.Shares.ToString(), line.Trade.Amount.ToString(), line.Trade.Fee.ToString(), line.Trade.PriceBefore.ToString(),
        line.Trade.PriceAfter.ToString(), line.Trade.SlippagePpm);

    internal static TradeItem Of(TableLine line) => new(
        line.Whole(0), line.Text(1), line.Text(2), MarketPage.Text(line.Time(3)), line.Text(4), line.Text(5), line.Text(6), WideDecimal.Format(line.Units(7)),
        WideDecimal.Format(line.Units(8)), WideDecimal.Format(line.Units(9)), WideDecimal.Format(line.Units(10)), WideDecimal.Format(line.Units(11)), line.WholeOrNull(12));
}

/// <param name="Items">Newest first.</param>
/// <param name="NextCursor">For the page after this one; absent on the last.</param>
/// <param name="Position">How far the list is: later trades are not in it yet.</param>
public sealed record TradeListResponse(IReadOnlyList<TradeItem> Items, string? NextCursor, long Position);

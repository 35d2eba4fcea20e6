using Mbp.Domain.Units;
using Mbp.Ledger.Reading;
using NodaTime;

namespace Mbp.Domain.Trading;

/// <summary>A row of <c>mbp_trades</c>; its position is its event's.</summary>
public sealed record TradeRow(long Position, string MarketId, Instant At, TradeExecuted Trade);

/// <summary>Every trade ever made.</summary>
public static class TradeTable
{
    public static readonly Table<TradeRow> Table = new Table<TradeRow>("mbp_trades")
        .Whole("position", r => r.Position)
        .Text("market_id", r => r.MarketId)
        .Text("trade_id", r => r.Trade.TradeId)
        .Text("account_id", r => r.Trade.Account.Value)
        .Time("ts", r => r.At)
        .Text("side", r => Words.Of(r.Trade.Side))
        .Text("outcome", r => r.Trade.Outcome)
        .Amount("shares", r => r.Trade.Shares.Units)
        .Amount("amount", r => r.Trade.Amount.Units)
        .Amount("fee", r => r.Trade.Fee.Units)
        .Amount("price_before", r => r.Trade.PriceBefore.Units)
        .Amount("price_after", r => r.Trade.PriceAfter.Units)
        .Whole("slippage_ppm", r => r.Trade.SlippagePpm, nullable: true)
        .Key("market_id", "position")
        .Index("account_id, position");

    public static readonly TableProjection Projection = TableProjection.Flat(
        "trades", 1, Table,
        recorded => recorded.Data is TradeExecuted ? recorded.Stream.Key : null,
        recorded => recorded.Data is TradeExecuted trade ? new TradeRow(recorded.Position, recorded.Stream.Key, recorded.At, trade) : null);
}

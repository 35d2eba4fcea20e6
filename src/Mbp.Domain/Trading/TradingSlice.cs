using Mbp.Ledger;

namespace Mbp.Domain.Trading;

public static class TradingSlice
{
    public static readonly Slice Slice = new("trading", Wire);

    private static void Wire(EventCatalog catalog) => catalog
        .Add<LiquidityAdded>("liquidity_added")
        .Add<LiquidityRemoved>("liquidity_removed")
        .Add<TradeExecuted>("trade_executed", StoredTrade.Read);
}

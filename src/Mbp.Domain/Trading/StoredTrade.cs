using Mbp.Domain.Units;
using Mbp.Ledger.Json;

namespace Mbp.Domain.Trading;

/// <summary>A trade as the database gives it back: half of all events of a ledger are trades.</summary>
internal static class StoredTrade
{
    public static TradeExecuted? Read(StoredBody body) =>
        body.TryInstant("at"u8, out var at)
        && body.TryUnits("fee"u8, out Credits fee)
        && body.TryUnits("net"u8, out Credits net)
        && body.TryText("side"u8, out ReadOnlySpan<byte> side) && SideOf(side) is { } which
        && body.TryUnits("amount"u8, out Credits amount)
        && body.TryUnits("prices"u8, out EquatableArray<Price> prices)
        && body.TryUnits("shares"u8, out Shares shares)
        && body.TryId("account"u8, out Accounts.AccountId account)
        && body.TryText("outcome"u8, out ReadOnlySpan<byte> outcome)
        && body.TryText("tradeId"u8, out string tradeId)
        && body.TryUnits("priceAfter"u8, out Price after)
        && body.TryUnits("priceBefore"u8, out Price before)
        && body.TryNumberOrNothing("slippagePpm"u8, out var slippage)
        && body.IsAtEnd
            ? new TradeExecuted(tradeId, account, which, RecurringText.Of(outcome), shares, amount, fee, net, before, after, prices, at, slippage)
            : null;

    private static TradeSide? SideOf(ReadOnlySpan<byte> word) => word.SequenceEqual("buy"u8) ? TradeSide.Buy : word.SequenceEqual("sell"u8) ? TradeSide.Sell : null;
}

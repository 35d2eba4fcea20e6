using Mbp.Domain.Markets;
using Mbp.Domain.Units;
using Mbp.Ledger.Json;
using NodaTime;

namespace Mbp.Domain.Accounts;

/// <summary>A debit or a credit as the database gives it back: the other half of a ledger's events (<see cref="Trading.StoredTrade"/>).</summary>
internal static class StoredPosting
{
    public static AccountDebited? Debit(StoredBody body) =>
        TryRead(ref body, out var at, out var kind, out var amount, out var market, out var reference) ? new AccountDebited(amount, kind, market, reference, at) : null;

    public static AccountCredited? Credit(StoredBody body) =>
        TryRead(ref body, out var at, out var kind, out var amount, out var market, out var reference) ? new AccountCredited(amount, kind, market, reference, at) : null;

    private static bool TryRead(
        ref StoredBody body, out Instant at, out PostingKind kind, out Credits amount, out MarketId market, out string reference)
    {
        (kind, amount, market, reference) = (default, default, default, "");
        return body.TryInstant("at"u8, out at)
               && body.TryText("kind"u8, out ReadOnlySpan<byte> word) && TryKind(word, out kind)
               && body.TryUnits("amount"u8, out amount)
               && body.TryId("market"u8, out market)
               && body.TryText("reference"u8, out reference)
               && body.IsAtEnd;
    }

    private static bool TryKind(ReadOnlySpan<byte> word, out PostingKind kind)
    {
        kind = word.SequenceEqual("liquidity"u8) ? PostingKind.Liquidity
            : word.SequenceEqual("payout"u8) ? PostingKind.Payout
            : word.SequenceEqual("moderation"u8) ? PostingKind.Moderation
            : word.SequenceEqual("correction"u8) ? PostingKind.Correction
            : PostingKind.Trade;
        return kind != PostingKind.Trade || word.SequenceEqual("trade"u8);
    }
}

using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Tests.Markets;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger.Json;
using NodaTime;

namespace Mbp.Domain.Tests;

/// <summary>The frequent events have a faster reader for the database's own form. Whatever the text, it reads what the serializer reads, or nothing.</summary>
public sealed class StoredEventTests
{
    // As PostgreSQL prints jsonb.
    private static readonly string[] Bodies =
    [
        """{"at": "2026-11-22T07:51:08.883446Z", "fee": "0.025", "net": "4.975", "side": "buy", "amount": "5", "prices": ["0.50039385", "0.49960615"], "shares": "9.95809205", "account": "a00486", "outcome": "NO", "tradeId": "01a2023c", "priceAfter": "0.49960615", "priceBefore": "0.49958125", "slippagePpm": 25}""",
        """{"at": "2026-11-22T07:51:08Z", "fee": "0", "net": "9999999999.99999999", "side": "sell", "amount": "5", "prices": ["0.5", "0.25", "0.25"], "shares": "1", "account": "a:b", "outcome": "Not yet (maybe)", "tradeId": "t", "priceAfter": "0.5", "priceBefore": "0.5"}""",
        """{"at": "2026-11-22T07:51:08.883464Z", "kind": "trade", "amount": "6", "market": "m00285", "reference": "01a2023c"}""",
        """{"at": "2026-11-22T07:51:08.883464Z", "kind": "liquidity", "amount": "6.5", "market": "m.1", "reference": "add"}""",
        """{"at": "2026-11-22T07:51:08.883464Z", "kind": "payout", "amount": "0.00000001", "market": "m-1", "reference": ""}""",
    ];

    private static readonly char[] Digits = [.. "0123456789"];

    private static readonly (Type Type, StoredReader<object> Read)[] Readers =
        [(typeof(TradeExecuted), StoredTrade.Read), (typeof(AccountDebited), StoredPosting.Debit), (typeof(AccountCredited), StoredPosting.Credit)];

    [Fact]
    public void The_databases_form_is_read_without_the_serializer() => Assert.All(Bodies, body =>
    {
        var readers = Readers.Where(reader => (reader.Type == typeof(TradeExecuted)) == body.Contains("tradeId", StringComparison.Ordinal));
        Assert.All(readers, reader => Assert.Equal(
            JsonSerializer.Deserialize(body, reader.Type, LedgerJson.Options), reader.Read(new StoredBody(Encoding.UTF8.GetBytes(body)))));
    });

    /// <summary>Characters exchanged, taken out and put in: most texts are damaged, many are only spelled in another way.</summary>
    [Fact]
    public void A_text_in_any_other_form_is_read_alike_or_left_alone()
    {
        var (alike, left) = (0, 0);
        var edit = Gen.Choose(0, 5).SelectMany(kind => Gen.Choose(0, 400).SelectMany(at => Gen.Elements([.. "\"\\ ,:{}[]0159.-+eEaz~\u0001\u007fé0000".ToCharArray()]).Select(c => (kind, at, c))));
        Prop.ForAll(Gen.Elements(Bodies).SelectMany(body => edit.ArrayOf(2).Select(edits => (body, edits))).ToArbitrary(), damaged =>
        {
            var text = damaged.edits.Aggregate(damaged.body, (body, e) => (e.kind, e.at % body.Length) switch
            {
                (0, var at) => body.Remove(at, 1),
                (1, var at) => body.Insert(at, e.c.ToString()),
                (2, var at) => body[..at] + e.c + body[(at + 1)..],
                // Another digit for a digit: as often as not, this is as good an event as the one before.
                (_, var at) => body.IndexOfAny(Digits, at) is var digit and >= 0 ? body[..digit] + Digits[e.at % 10] + body[(digit + 1)..] : body,
            });
            foreach (var (type, read) in Readers)
            {
                if (read(new StoredBody(Encoding.UTF8.GetBytes(text))) is { } fast)
                {
                    Assert.Equal(JsonSerializer.Deserialize(text, type, LedgerJson.Options), fast);
                    alike++;
                }
                else
                {
                    left++;
                }
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(20_000));

        // The property is about something.
        Assert.True(alike > 1_000 && left > 1_000, $"{alike} alike, {left} left");
    }

    [Fact]
    public void A_field_more_is_left_to_the_serializer()
    {
        var grown = Bodies[2].Replace("\"market\"", "\"colour\": \"red\", \"market\"", StringComparison.Ordinal);
        Assert.Null(StoredPosting.Debit(new StoredBody(Encoding.UTF8.GetBytes(grown))));
        Assert.Equal(
            new AccountDebited(Terms.Ce(6), PostingKind.Trade, new MarketId("m00285"), "01a2023c", Instant.FromUtc(2026, 11, 22, 7, 51, 8).PlusNanoseconds(883_464_000)),
            Slices.Catalog().Decode("account_debited", Encoding.UTF8.GetBytes(grown)));
    }

    [Fact]
    public void Every_amount_is_read_from_bytes_as_from_characters() => Prop.ForAll(Gen.Elements([.. "0123456789.".ToCharArray(), '-', ' ']).ArrayOf().ToArbitrary(), characters =>
    {
        var text = new string(characters);
        Assert.Equal(Decimal8.TryParse(text, out var expected, out _), Decimal8.TryParse(Encoding.UTF8.GetBytes(text), out var units));
        Assert.Equal(expected, units);
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(5_000));
}

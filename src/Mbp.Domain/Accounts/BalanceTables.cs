using Mbp.Domain.Units;
using Mbp.Ledger;
using Mbp.Ledger.Reading;
using NodaTime;

namespace Mbp.Domain.Accounts;

/// <summary>A row of <c>mbp_balances</c>: what an account has at its disposal, in units.</summary>
public sealed record BalanceRow(string AccountId, long Balance, Int128 Granted, Instant OpenedAt, Instant UpdatedAt, long Version, long Position);

/// <summary>A line of an account's statement: the lines of an account add up to its balance, and each says what it was then.</summary>
public sealed record PostingRow(long Position, string AccountId, Instant At, string Kind, long Amount, long Balance, string? MarketId, string Reference);

/// <summary>Balances, and every movement that made them.</summary>
public static class BalanceTables
{
    public static readonly Table<BalanceRow> Balances = new Table<BalanceRow>("mbp_balances")
        .Text("account_id", r => r.AccountId)
        .Amount("balance", r => r.Balance)
        .Sum("granted", r => r.Granted)
        .Time("opened_at", r => r.OpenedAt)
        .Time("updated_at", r => r.UpdatedAt)
        .Whole("version", r => r.Version)
        .Whole("position", r => r.Position)
        .Key("account_id")
        .Found(
            r => new RowKey(r.AccountId),
            read => new BalanceRow(read.Text(), read.Amount(), read.Sum(), read.Time(), read.Time(), read.Whole(), read.Whole()));

    public static readonly Table<PostingRow> Postings = new Table<PostingRow>("mbp_postings")
        .Whole("position", r => r.Position)
        .Text("account_id", r => r.AccountId)
        .Time("ts", r => r.At)
        .Text("kind", r => r.Kind)
        .Amount("amount", r => r.Amount)
        .Amount("balance", r => r.Balance)
        .Text("market_id", r => r.MarketId, nullable: true)
        .Text("reference", r => r.Reference)
        .Key("account_id", "position");

    public static readonly TableProjection Projection = new(
        "accounts", 2, [Balances, Postings],
        recorded => recorded.Data is AccountEvent ? recorded.Stream.Key : null,
        (recorded, requests) => requests.Add(Balances, new RowKey(recorded.Stream.Key)),
        Apply);

    private static void Apply(Recorded recorded, IRows rows)
    {
        var account = recorded.Stream.Key;
        var row = (rows.Find(Balances, new RowKey(account)), recorded.Data) switch
        {
            (null, AccountOpened e) => new BalanceRow(account, 0, 0, e.At, e.At, 0, 0),
            ({ } known, not AccountOpened) => known,
            (null, _) => throw new InvalidOperationException($"{recorded.Data.GetType().Name} comes before account {account} is opened."),
            _ => throw new InvalidOperationException($"Account {account} is opened twice."),
        };
        if (Movement(recorded.Data) is { } moved)
        {
            row = row with { Balance = row.Balance + moved.Units, Granted = row.Granted + (moved.Kind == "grant" ? moved.Units : 0) };
            rows.Append(Postings, new PostingRow(recorded.Position, account, recorded.At, moved.Kind, moved.Units, row.Balance, moved.Market, moved.Reference));
        }

        rows.Put(Balances, row with { UpdatedAt = recorded.At, Version = recorded.Version, Position = recorded.Position });
    }

    private static (long Units, string Kind, string? Market, string Reference)? Movement(object @event) => @event switch
    {
        CreditsGranted e => (e.Amount.Units, "grant", null, e.Reason),
        AccountDebited e => (-e.Amount.Units, Words.Of(e.Kind), e.Market.Value, e.Reference),
        AccountCredited e => (e.Amount.Units, Words.Of(e.Kind), e.Market.Value, e.Reference),
        CreditsWithdrawn e => (-e.Amount.Units, "withdrawal", null, e.Withdrawal),
        CreditsReturned e => (e.Amount.Units, "withdrawal_return", null, e.Withdrawal),
        _ => null,
    };
}

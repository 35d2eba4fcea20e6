using Mbp.Domain.Units;
using Mbp.Ledger;
using Mbp.Ledger.Reading;
using NodaTime;

namespace Mbp.Domain.Trading;

/// <summary>A row of <c>mbp_positions</c>: an account's shares of one outcome, and what they cost.</summary>
/// <param name="MarketId">The market.</param>
/// <param name="AccountId">The account.</param>
/// <param name="Outcome">The outcome's name.</param>
/// <param name="Shares">Held now, in units.</param>
/// <param name="Cost">What the shares held now cost, fees included: average cost. Shares that came out of liquidity cost their price then.</param>
/// <param name="Realized">What sales brought beyond the cost of what was sold; negative for a loss.</param>
/// <param name="UpdatedAt">The last change.</param>
/// <param name="Position">Its place in the ledger.</param>
public sealed record PositionRow(
    string MarketId, string AccountId, string Outcome, long Shares, Int128 Cost, Int128 Realized, Instant UpdatedAt, long Position);

/// <summary>A row of <c>mbp_lp_positions</c>: an account's part in a pool.</summary>
/// <param name="MarketId">The market.</param>
/// <param name="AccountId">The account.</param>
/// <param name="LpShares">Held now, in units.</param>
/// <param name="Deposited">Cash put in, less the value of the shares that came straight back.</param>
/// <param name="Withdrawn">Cash taken out, and the value of the shares taken out.</param>
/// <param name="FeesClaimed">Fees received.</param>
/// <param name="UpdatedAt">The last change.</param>
/// <param name="Position">Its place in the ledger.</param>
public sealed record LpPositionRow(
    string MarketId, string AccountId, long LpShares, Int128 Deposited, Int128 Withdrawn, Int128 FeesClaimed, Instant UpdatedAt, long Position);

/// <summary>The outcomes of a market in their order: events name shares by place, rows by name.</summary>
public sealed record OutcomesRow(string MarketId, IReadOnlyList<string> Outcomes);

/// <summary>Who holds what. A settled market's rows stay as they were: its shares have been paid for (<c>mbp_markets.phase</c>).</summary>
public static class PositionTables
{
    public static readonly Table<PositionRow> Positions = new Table<PositionRow>("mbp_positions")
        .Text("market_id", r => r.MarketId)
        .Text("account_id", r => r.AccountId)
        .Text("outcome", r => r.Outcome)
        .Amount("shares", r => r.Shares)
        .Sum("cost", r => r.Cost)
        .Sum("realized", r => r.Realized)
        .Time("updated_at", r => r.UpdatedAt)
        .Whole("position", r => r.Position)
        .Key("market_id", "account_id", "outcome")
        .Index("account_id, market_id")
        .Found(
            r => new RowKey(r.MarketId, r.AccountId, r.Outcome),
            read => new PositionRow(read.Text(), read.Text(), read.Text(), read.Amount(), read.Sum(), read.Sum(), read.Time(), read.Whole()));

    public static readonly Table<LpPositionRow> LpPositions = new Table<LpPositionRow>("mbp_lp_positions")
        .Text("market_id", r => r.MarketId)
        .Text("account_id", r => r.AccountId)
        .Amount("lp_shares", r => r.LpShares)
        .Sum("deposited", r => r.Deposited)
        .Sum("withdrawn", r => r.Withdrawn)
        .Sum("fees_claimed", r => r.FeesClaimed)
        .Time("updated_at", r => r.UpdatedAt)
        .Whole("position", r => r.Position)
        .Key("market_id", "account_id")
        .Index("account_id, market_id")
        .Found(
            r => new RowKey(r.MarketId, r.AccountId),
            read => new LpPositionRow(read.Text(), read.Text(), read.Amount(), read.Sum(), read.Sum(), read.Sum(), read.Time(), read.Whole()));

    public static readonly Table<OutcomesRow> Outcomes = new Table<OutcomesRow>("mbp_outcomes")
        .Text("market_id", r => r.MarketId)
        .Texts("outcomes", r => r.Outcomes)
        .Key("market_id")
        .Found(r => new RowKey(r.MarketId), read => new OutcomesRow(read.Text(), read.Texts()));

    public static readonly TableProjection Projection = new(
        "positions", 1, [Positions, LpPositions, Outcomes],
        recorded => recorded.Data is PoolEvent or Markets.MarketCreated ? recorded.Stream.Key : null,
        Reads,
        Apply);

    private static void Reads(Recorded recorded, IRowRequests requests)
    {
        var market = recorded.Stream.Key;
        switch (recorded.Data)
        {
            case TradeExecuted e:
                requests.Add(Positions, new RowKey(market, e.Account.Value, e.Outcome));
                break;
            case PoolEvent e:
                requests.Add(Outcomes, new RowKey(market));
                requests.Add(LpPositions, new RowKey(market, e.Account.Value));
                foreach (var outcome in requests.Peek(Outcomes, new RowKey(market))?.Outcomes ?? [])
                {
                    requests.Add(Positions, new RowKey(market, e.Account.Value, outcome));
                }

                break;
        }
    }

    private static void Apply(Recorded recorded, IRows rows)
    {
        var market = recorded.Stream.Key;
        switch (recorded.Data)
        {
            case Markets.MarketCreated e:
                rows.Put(Outcomes, new OutcomesRow(market, [.. e.Outcomes]));
                break;
            case TradeExecuted e:
                rows.Put(Positions, Traded(Held(rows, recorded, e.Account.Value, e.Outcome), e));
                break;
            case LiquidityAdded e:
                var back = Receive(rows, recorded, e, e.Back);
                var before = Part(rows, recorded, e);
                rows.Put(LpPositions, before with
                {
                    LpShares = before.LpShares + e.Minted.Units,
                    Deposited = before.Deposited + e.Amount.Units - back,
                    FeesClaimed = before.FeesClaimed + e.Claimed.Units,
                });
                break;
            case LiquidityRemoved e:
                var left = Receive(rows, recorded, e, e.Left);
                var held = Part(rows, recorded, e);
                rows.Put(LpPositions, held with
                {
                    LpShares = held.LpShares - e.LpShares.Units,
                    Withdrawn = held.Withdrawn + e.Merged.Units + left,
                    FeesClaimed = held.FeesClaimed + e.Claimed.Units,
                });
                break;
        }
    }

    private static PositionRow Traded(PositionRow row, TradeExecuted e)
    {
        if (e.Side == TradeSide.Buy)
        {
            return row with { Shares = row.Shares + e.Shares.Units, Cost = row.Cost + e.Amount.Units };
        }

        if (e.Shares.Units > row.Shares)
        {
            throw new InvalidOperationException($"{row.AccountId} sells {e.Shares} {row.Outcome} of {row.MarketId} and holds fewer.");
        }

        var cost = CostBasis.OfSold(row.Cost, e.Shares.Units, row.Shares);
        return row with { Shares = row.Shares - e.Shares.Units, Cost = row.Cost - cost, Realized = row.Realized + e.Amount.Units - cost };
    }

    /// <summary>Shares that liquidity gave to the account, at their prices now; returns their value.</summary>
    private static Int128 Receive(IRows rows, Recorded recorded, PoolEvent e, EquatableArray<Shares> received)
    {
        var names = rows.Find(Outcomes, new RowKey(recorded.Stream.Key))?.Outcomes
                    ?? throw new InvalidOperationException($"Liquidity comes before market {recorded.Stream.Key} is created.");
        Int128 all = 0;
        for (var o = 0; o < received.Count; o++)
        {
            if (received[o] > Shares.Zero)
            {
                var row = Held(rows, recorded, e.Account.Value, names[o]);
                var value = CostBasis.Worth(received[o], e.Prices[o]);
                rows.Put(Positions, row with { Shares = row.Shares + received[o].Units, Cost = row.Cost + value });
                all += value;
            }
        }

        return all;
    }

    private static PositionRow Held(IRows rows, Recorded recorded, string account, string outcome)
    {
        var row = rows.Find(Positions, new RowKey(recorded.Stream.Key, account, outcome)) ?? new PositionRow(recorded.Stream.Key, account, outcome, 0, 0, 0, default, 0);
        return row with { UpdatedAt = recorded.At, Position = recorded.Position };
    }

    private static LpPositionRow Part(IRows rows, Recorded recorded, PoolEvent e) =>
        (rows.Find(LpPositions, new RowKey(recorded.Stream.Key, e.Account.Value)) ?? new LpPositionRow(recorded.Stream.Key, e.Account.Value, 0, 0, 0, 0, default, 0)) with
        {
            UpdatedAt = recorded.At,
            Position = recorded.Position,
        };
}

using Mbp.Domain.Markets;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using Mbp.Ledger.Reading;
using NodaTime;

namespace Mbp.Domain.Pricing;

/// <summary>Fills <see cref="PriceTables"/>: every change of a pool is a quote, and everything there follows from the quotes.</summary>
public static class PriceProjection
{
    private static readonly Duration Minute = Duration.FromMinutes(1);
    private static readonly Duration FiveMinutes = Duration.FromMinutes(5);
    private static readonly Duration Longest = Duration.FromMinutes(15);

    /// <summary>Averages over windows that end at any instant need the quotes themselves, which are in the table.</summary>
    private static readonly Tail<QuoteRow, PriceWindow> Recent = new(
        PriceTables.Quotes, Longest, () => new PriceWindow(Longest), (window, row) => window.Add(row.At, row.Price));

    public static readonly TableProjection Projection = new(
        "prices", 1, [PriceTables.Quotes, PriceTables.Board, PriceTables.Twap, PriceTables.Candles, PriceTables.Quality],
        recorded => recorded.Data is PoolEvent or MarketCreated ? recorded.Stream.Key : null,
        Reads,
        Apply);

    private static void Reads(Recorded recorded, IRowRequests requests)
    {
        if (recorded.Data is PoolEvent e)
        {
            var (market, minute) = (new RowKey(recorded.Stream.Key), RowKey.Of(recorded.Stream.Key, MinuteOf(e.At)));
            requests.Add(PriceTables.Board, market);
            requests.Add(PriceTables.Twap, market);
            requests.Add(PriceTables.Candles, minute);
            requests.Add(PriceTables.Quality, minute);
            requests.Add(Recent, market);
        }
    }

    private static void Apply(Recorded recorded, IRows rows)
    {
        var market = recorded.Stream.Key;
        if (recorded.Data is MarketCreated e)
        {
            var none = Pool.Empty([.. e.Outcomes], e.FeePpm);
            rows.Put(PriceTables.Board, new BoardRow(
                market, [.. e.Outcomes], none.Prices, none.Reserves, 0, 0, e.FeePpm, 0, 0, 0, e.ClosesAt, LastTradeAt: null, recorded.Version, recorded.Position));
            return;
        }

        var change = (PoolEvent)recorded.Data;
        var board = After(
            rows.Find(PriceTables.Board, new RowKey(market)) ?? throw new InvalidOperationException($"A pool changes before market {market} is created."), change, recorded);
        rows.Put(PriceTables.Board, board);

        var window = rows.Find(Recent, new RowKey(market));
        window.Add(change.At, change.Prices[0]);
        var before = rows.Find(PriceTables.Twap, new RowKey(market));
        var sums = before is null ? EquatableArray.Own(new PriceSum[change.Prices.Count]) : PriceSum.After(before.Sums, before.Prices, change.At - before.At);
        var averages = new TwapRow(
            market, change.At, change.Prices, sums, window.Average(change.At, Minute), window.Average(change.At, FiveMinutes), window.Average(change.At, Longest));
        rows.Put(PriceTables.Twap, averages);

        var traded = (change as TradeExecuted)?.Amount.Units ?? 0;
        var pool = board.Pool;
        rows.Append(PriceTables.Quotes, new QuoteRow(
            market, change.At, change.Prices[0], traded, pool.IsOpen ? Depth.Of(pool.Reserves.AsSpan(), 0).Shares.Units : 0, averages.Twap5m));
        rows.Put(PriceTables.Candles, Candle(rows, change, market, sums, traded));
        rows.Put(PriceTables.Quality, Quality(rows, change, market, pool));
    }

    private static BoardRow After(BoardRow row, PoolEvent change, Recorded recorded)
    {
        row = row with { Prices = change.Prices, Version = recorded.Version, Position = recorded.Position };
        switch (change)
        {
            case LiquidityAdded e:
                return row with { Reserves = Changed(row.Reserves, e.Kept, 1), Locked = row.Locked + e.Amount.Units, LpSupply = row.LpSupply + e.Minted.Units };
            case LiquidityRemoved e:
                return row with { Reserves = Changed(row.Reserves, e.Out, -1), Locked = row.Locked - e.Merged.Units, LpSupply = row.LpSupply - e.LpShares.Units };
            case TradeExecuted e:
                var outcome = row.Outcomes.ToList().IndexOf(e.Outcome);
                return row with
                {
                    Reserves = EquatableArray.Own(Cpmm.After(row.Reserves.AsSpan(), outcome, e.Side, e.Net.Units, e.Shares.Units)),
                    Locked = row.Locked + (e.Side == TradeSide.Buy ? e.Net.Units : -e.Net.Units),
                    Fees = row.Fees + e.Fee.Units,
                    Volume = row.Volume + e.Amount.Units,
                    Trades = row.Trades + 1,
                    LastTradeAt = e.At,
                };
            default:
                throw new InvalidOperationException($"{change.GetType().Name} is no event of a pool.");
        }
    }

    private static CandleRow Candle(IRows rows, PoolEvent change, string market, EquatableArray<PriceSum> sums, long traded)
    {
        var (minute, trades) = (MinuteOf(change.At), change is TradeExecuted ? 1 : 0);
        return rows.Find(PriceTables.Candles, RowKey.Of(market, minute)) is { } row
            ? row with
            {
                High = Each(row.High, change.Prices, static (one, other) => one > other ? one : other),
                Low = Each(row.Low, change.Prices, static (one, other) => one < other ? one : other),
                Close = change.Prices,
                Volume = row.Volume + traded,
                Trades = row.Trades + trades,
                QuotedAt = change.At,
                Sums = sums,
            }
            : new CandleRow(market, minute, change.Prices, change.Prices, change.Prices, change.Prices, traded, trades, change.At, sums);
    }

    private static QualityRow Quality(IRows rows, PoolEvent change, string market, Pool pool)
    {
        var minute = MinuteOf(change.At);
        var quality = new Lazy<PoolQuality>(() => PoolQuality.Of(pool));
        var row = rows.Find(PriceTables.Quality, RowKey.Of(market, minute)) ?? new QualityRow(market, minute, 0, 0, 0, quality);
        var slippage = (change as TradeExecuted)?.SlippagePpm ?? 0;
        return row with
        {
            Trades = row.Trades + (change is TradeExecuted ? 1 : 0),
            SlippageSum = row.SlippageSum + slippage,
            SlippageMax = Math.Max(row.SlippageMax, slippage),
            Quality = quality,
        };
    }

    private static Instant MinuteOf(Instant at) => TwapDecider.LastTick(at);

    private static EquatableArray<Shares> Changed(EquatableArray<Shares> reserves, EquatableArray<Shares> by, int sign)
    {
        var after = new Shares[reserves.Count];
        for (var o = 0; o < after.Length; o++)
        {
            after[o] = new Shares(reserves[o].Units + sign * by[o].Units);
        }

        return EquatableArray.Own(after);
    }

    private static EquatableArray<Price> Each(EquatableArray<Price> left, EquatableArray<Price> right, Func<Price, Price, Price> choose)
    {
        var chosen = new Price[left.Count];
        for (var o = 0; o < chosen.Length; o++)
        {
            chosen[o] = choose(left[o], right[o]);
        }

        return EquatableArray.Own(chosen);
    }
}

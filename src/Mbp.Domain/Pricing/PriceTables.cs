using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger.Reading;
using NodaTime;

namespace Mbp.Domain.Pricing;

/// <summary>A row of <c>mbp_quotes</c> (C4): outcome 0's price after a change of the pool.</summary>
/// <param name="MarketId">The market.</param>
/// <param name="At">When.</param>
/// <param name="Price">Outcome 0's marginal price.</param>
/// <param name="Volume">Cash that a trade moved, fee included; 0 for liquidity.</param>
/// <param name="Depth">Shares that move the price by 2 %, the thinner side (spec D8); 0 in an empty pool.</param>
/// <param name="Twap5m">The average over the five minutes before (spec D10).</param>
public sealed record QuoteRow(string MarketId, Instant At, Price Price, long Volume, long Depth, Price Twap5m);

/// <summary>A row of <c>mbp_market_board</c>: a market's pool and turnover at a glance.</summary>
public sealed record BoardRow(
    string MarketId,
    IReadOnlyList<string> Outcomes,
    EquatableArray<Price> Prices,
    EquatableArray<Shares> Reserves,
    long Locked,
    long LpSupply,
    int FeePpm,
    Int128 Fees,
    Int128 Volume,
    long Trades,
    Instant ClosesAt,
    Instant? LastTradeAt,
    long Version,
    long Position)
{
    /// <summary>The pool as far as prices and quality go: without its holders.</summary>
    public Pool Pool => Pool.Empty([.. Outcomes], FeePpm) with
    {
        Prices = Prices, Reserves = Reserves, Locked = new Credits(Locked), LpSupply = new LpShares(LpSupply),
    };
}

/// <summary>A row of <c>mbp_twap</c>: the integrals of each outcome's price and of its square up to the last quote, and outcome 0's averages then.</summary>
public sealed record TwapRow(string MarketId, Instant At, EquatableArray<Price> Prices, EquatableArray<PriceSum> Sums, Price Twap1m, Price Twap5m, Price Twap15m);

/// <summary>
/// A row of <c>mbp_candles</c>: a minute with quotes. The integrals up to its last quote make every average that ends on a minute a difference
/// of two rows (spec 3.7).
/// </summary>
public sealed record CandleRow(
    string MarketId,
    Instant Minute,
    EquatableArray<Price> Open,
    EquatableArray<Price> High,
    EquatableArray<Price> Low,
    EquatableArray<Price> Close,
    Int128 Volume,
    long Trades,
    Instant QuotedAt,
    EquatableArray<PriceSum> Sums);

/// <summary>A row of <c>mbp_market_quality</c> (C9): how well a market could be traded, minute by minute.</summary>
/// <param name="MarketId">The market.</param>
/// <param name="Minute">The minute.</param>
/// <param name="Trades">Trades in it.</param>
/// <param name="SlippageSum">The sum of their slippages, parts per million (spec D12).</param>
/// <param name="SlippageMax">The largest.</param>
/// <param name="Quality">Spread and depth at the minute's last quote: computed when the row is written, as only the last one counts.</param>
public sealed record QualityRow(string MarketId, Instant Minute, long Trades, long SlippageSum, long SlippageMax, Lazy<PoolQuality> Quality);

/// <param name="SpreadPpm">Spec D9, for 100 CE$; null where the pool is too small for it.</param>
/// <param name="DepthShares">Spec D8, in units.</param>
/// <param name="DepthCash">The same in CE$.</param>
public sealed record PoolQuality(long? SpreadPpm, long DepthShares, long DepthCash)
{
    private static readonly Credits Reference = new(100 * Decimal8.One);

    public static PoolQuality Of(Pool pool)
    {
        ArgumentNullException.ThrowIfNull(pool);
        if (!pool.IsOpen)
        {
            return new PoolQuality(null, 0, 0);
        }

        _ = Spread.Of(pool, 0, Reference, out var spread);
        var depth = Depth.Of(pool.Reserves.AsSpan(), 0);
        return new PoolQuality(spread?.Ppm, depth.Shares.Units, depth.Cash.Units);
    }
}

/// <summary>What everybody looks at: quotes, the board, averages, candles and quality.</summary>
public static class PriceTables
{
    public static readonly Table<QuoteRow> Quotes = new Table<QuoteRow>("mbp_quotes")
        .Text("market_id", r => r.MarketId)
        .Time("ts", r => r.At)
        .Amount("price", r => r.Price.Units)
        .Amount("volume", r => r.Volume)
        .Amount("depth_2pct", r => r.Depth)
        .Amount("twap_5m", r => r.Twap5m.Units, nullable: true)
        .Key("market_id", "ts")
        .Found(
            r => RowKey.Of(r.MarketId, r.At),
            read => new QuoteRow(read.Text(), read.Time(), new Price(read.Amount()), read.Amount(), read.Amount(), new Price(read.AmountOrNull() ?? 0)),
            isRewritten: false);

    public static readonly Table<BoardRow> Board = new Table<BoardRow>("mbp_market_board")
        .Text("market_id", r => r.MarketId)
        .Texts("outcomes", r => r.Outcomes)
        .Amounts("prices", r => Units(r.Prices))
        .Amounts("reserves", r => [.. r.Reserves.Select(reserve => reserve.Units)])
        .Amount("locked", r => r.Locked)
        .Amount("lp_supply", r => r.LpSupply)
        .Whole("fee_ppm", r => r.FeePpm)
        .Sum("fees", r => r.Fees)
        .Sum("volume", r => r.Volume)
        .Whole("trades", r => r.Trades)
        .Time("closes_at", r => r.ClosesAt)
        .Time("last_trade_at", r => r.LastTradeAt, nullable: true)
        .Whole("version", r => r.Version)
        .Whole("position", r => r.Position)
        .Key("market_id")
        .Found(
            r => new RowKey(r.MarketId),
            read => new BoardRow(
                read.Text(), read.Texts(), Prices(read.Amounts()), [.. read.Amounts().Select(units => new Shares(units))], read.Amount(), read.Amount(),
                (int)read.Whole(), read.Sum(), read.Sum(), read.Whole(), read.Time(), read.TimeOrNull(), read.Whole(), read.Whole()));

    public static readonly Table<TwapRow> Twap = new Table<TwapRow>("mbp_twap")
        .Text("market_id", r => r.MarketId)
        .Time("quoted_at", r => r.At)
        .Amounts("prices", r => Units(r.Prices))
        .Integrals("c1", r => [.. r.Sums.Select(sum => sum.C1)])
        .Integrals("c2", r => [.. r.Sums.Select(sum => sum.C2)])
        .Amount("twap_1m", r => r.Twap1m.Units)
        .Amount("twap_5m", r => r.Twap5m.Units)
        .Amount("twap_15m", r => r.Twap15m.Units)
        .Key("market_id")
        .Found(
            r => new RowKey(r.MarketId),
            read => new TwapRow(
                read.Text(), read.Time(), Prices(read.Amounts()), Sums(read.Integrals(), read.Integrals()),
                new Price(read.Amount()), new Price(read.Amount()), new Price(read.Amount())));

    public static readonly Table<CandleRow> Candles = new Table<CandleRow>("mbp_candles")
        .Text("market_id", r => r.MarketId)
        .Time("minute", r => r.Minute)
        .Amounts("open", r => Units(r.Open))
        .Amounts("high", r => Units(r.High))
        .Amounts("low", r => Units(r.Low))
        .Amounts("close", r => Units(r.Close))
        .Sum("volume", r => r.Volume)
        .Whole("trades", r => r.Trades)
        .Time("quoted_at", r => r.QuotedAt)
        .Integrals("c1", r => [.. r.Sums.Select(sum => sum.C1)])
        .Integrals("c2", r => [.. r.Sums.Select(sum => sum.C2)])
        .Key("market_id", "minute")
        .Found(
            r => RowKey.Of(r.MarketId, r.Minute),
            read => new CandleRow(
                read.Text(), read.Time(), Prices(read.Amounts()), Prices(read.Amounts()), Prices(read.Amounts()), Prices(read.Amounts()),
                read.Sum(), read.Whole(), read.Time(), Sums(read.Integrals(), read.Integrals())));

    public static readonly Table<QualityRow> Quality = new Table<QualityRow>("mbp_market_quality")
        .Text("market_id", r => r.MarketId)
        .Time("minute", r => r.Minute)
        .Whole("trades", r => r.Trades)
        .Whole("slippage_sum_ppm", r => r.SlippageSum)
        .Whole("slippage_max_ppm", r => r.SlippageMax)
        .Whole("spread_ppm", r => r.Quality.Value.SpreadPpm, nullable: true)
        .Amount("depth_2pct", r => r.Quality.Value.DepthShares)
        .Amount("depth_2pct_ce", r => r.Quality.Value.DepthCash)
        .Key("market_id", "minute")
        .Found(r => RowKey.Of(r.MarketId, r.Minute), ReadQuality);

    private static QualityRow ReadQuality(IRowReader read)
    {
        var (market, minute, trades, sum, max) = (read.Text(), read.Time(), read.Whole(), read.Whole(), read.Whole());
        var quality = new PoolQuality(read.WholeOrNull(), read.Amount(), read.Amount());
        return new QualityRow(market, minute, trades, sum, max, new Lazy<PoolQuality>(quality));
    }

    private static EquatableArray<Price> Prices(IReadOnlyList<long> units) => [.. units.Select(price => new Price(price))];

    private static long[] Units(EquatableArray<Price> prices)
    {
        var units = new long[prices.Count];
        for (var i = 0; i < units.Length; i++)
        {
            units[i] = prices[i].Units;
        }

        return units;
    }

    private static EquatableArray<PriceSum> Sums(IReadOnlyList<Int128> c1, IReadOnlyList<Int128> c2) => [.. c1.Zip(c2, (first, second) => new PriceSum(first, second))];
}

using System.Numerics;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Cli.Pricing;

/// <summary>
/// A step function of exact prices with its running integral, so that the average over any window is exact (spec D10). Prices count 10^-Scale,
/// time counts ticks of 100 ns.
/// </summary>
internal sealed class PriceSeries
{
    private const int MostDecimals = 8;

    private readonly long[] _times;
    private readonly BigInteger[] _prices;
    private readonly BigInteger[] _sums;

    public PriceSeries(IReadOnlyCollection<(Instant At, ExactDecimal Price)> quotes)
    {
        Scale = quotes.Max(quote => quote.Price.Scale);
        // A stable sort: of several quotes at one instant the last in the file holds.
        var ordered = quotes.OrderBy(quote => quote.At).ToArray();
        _times = Array.ConvertAll(ordered, quote => quote.At.ToUnixTimeTicks());
        _prices = Array.ConvertAll(ordered, quote => quote.Price.At(Scale));
        _sums = new BigInteger[ordered.Length];
        for (var i = 1; i < ordered.Length; i++)
        {
            _sums[i] = _sums[i - 1] + _prices[i - 1] * (_times[i] - _times[i - 1]);
        }
    }

    public int Scale { get; }

    public Instant First => Instant.FromUnixTimeTicks(_times[0]);

    public Instant Last => Instant.FromUnixTimeTicks(_times[^1]);

    /// <summary>Whether any price is below zero.</summary>
    public bool IsNegative => _prices.Any(price => price.Sign < 0);

    /// <summary>
    /// The quotes in units of the ledger's prices, which have 8 decimals: rounded down, and where the integral of the squares would outgrow 128
    /// bits up to <paramref name="end"/> with fewer decimals. The rules on halts compare a price with its own average, so the unit does not matter.
    /// </summary>
    public (IReadOnlyList<(Instant At, Price Price)> Quotes, int Decimals) InUnits(Instant end)
    {
        var (top, span) = (_prices.Max(), new BigInteger(Math.Max(end.ToUnixTimeTicks(), _times[^1]) - _times[0] + 1));
        var decimals = MostDecimals;
        while (Unit(top, decimals) > Decimal8.Max || BigInteger.Pow(Unit(top, decimals), 2) * span > (BigInteger)Int128.MaxValue)
        {
            decimals--;
        }

        return ([.. _times.Zip(_prices, (time, price) => (Instant.FromUnixTimeTicks(time), new Price((long)Unit(price, decimals))))], decimals);
    }

    private BigInteger Unit(BigInteger price, int decimals) =>
        decimals >= Scale ? price * BigInteger.Pow(10, decimals - Scale) : price / BigInteger.Pow(10, Scale - decimals);

    /// <summary>The window that ends at <paramref name="at"/>, which is not before the first quote.</summary>
    public PriceWindow Window(Instant at, Duration length)
    {
        var end = at.ToUnixTimeTicks();
        var open = end - length.BclCompatibleTicks;
        var start = Math.Max(open, _times[0]);
        var sum = SumAt(end) - SumAt(start);
        return new PriceWindow(
            _prices[IndexAt(end)], sum, end - start, IndexAt(end) - IndexAt(open), CarryIn: open >= _times[0], BigInteger.Pow(10, Scale));
    }

    private BigInteger SumAt(long time) => IndexAt(time) is var i && i < 0 ? 0 : _sums[i] + _prices[i] * (time - _times[i]);

    /// <summary>The last quote at or before a time; -1 if there is none.</summary>
    private int IndexAt(long time)
    {
        var (low, high) = (0, _times.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = _times[middle] <= time ? (middle + 1, high) : (low, middle);
        }

        return low - 1;
    }
}

/// <summary>One window's exact figures.</summary>
/// <param name="Last">The price at its end.</param>
/// <param name="Sum">The integral over its covered part.</param>
/// <param name="CoveredTicks">The covered part, in ticks of 100 ns.</param>
/// <param name="Points">Quotes after its start, up to its end.</param>
/// <param name="CarryIn">Whether a quote stood at its start.</param>
/// <param name="One">What the prices count as 1.</param>
internal sealed record PriceWindow(BigInteger Last, BigInteger Sum, long CoveredTicks, int Points, bool CarryIn, BigInteger One)
{
    private const int Decimals = 8;

    public string LastPrice => ExactDecimal.Floor(Last, One, Decimals);

    public string Twap => CoveredTicks == 0 ? LastPrice : ExactDecimal.Floor(Sum, CoveredTicks * One, Decimals);

    /// <summary>|last - twap| / twap; empty where the average is 0.</summary>
    public string Divergence => CoveredTicks == 0 ? ExactDecimal.Floor(0, 1, Decimals) : Sum.IsZero ? "" : ExactDecimal.Floor(Distance, BigInteger.Abs(Sum), Decimals);

    /// <summary>Strictly more than so many basis points from the average, in integers (spec D10, D11).</summary>
    public bool Breaches(int basisPoints) => Distance * 10_000 > basisPoints * BigInteger.Abs(Sum);

    private BigInteger Distance => BigInteger.Abs(Last * CoveredTicks - Sum);
}

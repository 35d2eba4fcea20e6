using System.Globalization;
using System.Numerics;
using System.Text.Json.Nodes;

namespace Mbp.Host.Tests.Hosting;

/// <summary>
/// A market recomputed from what the API says of its events, in big integers and with none of the product's own arithmetic:
/// spec part 3, D1 to D7. Amounts are units of 1e-8.
/// </summary>
internal sealed class MarketBook
{
    private const long One = 100_000_000;

    private readonly Dictionary<string, BigInteger[]> _shares = [];
    private readonly Dictionary<string, BigInteger> _lp = [];
    private readonly Dictionary<string, BigInteger> _feeEntry = [];
    private BigInteger _feeIndex;
    private BigInteger _feeRest;

    public IReadOnlyList<string> Outcomes { get; private set; } = [];

    public BigInteger[] Reserves { get; private set; } = [];

    public BigInteger Locked { get; private set; }

    public BigInteger Fees { get; private set; }

    public BigInteger LpSupply { get; private set; }

    public int Trades { get; private set; }

    /// <summary>Times and prices of outcome 0 at each quote, in order.</summary>
    public List<(DateTimeOffset At, BigInteger Price)> Quotes { get; } = [];

    public DateTimeOffset? ClosedAt { get; private set; }

    public static async Task<MarketBook> OfAsync(Api api, string market)
    {
        var book = new MarketBook();
        foreach (var item in await api.EventsAsync(market))
        {
            book.Apply((string)item["type"]!, item["data"]!.AsObject());
        }

        return book;
    }

    public static BigInteger Units(string? text)
    {
        var parts = (text ?? "0").Split('.');
        return BigInteger.Parse(parts[0], CultureInfo.InvariantCulture) * One
               + (parts.Length == 1 ? 0 : BigInteger.Parse(parts[1].PadRight(8, '0'), CultureInfo.InvariantCulture));
    }

    /// <summary>What each account is paid under a vector; and what rounding leaves.</summary>
    public (Dictionary<string, BigInteger> Payouts, BigInteger Dust) Settle(IReadOnlyList<BigInteger> vector)
    {
        Assert.Equal(One, vector.Aggregate(BigInteger.Zero, (sum, q) => sum + q));
        BigInteger Worth(BigInteger[] shares) => shares.Zip(vector, (s, q) => s * q).Aggregate(BigInteger.Zero, (sum, x) => sum + x) / One;
        var pool = Worth(Reserves);
        var payouts = _shares.ToDictionary(
            pair => pair.Key,
            pair => Worth(pair.Value) + (_lp.TryGetValue(pair.Key, out var lp) ? pool * lp / LpSupply + Claim(pair.Key) : 0));
        return (payouts, Locked + Fees - payouts.Values.Aggregate(BigInteger.Zero, (sum, x) => sum + x));
    }

    /// <summary>The average price of outcome 0 over a window, by left-closed steps (D10); a price where nothing is covered.</summary>
    public BigInteger Twap(DateTimeOffset at, TimeSpan window)
    {
        var start = at - window < Quotes[0].At ? Quotes[0].At : at - window;
        var sum = BigInteger.Zero;
        for (var i = 0; i < Quotes.Count; i++)
        {
            var from = Quotes[i].At < start ? start : Quotes[i].At;
            var to = i + 1 < Quotes.Count && Quotes[i + 1].At < at ? Quotes[i + 1].At : at;
            sum += to > from ? Quotes[i].Price * (to - from).Ticks : 0;
        }

        return at == start ? Quotes.Last(q => q.At <= at).Price : sum / (at - start).Ticks;
    }

    private void Apply(string type, JsonObject data)
    {
        var account = (string?)data["account"] ?? "";
        switch (type)
        {
            case "market_created":
                Outcomes = [.. data["outcomes"]!.AsArray().Select(o => (string)o!)];
                Reserves = new BigInteger[Outcomes.Count];
                return;
            case "market_closed":
                ClosedAt = At(data);
                return;
            case "liquidity_added":
                var (kept, amount, minted) = (List(data["kept"]), Units((string?)data["amount"]), Units((string?)data["minted"]));
                Take(account, (string?)data["claimed"]);
                for (var i = 0; i < Reserves.Length; i++)
                {
                    Reserves[i] += kept[i];
                    SharesOf(account)[i] += amount - kept[i];
                }

                (Locked, LpSupply) = (Locked + amount, LpSupply + minted);
                _lp[account] = _lp.GetValueOrDefault(account) + minted;
                break;
            case "liquidity_removed":
                var (taken, lp) = (List(data["out"]), Units((string?)data["lpShares"]));
                var merged = taken.Min();
                Assert.Equal(merged, Units((string?)data["merged"]));
                Take(account, (string?)data["claimed"]);
                for (var i = 0; i < Reserves.Length; i++)
                {
                    Reserves[i] -= taken[i];
                    SharesOf(account)[i] += taken[i] - merged;
                }

                (Locked, LpSupply) = (Locked - merged, LpSupply - lp);
                _lp[account] -= lp;
                break;
            case "trade_executed":
                Trade(account, data);
                break;
            default:
                return;
        }

        Quotes.Add((At(data), Units((string?)data["prices"]![0])));
        Check();
    }

    private void Trade(string account, JsonObject data)
    {
        var (outcome, buy) = (Outcomes.ToList().IndexOf((string)data["outcome"]!), (string)data["side"]! == "buy");
        var (shares, amount, fee) = (Units((string?)data["shares"]), Units((string?)data["amount"]), Units((string?)data["fee"]));
        var net = buy ? amount - fee : amount + fee;
        var before = Reserves.Aggregate(BigInteger.One, (product, r) => product * r);
        for (var i = 0; i < Reserves.Length; i++)
        {
            Reserves[i] += (buy ? net : -net) + (i == outcome ? buy ? -shares : shares : 0);
        }

        // D6: a trade never makes the pool poorer.
        Assert.True(Reserves.Aggregate(BigInteger.One, (product, r) => product * r) >= before, $"K fell at {data.ToJsonString()}");
        SharesOf(account)[outcome] += buy ? shares : -shares;
        Locked += buy ? net : -net;
        Fees += fee;
        var flow = (fee << 64) + _feeRest;
        (_feeIndex, _feeRest) = (_feeIndex + flow / LpSupply, flow % LpSupply);
        Trades++;
    }

    // D5: what the account's LP shares earned since it last claimed.
    private BigInteger Claim(string account) =>
        _lp.TryGetValue(account, out var lp) ? lp * (_feeIndex - _feeEntry.GetValueOrDefault(account)) >> 64 : 0;

    private void Take(string account, string? claimed)
    {
        Assert.Equal(Claim(account), Units(claimed));
        Fees -= Claim(account);
        _feeEntry[account] = _feeIndex;
    }

    // For every outcome: reserve + all holdings = what is locked; nobody holds less than nothing; LP shares add up (Q4.I1, I2, I6).
    private void Check()
    {
        for (var i = 0; i < Reserves.Length; i++)
        {
            Assert.Equal(Locked, Reserves[i] + _shares.Values.Aggregate(BigInteger.Zero, (sum, s) => sum + s[i]));
        }

        Assert.Equal(LpSupply, _lp.Values.Aggregate(BigInteger.Zero, (sum, s) => sum + s));
        Assert.All(_shares.Values.SelectMany(s => s).Concat(_lp.Values).Concat(Reserves).Append(Fees), x => Assert.True(x >= 0));
    }

    private BigInteger[] SharesOf(string account)
    {
        if (!_shares.TryGetValue(account, out var shares))
        {
            _shares.Add(account, shares = new BigInteger[Outcomes.Count]);
        }

        return shares;
    }

    private static List<BigInteger> List(JsonNode? node) => [.. node!.AsArray().Select(x => Units((string?)x))];

    private static DateTimeOffset At(JsonObject data) => DateTimeOffset.Parse((string)data["at"]!, CultureInfo.InvariantCulture);
}

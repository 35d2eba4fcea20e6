using Mbp.Domain.Accounts;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Tests.Trading;

/// <summary>Pools and requests for tests, amounts as decimal texts.</summary>
internal static class Pools
{
    public static readonly Instant Noon = Instant.FromUtc(2025, 9, 10, 12, 0);
    public static readonly AccountId House = new("house");
    public static readonly AccountId Ana = new("ana");

    public static Credits Cash(string text) => Credits.TryParse(text, out var value, out var rule) ? value : throw new FormatException(rule);

    public static Shares Shares(string text) => new(Cash(text).Units);

    public static Pool Binary(string amount = "10000", int feePpm = 5000, params long[] hints) => Opened(
        Pool.Empty(["YES", "NO"], feePpm), amount, hints is [] ? [1, 1] : hints);

    public static Pool Opened(Pool empty, string amount, long[] hints) => Applied(empty, LiquidityRules.Open(empty, House, Cash(amount), hints, Noon));

    public static Pool Applied(Pool pool, Decision<PoolEvent> decision)
    {
        Assert.Null(decision.Rejection);
        return Pool.Evolve(pool, Assert.Single(decision.Events));
    }

    public static Decision<PoolEvent> Buy(this Pool pool, string outcome, string amount, string? minShares = null, PriceBounds? bounds = null) =>
        PoolRules.Buy(pool, "t1", Ana, outcome, Cash(amount), minShares is null ? null : Shares(minShares), Noon, bounds);

    public static Decision<PoolEvent> Sell(this Pool pool, string outcome, string shares, string? minReturn = null, PriceBounds? bounds = null) =>
        PoolRules.Sell(pool, "t2", Ana, outcome, Shares(shares), minReturn is null ? null : Cash(minReturn), Noon, bounds);

    public static void Refused(string code, Decision<PoolEvent> decision)
    {
        Assert.Equal(code, decision.Rejection?.Code);
        Assert.Empty(decision.Events);
    }
}

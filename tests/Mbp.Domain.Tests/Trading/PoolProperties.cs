using System.Numerics;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Mbp.Domain.Accounts;
using Mbp.Domain.Settlement;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using Mbp.Ledger.Json;

namespace Mbp.Domain.Tests.Trading;

/// <summary>What holds after any sequence of requests. A sequence is made of bytes, so that a failing one shrinks.</summary>
public sealed class PoolProperties
{
    private static readonly AccountId[] Accounts = [Pools.House, Pools.Ana, new("bob"), new("lia")];

    [Fact]
    public void Every_event_keeps_what_must_hold() => ForAll((before, @event, after) =>
    {
        for (var o = 0; o < after.Outcomes.Count; o++)
        {
            var outcome = o;
            Assert.Equal(after.Locked.Units, after.Reserves[o].Units + after.Holders.Values.Sum(holder => holder.Shares[outcome].Units));
            Assert.True(after.Reserves[o].Units >= Cpmm.MinReserve(after.Outcomes.Count));
        }

        Assert.Equal(after.LpSupply.Units, after.Holders.Values.Sum(holder => holder.LpShares.Units));
        Assert.Equal(Decimal8.One, after.Prices.Sum(price => price.Units));
        Assert.Equal(Cpmm.Prices(after.Reserves.AsSpan()), after.Prices);
        var cash = after.Holders.Values.Sum(holder => holder.Paid.Units - holder.Received.Units);
        Assert.Equal(cash, after.Locked.Units + after.FeePool.Units);
        Assert.True(after.Holders.Keys.Sum(account => after.ClaimableBy(account).Units) <= after.FeePool.Units);

        if (@event is TradeExecuted trade)
        {
            Assert.False(Invariant.IsBreached(before.Reserves.AsSpan(), after.Reserves.AsSpan()));
            Assert.True(Invariant.ErrorE12(before.Reserves.AsSpan(), after.Reserves.AsSpan()) <= 1000);
            Assert.Equal(before.Prices[after.IndexOf(trade.Outcome)], trade.PriceBefore);
            Assert.Equal(after.Prices[after.IndexOf(trade.Outcome)], trade.PriceAfter);
            // A trade too small to move the price leaves it equal, whichever its side.
            var buys = trade.Side == TradeSide.Buy;
            Assert.True(buys ? trade.PriceAfter >= trade.PriceBefore : trade.PriceAfter <= trade.PriceBefore);
            Assert.Equal(buys ? trade.Net + trade.Fee : trade.Net - trade.Fee, trade.Amount);
        }
        else
        {
            // Reserves behind each LP share never shrink.
            for (var o = 0; o < after.Outcomes.Count; o++)
            {
                Assert.True((BigInteger)after.Reserves[o].Units * before.LpSupply.Units >= (BigInteger)before.Reserves[o].Units * after.LpSupply.Units);
            }
        }
    });

    [Fact]
    public void A_sale_takes_the_most_that_keeps_k() => ForAll((before, @event, after) =>
    {
        if (@event is TradeExecuted { Side: TradeSide.Sell } sale)
        {
            var index = before.IndexOf(sale.Outcome);
            // One unit more of cash out of every reserve.
            var more = after.Reserves.Select(reserve => new Shares(reserve.Units - 1));
            Assert.Equal(before.Reserves[index].Units + sale.Shares.Units - sale.Net.Units, after.Reserves[index].Units);
            Assert.True(Product(more) < Product(before.Reserves));
        }
    });

    [Fact]
    public void Pools_and_events_survive_json() => ForAll((_, @event, after) =>
    {
        var type = @event.GetType();
        Assert.Equal(@event, JsonSerializer.Deserialize(JsonSerializer.SerializeToUtf8Bytes(@event, type, LedgerJson.Options), type, LedgerJson.Options));
        Assert.Equal(after, JsonSerializer.Deserialize<Pool>(JsonSerializer.SerializeToUtf8Bytes(after, LedgerJson.Options), LedgerJson.Options));
    });

    [Fact]
    public void Settlement_pays_everything_but_the_dust() => ForAll((_, _, pool) =>
    {
        var n = pool.Outcomes.Count;
        foreach (var vector in (PayoutVector[])[PayoutVector.Winner(n - 1, n), PayoutVector.Void([.. Enumerable.Range(3, n).Select(i => (BigInteger)i)])])
        {
            var plan = SettlementPlan.From(pool, vector);
            var paid = plan.Lines.Sum(line => line.ForShares.Units + (line.ForLiquidity?.Units ?? 0));
            Assert.Equal(pool.Locked.Units, paid + plan.Dust.Units);
            Assert.Equal(pool.FeePool.Units, plan.Lines.Sum(line => line.Fees?.Units ?? 0) + plan.FeeDust.Units);
            // One unit at most for each rounding: a holding, an LP's part, the pool's value.
            Assert.InRange(plan.Dust.Units, 0, 2 * plan.Lines.Count + 1);
            // One unit for each claim ever made and one for each still open.
            Assert.InRange(plan.FeeDust.Units, 0, 200);
        }
    });

    private static void ForAll(Action<Pool, PoolEvent, Pool> check) =>
        Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes => Run(bytes, check)).Check(Config.QuickThrowOnFailure.WithMaxTest(200));

    private static void Run(byte[] bytes, Action<Pool, PoolEvent, Pool> check)
    {
        var pool = Start(bytes.Length > 0 ? bytes[0] : (byte)0);
        for (var i = 1; i + 3 < bytes.Length; i += 4)
        {
            if (Request(pool, bytes.AsSpan(i, 4)) is { Rejection: null } decision)
            {
                var @event = Assert.Single(decision.Events);
                var next = Pool.Evolve(pool, @event);
                check(pool, @event, next);
                pool = next;
            }
        }
    }

    private static Pool Start(byte kind)
    {
        string[] names = ["A", "B", "C", "D", "E"];
        var n = kind % 3 == 0 ? 5 : kind % 3 == 1 ? 2 : 3;
        return Pools.Opened(Pool.Empty([.. names[..n]], kind * 390), "12345.67890123", [.. Enumerable.Range(1, n).Select(i => 1L + i * kind % 7)]);
    }

    private static Decision<PoolEvent> Request(Pool pool, ReadOnlySpan<byte> op)
    {
        var account = Accounts[op[1] % Accounts.Length];
        var index = op[1] / Accounts.Length % pool.Outcomes.Count;
        var outcome = pool.Outcomes[index];
        // From single units to more than the pool holds.
        var size = (op[2] + 1L) * (long)BigInteger.Pow(10, op[3] % 12);
        var holder = pool.HolderOf(account);
        return (op[0] % 10) switch
        {
            < 4 => PoolRules.Buy(pool, "t", account, outcome, new Credits(size), null, Pools.Noon),
            4 => PoolRules.Sell(pool, "t", account, outcome, new Shares(size), null, Pools.Noon),
            5 or 6 => PoolRules.Sell(pool, "t", account, outcome, new Shares(holder.Shares[index].Units / (op[2] % 5 + 1)), null, Pools.Noon),
            7 => LiquidityRules.Add(pool, account, new Credits(size), Pools.Noon),
            _ => LiquidityRules.Remove(pool, account, new LpShares(holder.LpShares.Units / (op[2] % 5 + 1)), Pools.Noon),
        };
    }

    private static BigInteger Product(IEnumerable<Shares> reserves) => reserves.Aggregate(BigInteger.One, (product, reserve) => product * reserve.Units);
}

using Mbp.Domain.Settlement;
using Mbp.Domain.Tests.Trading;
using Mbp.Domain.Units;

namespace Mbp.Domain.Tests.Settlement;

public sealed class PayoutVectorTests
{
    [Theory]
    [InlineData(10, 20, 15, 50_000_000)]
    [InlineData(10, 20, 9, 0)]
    [InlineData(10, 20, 21, 100_000_000)]
    [InlineData(0, 3, 1, 33_333_333)]
    [InlineData(-30, 30, -29, 1_666_666)]
    public void A_scalar_value_splits_between_long_and_short(long lower, long upper, long value, long longShare) =>
        Assert.Equal([new Price(longShare), new Price(Decimal8.One - longShare)], PayoutVector.Scalar(lower, upper, value).Shares);

    [Fact]
    public void A_range_without_length_has_no_vector() => Assert.Throws<ArgumentOutOfRangeException>(() => PayoutVector.Scalar(5, 5, 5));

    [Fact]
    public void A_vector_adds_up_to_one()
    {
        Assert.Throws<ArgumentException>(() => new PayoutVector([new Price(50_000_000), new Price(50_000_001)]));
        Assert.Throws<ArgumentException>(() => new PayoutVector([new Price(Decimal8.One)]));
        Assert.Equal([Price.Zero, new Price(Decimal8.One), Price.Zero], PayoutVector.Winner(1, 3).Shares);
        Assert.Throws<ArgumentOutOfRangeException>(() => PayoutVector.Winner(3, 3));
    }

    [Fact]
    public void A_void_of_two_outcomes_floors_yes_and_of_more_splits_what_is_left()
    {
        Assert.Equal([new Price(66_666_666), new Price(33_333_334)], PayoutVector.Void([2, 1]).Shares);
        Assert.Equal([new Price(33_333_334), new Price(33_333_333), new Price(33_333_333)], PayoutVector.Void([1, 1, 1]).Shares);
    }

    [Fact]
    public void The_plans_root_covers_every_line()
    {
        var pool = Pools.Applied(Pools.Binary(), Pools.Binary().Buy("YES", "100"));
        var plan = SettlementPlan.From(pool, PayoutVector.Winner(0, 2));
        Assert.Equal(["ana 198.01972869 0 0", "house 0 9901.48027131 0.49999999"], plan.Lines.Select(line => line.ToString()));
        Assert.Equal(plan, SettlementPlan.From(pool, PayoutVector.Winner(0, 2)));
        Assert.NotEqual(plan.Root, SettlementPlan.From(pool, PayoutVector.Winner(1, 2)).Root);
    }
}

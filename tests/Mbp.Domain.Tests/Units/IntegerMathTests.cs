using System.Numerics;
using FsCheck;
using FsCheck.Fluent;
using Mbp.Domain.Units;

namespace Mbp.Domain.Tests.Units;

public sealed class IntegerMathTests
{
    [Fact]
    public void Roots_are_exact_on_both_sides_of_a_square() => Prop.ForAll(
        ArbMap.Default.ArbFor<ulong>(),
        root =>
        {
            var square = (UInt128)root * root;
            Assert.Equal((UInt128)root, IntegerMath.FloorSqrt(square));
            Assert.Equal((UInt128)root, IntegerMath.CeilSqrt(square));
            Assert.Equal((UInt128)root + 1, IntegerMath.CeilSqrt(square + 1));
            Assert.Equal((BigInteger)root, IntegerMath.FloorSqrt((BigInteger)square + (root > 0 ? 1 : 0)));
            Assert.Equal((BigInteger)root, IntegerMath.CeilSqrt((BigInteger)square));
            if (root > 1)
            {
                Assert.Equal((UInt128)root - 1, IntegerMath.FloorSqrt(square - 1));
                Assert.Equal((BigInteger)root, IntegerMath.CeilSqrt((BigInteger)square - 1));
            }
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void The_largest_root_of_128_bits_is_exact() => Assert.Equal((UInt128)ulong.MaxValue, IntegerMath.FloorSqrt(UInt128.MaxValue));

    [Fact]
    public void Splitting_loses_nothing_and_breaks_ties_to_the_lowest_index()
    {
        Assert.Equal([34, 33, 33], LargestRemainder.Split(100, [BigInteger.One, BigInteger.One, BigInteger.One]));
        Assert.Equal([16, 17, 67], LargestRemainder.Split(100, [(BigInteger)162, 167, 671]));
    }
}

using Mbp.Benchmarks.Load;

namespace Mbp.Host.Tests;

/// <summary>The benchmarks' figures are only as good as this.</summary>
public sealed class LatencyHistogramTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(511)]
    [InlineData(10_000)]
    [InlineData(123_456_789)]
    [InlineData(3_000_000_000)]
    public void A_percentile_is_off_by_less_than_one_in_a_hundred(long ticks)
    {
        var histogram = new LatencyHistogram();
        histogram.Record(TimeSpan.FromTicks(ticks));
        histogram.Record(TimeSpan.FromTicks(ticks * 3));
        Assert.InRange(histogram.Percentile(0.5).Ticks, ticks * 0.99, ticks * 1.01);
        Assert.Equal(ticks * 3, histogram.Longest.Ticks);
    }

    [Fact]
    public void Percentiles_are_those_of_the_sorted_values()
    {
        var (histogram, other) = (new LatencyHistogram(), new LatencyHistogram());
        for (var ms = 1; ms <= 1_000; ms++)
        {
            (ms % 2 == 0 ? histogram : other).Record(TimeSpan.FromMilliseconds(ms));
        }

        histogram.Add(other);
        Assert.Equal(1_000, histogram.Count);
        Assert.InRange(histogram.Percentile(0.50).TotalMilliseconds, 495, 505);
        Assert.InRange(histogram.Percentile(0.99).TotalMilliseconds, 981, 999);
        Assert.Equal(1_000, histogram.Percentile(1).TotalMilliseconds, 5.0);
    }
}

using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Mbp.Domain.Pricing;
using Mbp.Domain.Settlement;
using Mbp.Domain.Units;
using Mbp.Ledger.Json;
using NodaTime;

namespace Mbp.Domain.Tests.Pricing;

public sealed class TwapTests
{
    private static readonly Instant Start = Instant.FromUtc(2025, 9, 10, 12, 0);
    private static readonly Duration Five = Duration.FromMinutes(5);

    [Fact]
    public void The_track_agrees_with_the_history_at_every_tick() => Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes =>
    {
        var (track, history) = (PriceTrack.Empty, PriceHistory.Empty(Duration.FromDays(1)));
        var at = Start + Duration.FromSeconds(bytes.Length % 60);
        for (var i = 0; i + 1 < bytes.Length; i += 2)
        {
            // Steps of none, of microseconds, of half ticks and of up to an hour.
            at += (bytes[i] % 4) switch
            {
                0 => Duration.Zero,
                1 => Duration.FromTicks(bytes[i] * 10),
                2 => Duration.FromSeconds(15 * (bytes[i] % 8)),
                _ => Duration.FromSeconds(bytes[i] * 14),
            };
            EquatableArray<Price> prices = [new(bytes[i + 1] * 390_625L), new(Decimal8.One - bytes[i + 1] * 390_625L)];
            (track, history) = (track.Observe(prices, at), history.Observe(prices, at));
            // A tick may be judged up to five minutes after later quotes came in.
            var tick = Start + ((at - Start - Five).BclCompatibleTicks / PriceTrack.TickLength.BclCompatibleTicks + 1) * PriceTrack.TickLength;
            for (; tick <= at + Five; tick += PriceTrack.TickLength)
            {
                foreach (var minutes in (int[])[1, 5, 15])
                {
                    Assert.Equal(history.Twap(tick, Duration.FromMinutes(minutes)), track.Twap(tick, Duration.FromMinutes(minutes)));
                }
            }

            Assert.True(track.Ticks.Count <= 41);
        }

        Assert.Equal(track, JsonSerializer.Deserialize<PriceTrack>(JsonSerializer.Serialize(track, LedgerJson.Options), LedgerJson.Options));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void The_requirements_example_gives_100_and_a_divergence_of_exactly_one_percent_is_no_breach()
    {
        var history = PriceHistory.Empty(Duration.FromHours(1));
        long[] prices = [100, 101, 100, 99, 100, 101];
        for (var minute = 0; minute < prices.Length; minute++)
        {
            history = history.Observe([new Price(prices[minute] * Decimal8.One)], Start + Duration.FromMinutes(minute));
        }

        var twap = history.Twap(Start + Five, Five)!;
        Assert.Equal("100", twap.Average(0).ToString());
        Assert.False(twap.DivergesBeyond(0, 100));
        Assert.True(twap.DivergesBeyond(0, 99));
        Assert.Equal(10_000, twap.DivergencePpm(0));
        var more = history.Observe([new Price(101 * Decimal8.One + 1)], Start + Five).Twap(Start + Five, Five)!;
        Assert.True(more.DivergesBeyond(0, 100));
    }

    [Fact]
    public void A_young_market_averages_what_there_is()
    {
        var track = PriceTrack.Empty.Observe([new Price(10)], Start + Duration.FromSeconds(10));
        Assert.Null(track.Twap(Start, Five));
        track = track.Observe([new Price(20)], Start + Duration.FromSeconds(20));
        var twap = track.Twap(Start + Duration.FromSeconds(30), Five)!;
        Assert.Equal((15, Duration.FromSeconds(20).BclCompatibleTicks), (twap.Average(0).Units, twap.CoveredTicks));
        Assert.Equal(20, track.Twap(Start + Duration.FromSeconds(30), Duration.Zero)!.Average(0).Units);
    }

    [Fact]
    public void Of_several_quotes_at_one_instant_the_last_counts()
    {
        var track = PriceTrack.Empty.Observe([new Price(1)], Start).Observe([new Price(7)], Start);
        var history = PriceHistory.Empty(Five).Observe([new Price(1)], Start).Observe([new Price(7)], Start);
        Assert.Equal(7, track.Twap(Start, Five)!.Average(0).Units);
        Assert.Equal(7, track.Twap(Start + Five, Five)!.Average(0).Units);
        Assert.Equal(7, history.Twap(Start + Five, Five)!.Average(0).Units);
    }

    [Fact]
    public void What_is_no_longer_kept_is_an_error_and_not_a_guess()
    {
        var track = PriceTrack.Empty.Observe([new Price(1)], Start).Observe([new Price(2)], Start + Duration.FromHours(1));
        Assert.Throws<InvalidOperationException>(() => track.Twap(Start + Five, Five));
        var history = PriceHistory.Empty(Five).Observe([new Price(1)], Start).Observe([new Price(2)], Start + Five).Observe([new Price(3)], Start + 3 * Five);
        Assert.Equal(2, history.Points.Count);
        Assert.Throws<InvalidOperationException>(() => history.Twap(Start + Five, Five));
        Assert.Equal(2, history.Twap(Start + 3 * Five, Five)!.Average(0).Units);
        Assert.Throws<InvalidOperationException>(() => track.Observe([new Price(1)], Start));
        Assert.Throws<InvalidOperationException>(() => history.Observe([new Price(1)], Start));
    }

    [Fact]
    public void A_sample_outside_the_band_is_beyond_2_58_deviations_and_beyond_one_percent()
    {
        // Half the time 49, half 51: average 50, deviation 1, so the band ends at 52.5758293.
        var history = PriceHistory.Empty(Duration.FromHours(1))
            .Observe([new Price(49_000_000)], Start).Observe([new Price(51_000_000)], Start + Duration.FromSeconds(150));
        var reference = history.Twap(Start + Five, Five)!;
        Assert.False(reference.IsOutside99Band(0, new Price(52_575_829), 100));
        Assert.True(reference.IsOutside99Band(0, new Price(52_575_830), 100));
        Assert.True(reference.IsOutside99Band(0, new Price(47_424_170), 100));
        // A flat reference has no deviation; one percent is what is left of the rule.
        var flat = PriceHistory.Empty(Five).Observe([new Price(50_000_000)], Start).Twap(Start + Five, Five)!;
        Assert.False(flat.IsOutside99Band(0, new Price(50_500_000), 100));
        Assert.True(flat.IsOutside99Band(0, new Price(50_500_001), 100));
    }

    [Fact]
    public void A_voided_market_pays_its_average()
    {
        var history = PriceHistory.Empty(Duration.FromHours(24))
            .Observe([new Price(10_000_001), new Price(89_999_999)], Start).Observe([new Price(20_000_000), new Price(80_000_000)], Start + Five);
        var vector = PayoutVector.Void(history.Twap(Start + 2 * Five, Duration.FromHours(24))!);
        Assert.Equal([new Price(15_000_000), new Price(85_000_000)], vector.Shares);
        Assert.Equal([new Price(20_000_000), new Price(80_000_000)], PayoutVector.Void(history.Twap(Start + Five, Duration.Zero)!).Shares);
    }
}

using System.Text.Json;
using Mbp.Ledger.Json;
using NodaTime;
using NodaTime.Text;
using Xunit;

namespace Mbp.Ledger.Tests.Json;

public sealed class IsoInstantTests
{
    [Fact]
    public void It_writes_and_reads_what_the_extended_pattern_does()
    {
        var random = new Random(5);
        var (first, last) = (Instant.FromUtc(1, 1, 1, 0, 0), Instant.FromUtc(9999, 12, 31, 23, 59, 59));
        foreach (var unit in new[] { 1L, 10, 1_000, 1_000_000, 1_000_000_000 })
        {
            for (var i = 0; i < 2_000; i++)
            {
                var at = first + Duration.FromDays(random.Next(0, 3_652_000)) + Duration.FromNanoseconds(random.NextInt64(0, 86_400_000_000_000) / unit * unit);
                var text = JsonSerializer.Serialize(at, LedgerJson.Options);
                Assert.Equal($"\"{InstantPattern.ExtendedIso.Format(at)}\"", text);
                Assert.Equal(at, JsonSerializer.Deserialize<Instant>(text, LedgerJson.Options));
            }
        }

        Assert.Equal(last, JsonSerializer.Deserialize<Instant>(JsonSerializer.Serialize(last, LedgerJson.Options), LedgerJson.Options));
    }

    [Theory]
    [InlineData("2026-02-29T00:00:00Z")]
    [InlineData("2026-13-01T00:00:00Z")]
    [InlineData("2026-01-01T24:00:01Z")]
    [InlineData("2026-01-01T00:60:00Z")]
    [InlineData("2026-01-01T00:00:60Z")]
    [InlineData("2026-01-01T00:00:00")]
    [InlineData("2026-01-01T00:00:00.Z")]
    [InlineData("2026-01-01T00:00:00.1234567890Z")]
    [InlineData("2026-01-01 00:00:00Z")]
    [InlineData("2026-1-01T00:00:00.0Z")]
    [InlineData("")]
    public void What_is_no_instant_is_refused(string text) =>
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<Instant>(JsonSerializer.Serialize(text), LedgerJson.Options));

    [Fact]
    public void An_escaped_text_is_read_all_the_same() =>
        Assert.Equal(Instant.FromUtc(2026, 1, 1, 0, 0), JsonSerializer.Deserialize<Instant>("\"\\u0032026-01-01T00:00:00Z\"", LedgerJson.Options));
}

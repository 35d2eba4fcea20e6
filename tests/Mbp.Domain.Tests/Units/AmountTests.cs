using System.Text.Json;
using Mbp.Domain.Units;
using Mbp.Ledger.Json;

namespace Mbp.Domain.Tests.Units;

public sealed class AmountTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("12.5", 1_250_000_000)]
    [InlineData("0.00000001", 1)]
    [InlineData("12.50", 1_250_000_000)]
    [InlineData("0.0", 0)]
    [InlineData("9999999999.99999999", 999_999_999_999_999_999)]
    public void A_decimal_text_is_read_exactly(string text, long units)
    {
        Assert.True(Credits.TryParse(text, out var amount, out var rule), rule);
        Assert.Equal(units, amount.Units);
    }

    [Theory]
    [InlineData(null, "empty")]
    [InlineData("", "empty")]
    [InlineData("+1", "sign")]
    [InlineData("-1", "sign")]
    [InlineData("-0", "sign")]
    [InlineData("00", "leading zeros")]
    [InlineData("01.5", "leading zeros")]
    [InlineData("1.", "both sides")]
    [InlineData(".5", "both sides")]
    [InlineData(".", "both sides")]
    [InlineData("1.2.3", "both sides")]
    [InlineData(" 1", "no spaces")]
    [InlineData("1 ", "no spaces")]
    [InlineData("1e3", "exponent")]
    [InlineData("1,5", "separators")]
    [InlineData("NaN", "digits")]
    [InlineData("١", "digits")]
    [InlineData("0.000000001", "8 decimals")]
    [InlineData("1.000000000", "8 decimals")]
    [InlineData("10000000000", "at most 9999999999.99999999")]
    [InlineData("99999999999999999999999999", "at most 9999999999.99999999")]
    public void What_is_no_amount_is_refused_with_the_rule(string? text, string expected)
    {
        Assert.False(Shares.TryParse(text, out var value, out var rule));
        Assert.Equal(Shares.Zero, value);
        Assert.Contains(expected, rule, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(1, "0.00000001")]
    [InlineData(1_250_000_000, "12.5")]
    [InlineData(100_000_000, "1")]
    [InlineData(100_000_010, "1.0000001")]
    [InlineData(999_999_999_999_999_999, "9999999999.99999999")]
    public void The_text_is_canonical(long units, string text) => Assert.Equal(text, new Price(units).ToString());

    [Fact]
    public void Values_cannot_leave_their_range()
    {
        var most = new Credits(Decimal8.Max);
        Assert.Equal(most, new Credits(Decimal8.Max - 1) + new Credits(1));
        Assert.Throws<OverflowException>(() => most + new Credits(1));
        Assert.Equal(Credits.Zero, new Credits(1) - new Credits(1));
        Assert.Throws<OverflowException>(() => Credits.Zero - new Credits(1));
        Assert.Throws<OverflowException>(() => new LpShares(Decimal8.Max + 1));
        Assert.Throws<OverflowException>(() => new LpShares(-1));
        Assert.True(Decimal8.Fits(Decimal8.Max - 1, 1));
        Assert.False(Decimal8.Fits(Decimal8.Max, 1));
    }

    [Fact]
    public void Json_carries_decimal_strings_and_nothing_else()
    {
        Assert.Equal("\"12.5\"", JsonSerializer.Serialize(new Credits(1_250_000_000), LedgerJson.Options));
        Assert.Equal(new Credits(1_250_000_000), JsonSerializer.Deserialize<Credits>("\"12.5\"", LedgerJson.Options));
        foreach (var wrong in (string[])["12.5", "1", "null", "\"1e3\"", "\"0.123456789\"", "\"10000000000\"", "true"])
        {
            Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<Credits>(wrong, LedgerJson.Options));
        }
    }

    [Fact]
    public void Lists_of_values_compare_by_value()
    {
        EquatableArray<Shares> list = [new(1), new(2)];
        Assert.Equal(list, [new Shares(1), new Shares(2)]);
        Assert.NotEqual(list, [new Shares(2), new Shares(1)]);
        Assert.Equal(list.GetHashCode(), ((EquatableArray<Shares>)[new Shares(1), new Shares(2)]).GetHashCode());
        Assert.Equal(default, (EquatableArray<Shares>)[]);
        Assert.Equal("[\"0.00000001\",\"0.00000002\"]", JsonSerializer.Serialize(list, LedgerJson.Options));
        Assert.Equal(list, JsonSerializer.Deserialize<EquatableArray<Shares>>("[\"0.00000001\",\"0.00000002\"]", LedgerJson.Options));
    }
}

using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Pricing;

/// <summary>
/// The integrals of one price over time since its first quote, C1 = sum p dt and C2 = sum p^2 dt (spec 3.7), with p in units and dt in ticks of
/// 100 ns. A window's integral is the difference of two; an average does not depend on the unit of time, so neither does any rounding.
/// </summary>
[JsonConverter(typeof(PriceSumConverter))]
public readonly record struct PriceSum(Int128 C1, Int128 C2)
{
    public static PriceSum operator -(PriceSum left, PriceSum right) => new(left.C1 - right.C1, left.C2 - right.C2);

    /// <summary>The integrals after the price held for a further time.</summary>
    public PriceSum After(Price price, long ticks) =>
        new(C1 + (Int128)price.Units * ticks, C2 + (Int128)price.Units * price.Units * ticks);

    internal static EquatableArray<PriceSum> After(EquatableArray<PriceSum> sums, EquatableArray<Price> prices, Duration time)
    {
        var ticks = time.BclCompatibleTicks;
        var after = new PriceSum[sums.Count];
        for (var i = 0; i < after.Length; i++)
        {
            after[i] = sums[i].After(prices[i], ticks);
        }

        return EquatableArray.Own(after);
    }
}

/// <summary>Two decimal numbers in a string: they outgrow what JSON numbers carry.</summary>
internal sealed class PriceSumConverter : JsonConverter<PriceSum>
{
    public override PriceSum Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.GetString()?.Split(' ') is [var first, var second]
        && Int128.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out var c1)
        && Int128.TryParse(second, NumberStyles.None, CultureInfo.InvariantCulture, out var c2)
            ? new PriceSum(c1, c2)
            : throw new JsonException("A price sum is two whole numbers in a string.");

    public override void Write(Utf8JsonWriter writer, PriceSum value, JsonSerializerOptions options) =>
        writer.WriteStringValue(string.Create(CultureInfo.InvariantCulture, $"{value.C1} {value.C2}"));
}

using System.Text.Json.Serialization;

namespace Mbp.Domain.Units;

/// <summary>A value that a scalar market asks for, or a bound of it, in the question's own unit.</summary>
/// <param name="Units">Units of 1e-8, in [0, 1e18-1] (spec D1).</param>
[JsonConverter(typeof(UnitsConverter<ScalarValue>))]
public readonly record struct ScalarValue(long Units) : IUnits<ScalarValue>
{
    public long Units { get; } = Decimal8.InRange(Units);

    public static ScalarValue FromUnits(long units) => new(units);

    /// <summary>Reads "12.5" strictly; <paramref name="rule"/> says what is wrong with a refused text.</summary>
    public static bool TryParse(string? text, out ScalarValue value, out string? rule)
    {
        var read = Decimal8.TryParse(text, out var units, out rule);
        value = new ScalarValue(units);
        return read;
    }

    public override string ToString() => Decimal8.Format(Units);
}

using System.Text.Json.Serialization;

namespace Mbp.Domain.Units;

/// <summary>Credits for one share, which for an outcome is its probability in [0, 1]; for a scalar market also a quote in its own unit (spec D2).</summary>
/// <param name="Units">Units of 1e-8, in [0, 1e18-1] (spec D1).</param>
[JsonConverter(typeof(UnitsConverter<Price>))]
public readonly record struct Price(long Units) : IUnits<Price>, IComparable<Price>
{
    public long Units { get; } = Decimal8.InRange(Units);

    public static Price Zero => default;

    public static Price FromUnits(long units) => new(units);

    /// <exception cref="OverflowException">The result is out of range.</exception>
    public static Price operator +(Price left, Price right) => new(left.Units + right.Units);

    /// <exception cref="OverflowException">The result is out of range.</exception>
    public static Price operator -(Price left, Price right) => new(left.Units - right.Units);

    public static bool operator <(Price left, Price right) => left.Units < right.Units;

    public static bool operator >(Price left, Price right) => left.Units > right.Units;

    public static bool operator <=(Price left, Price right) => left.Units <= right.Units;

    public static bool operator >=(Price left, Price right) => left.Units >= right.Units;

    /// <summary>Reads "12.5" strictly; <paramref name="rule"/> says what is wrong with a refused text.</summary>
    public static bool TryParse(string? text, out Price value, out string? rule)
    {
        var read = Decimal8.TryParse(text, out var units, out rule);
        value = new Price(units);
        return read;
    }

    public int CompareTo(Price other) => Units.CompareTo(other.Units);

    public override string ToString() => Decimal8.Format(Units);
}

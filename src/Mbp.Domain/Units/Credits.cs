using System.Text.Json.Serialization;

namespace Mbp.Domain.Units;

/// <summary>Play money, CE$. What a market takes in and pays out.</summary>
/// <param name="Units">Units of 1e-8, in [0, 1e18-1] (spec D1).</param>
[JsonConverter(typeof(UnitsConverter<Credits>))]
public readonly record struct Credits(long Units) : IUnits<Credits>, IComparable<Credits>
{
    public long Units { get; } = Decimal8.InRange(Units);

    public static Credits Zero => default;

    /// <summary>So much cash locks so many complete sets: one share-unit of every outcome for each cash-unit (spec D1).</summary>
    public Shares AsCompleteSets() => new(Units);

    public static Credits FromUnits(long units) => new(units);

    /// <exception cref="OverflowException">The result is out of range.</exception>
    public static Credits operator +(Credits left, Credits right) => new(left.Units + right.Units);

    /// <exception cref="OverflowException">The result is out of range.</exception>
    public static Credits operator -(Credits left, Credits right) => new(left.Units - right.Units);

    public static bool operator <(Credits left, Credits right) => left.Units < right.Units;

    public static bool operator >(Credits left, Credits right) => left.Units > right.Units;

    public static bool operator <=(Credits left, Credits right) => left.Units <= right.Units;

    public static bool operator >=(Credits left, Credits right) => left.Units >= right.Units;

    /// <summary>Reads "12.5" strictly; <paramref name="rule"/> says what is wrong with a refused text.</summary>
    public static bool TryParse(string? text, out Credits value, out string? rule)
    {
        var read = Decimal8.TryParse(text, out var units, out rule);
        value = new Credits(units);
        return read;
    }

    public int CompareTo(Credits other) => Units.CompareTo(other.Units);

    public override string ToString() => Decimal8.Format(Units);
}

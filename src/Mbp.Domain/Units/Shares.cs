using System.Text.Json.Serialization;

namespace Mbp.Domain.Units;

/// <summary>Shares of one outcome. One share pays at most one credit (spec D1).</summary>
/// <param name="Units">Units of 1e-8, in [0, 1e18-1] (spec D1).</param>
[JsonConverter(typeof(UnitsConverter<Shares>))]
public readonly record struct Shares(long Units) : IUnits<Shares>, IComparable<Shares>
{
    public long Units { get; } = Decimal8.InRange(Units);

    public static Shares Zero => default;

    /// <summary>So many complete sets merge to so much cash: one cash-unit for one share-unit of every outcome (spec D1).</summary>
    public Credits AsCash() => new(Units);

    public static Shares FromUnits(long units) => new(units);

    /// <exception cref="OverflowException">The result is out of range.</exception>
    public static Shares operator +(Shares left, Shares right) => new(left.Units + right.Units);

    /// <exception cref="OverflowException">The result is out of range.</exception>
    public static Shares operator -(Shares left, Shares right) => new(left.Units - right.Units);

    public static bool operator <(Shares left, Shares right) => left.Units < right.Units;

    public static bool operator >(Shares left, Shares right) => left.Units > right.Units;

    public static bool operator <=(Shares left, Shares right) => left.Units <= right.Units;

    public static bool operator >=(Shares left, Shares right) => left.Units >= right.Units;

    /// <summary>Reads "12.5" strictly; <paramref name="rule"/> says what is wrong with a refused text.</summary>
    public static bool TryParse(string? text, out Shares value, out string? rule)
    {
        var read = Decimal8.TryParse(text, out var units, out rule);
        value = new Shares(units);
        return read;
    }

    public int CompareTo(Shares other) => Units.CompareTo(other.Units);

    public override string ToString() => Decimal8.Format(Units);
}

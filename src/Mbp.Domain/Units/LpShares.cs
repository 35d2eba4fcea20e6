using System.Text.Json.Serialization;

namespace Mbp.Domain.Units;

/// <summary>Parts of the pool: a claim on its reserves and its fees, for those who provide liquidity (spec D4, D5).</summary>
/// <param name="Units">Units of 1e-8, in [0, 1e18-1] (spec D1).</param>
[JsonConverter(typeof(UnitsConverter<LpShares>))]
public readonly record struct LpShares(long Units) : IUnits<LpShares>, IComparable<LpShares>
{
    public long Units { get; } = Decimal8.InRange(Units);

    public static LpShares Zero => default;

    public static LpShares FromUnits(long units) => new(units);

    /// <exception cref="OverflowException">The result is out of range.</exception>
    public static LpShares operator +(LpShares left, LpShares right) => new(left.Units + right.Units);

    /// <exception cref="OverflowException">The result is out of range.</exception>
    public static LpShares operator -(LpShares left, LpShares right) => new(left.Units - right.Units);

    public static bool operator <(LpShares left, LpShares right) => left.Units < right.Units;

    public static bool operator >(LpShares left, LpShares right) => left.Units > right.Units;

    public static bool operator <=(LpShares left, LpShares right) => left.Units <= right.Units;

    public static bool operator >=(LpShares left, LpShares right) => left.Units >= right.Units;

    /// <summary>Reads "12.5" strictly; <paramref name="rule"/> says what is wrong with a refused text.</summary>
    public static bool TryParse(string? text, out LpShares value, out string? rule)
    {
        var read = Decimal8.TryParse(text, out var units, out rule);
        value = new LpShares(units);
        return read;
    }

    public int CompareTo(LpShares other) => Units.CompareTo(other.Units);

    public override string ToString() => Decimal8.Format(Units);
}

using System.Globalization;
using System.Numerics;
using System.Text.Json;
using System.Text.Json.Serialization;
using Mbp.Domain.Units;

namespace Mbp.Domain.Trading;

/// <summary>
/// Fees per LP-share unit since the pool opened, in 2^-64 of a cash unit (spec D5). It only grows; what an account may claim is the growth
/// since its own entry.
/// </summary>
/// <param name="Q64">The value times 2^64.</param>
[JsonConverter(typeof(FeeIndexConverter))]
public readonly record struct FeeIndex(UInt128 Q64)
{
    /// <summary>Spreads a fee over the LP supply. What does not divide is carried to the next fee, so that nothing leaks.</summary>
    internal (FeeIndex Index, UInt128 Carry) Accrue(Credits fee, UInt128 rest, LpShares supply)
    {
        var (perShare, left) = UInt128.DivRem(((UInt128)fee.Units << 64) + rest, (UInt128)supply.Units);
        return (new FeeIndex(Q64 + perShare), left);
    }

    /// <summary>floor(lp * (this - entry) / 2^64).</summary>
    internal Credits Claim(LpShares shares, FeeIndex entry) => new((long)((shares.Units * (BigInteger)(Q64 - entry.Q64)) >> 64));

    public override string ToString() => Q64.ToString(CultureInfo.InvariantCulture);
}

/// <summary>128 bits as a decimal string.</summary>
internal sealed class FeeIndexConverter : JsonConverter<FeeIndex>
{
    public override FeeIndex Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String
        && UInt128.TryParse(reader.GetString(), NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            ? new FeeIndex(value)
            : throw new JsonException("A fee index is a string of decimal digits.");

    public override void Write(Utf8JsonWriter writer, FeeIndex value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}

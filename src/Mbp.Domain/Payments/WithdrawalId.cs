using System.Text.Json.Serialization;
using Mbp.Domain.Units;
using Mbp.Ledger;

namespace Mbp.Domain.Payments;

/// <summary>A withdrawal's id, and the idempotency key under which the rail knows it: one for its whole life, however often it is sent.</summary>
[JsonConverter(typeof(WithdrawalIdConverter))]
public readonly record struct WithdrawalId(string Value)
{
    public StreamId Stream => StreamId.Of("withdrawal", Value);

    public static bool IsValid(string? value) => Identifier.IsValid(value);

    public override string ToString() => Value;
}

/// <summary>
/// Who is paid, as a pseudonymous reference: what it stands for (a PIX key, a name) is known outside of the ledger, and never written here.
/// </summary>
[JsonConverter(typeof(PayeeIdConverter))]
public readonly record struct PayeeId(string Value)
{
    public static bool IsValid(string? value) => Identifier.IsValid(value);

    public override string ToString() => Value;
}

internal sealed class WithdrawalIdConverter() : IdConverter<WithdrawalId>(value => new WithdrawalId(value), id => id.Value);

internal sealed class PayeeIdConverter() : IdConverter<PayeeId>(value => new PayeeId(value), id => id.Value);

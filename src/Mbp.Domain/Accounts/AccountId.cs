using Mbp.Domain.Units;
using Mbp.Ledger;
using System.Text.Json.Serialization;

namespace Mbp.Domain.Accounts;

/// <summary>An account's pseudonymous id: 1 to 64 of letters, digits and <c>_ . : -</c>, starting with a letter or digit. Never a name or an e-mail.</summary>
[JsonConverter(typeof(AccountIdConverter))]
public readonly record struct AccountId(string Value)
{
    /// <summary>Where a loser's bond and a clawback go, and what carries a debt that its debtor cannot pay.</summary>
    public static AccountId Insurance => new("insurance");

    /// <summary>The platform's side of a dispute: it defends what was determined.</summary>
    public static AccountId ResolutionDesk => new("resolution");

    public StreamId Stream => StreamId.Of("account", Value);

    public static bool IsValid(string? value) => Identifier.IsValid(value);

    /// <summary>Operators, workers and the platform's own accounts act under such ids; an account that had one could be taken for them.</summary>
    public bool IsReserved => Value is "insurance" or "resolution" || Value.StartsWith("op-", StringComparison.OrdinalIgnoreCase) || Value.StartsWith("worker:", StringComparison.OrdinalIgnoreCase);

    public override string ToString() => Value;
}

internal sealed class AccountIdConverter() : IdConverter<AccountId>(value => new AccountId(value), id => id.Value);

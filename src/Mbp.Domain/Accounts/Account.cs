using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Mbp.Domain.Units;
using Mbp.Ledger;

namespace Mbp.Domain.Accounts;

/// <summary>An account's cash. Its shares live in the markets that issued them.</summary>
[JsonDerivedType(typeof(Unknown), "unknown")]
[JsonDerivedType(typeof(Open), "open")]
public abstract record Account
{
    private Account()
    {
    }

    public static Account Initial { get; } = new Unknown();

    public static readonly Fold<Account> Fold = new(
        "account", 1, Initial, (account, @event) => @event is AccountEvent e ? Evolve(account, e) : account, snapshotEvery: 500);

    public sealed record Unknown : Account;

    /// <param name="Balance">CE$ at its disposal.</param>
    /// <param name="Keys">Ids of the API keys in force.</param>
    public sealed record Open(Credits Balance, ImmutableSortedSet<string> Keys) : Account;

    /// <summary>CE$ at its disposal; none for an account that does not exist.</summary>
    [JsonIgnore]
    public Credits Cash => this is Open open ? open.Balance : Credits.Zero;

    public static Account Evolve(Account account, AccountEvent @event) => (account, @event) switch
    {
        (Unknown, AccountOpened) => new Open(Credits.Zero, []),
        (Open open, CreditsGranted e) => open with { Balance = open.Balance + e.Amount },
        (Open open, AccountDebited e) => open with { Balance = open.Balance - e.Amount },
        (Open open, AccountCredited e) => open with { Balance = open.Balance + e.Amount },
        (Open open, CreditsWithdrawn e) => open with { Balance = open.Balance - e.Amount },
        (Open open, CreditsReturned e) => open with { Balance = open.Balance + e.Amount },
        (Open open, ApiKeyIssued e) => open with { Keys = open.Keys.Add(e.KeyId) },
        (Open open, ApiKeyRevoked e) => open with { Keys = open.Keys.Remove(e.KeyId) },
        _ => throw new InvalidOperationException($"{@event.GetType().Name} cannot follow {account.GetType().Name}."),
    };
}

using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Accounts;

public abstract record AccountCommand;

public sealed record OpenAccount(AccountId Account, Instant At) : AccountCommand;

public sealed record GrantCredits(Credits Amount, string Reason, Instant At) : AccountCommand;

public sealed record IssueApiKey(string KeyId, string KeySha256, EquatableArray<ApiScope> Scopes, Instant At) : AccountCommand;

public sealed record RevokeApiKey(string KeyId, Instant At) : AccountCommand;

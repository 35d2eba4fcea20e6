using Mbp.Domain.Markets;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Accounts;

// Stored for ever. A field is added as nullable; anything else is a new wire name and an upcaster in AccountSlice.cs.
public abstract record AccountEvent;

public sealed record AccountOpened(AccountId Account, Instant At) : AccountEvent;

/// <summary>Credits come into being here and nowhere else: the sum of all grants is what the whole ledger must add up to.</summary>
public sealed record CreditsGranted(Credits Amount, string Reason, Instant At) : AccountEvent;

/// <summary>Credits go from the account into a market.</summary>
public sealed record AccountDebited(Credits Amount, PostingKind Kind, MarketId Market, string Reference, Instant At) : AccountEvent;

/// <summary>Credits come from a market into the account.</summary>
public sealed record AccountCredited(Credits Amount, PostingKind Kind, MarketId Market, string Reference, Instant At) : AccountEvent;

/// <summary>Credits leave the account and are on their way to a payee; the withdrawal's stream has the rest.</summary>
/// <param name="Amount">CE$, more than 0.</param>
/// <param name="Withdrawal">The withdrawal's id.</param>
/// <param name="At">Ledger time.</param>
public sealed record CreditsWithdrawn(Credits Amount, string Withdrawal, Instant At) : AccountEvent;

/// <summary>Credits that were withdrawn are back: they will never be paid, or the payment came back.</summary>
/// <param name="Amount">CE$: all of them.</param>
/// <param name="Withdrawal">The withdrawal's id.</param>
/// <param name="At">Ledger time.</param>
public sealed record CreditsReturned(Credits Amount, string Withdrawal, Instant At) : AccountEvent;

/// <summary>A key that reaches this account alone; only its SHA-256 is kept.</summary>
public sealed record ApiKeyIssued(string KeyId, string KeySha256, EquatableArray<ApiScope> Scopes, Instant At) : AccountEvent;

public sealed record ApiKeyRevoked(string KeyId, Instant At) : AccountEvent;

/// <summary>Why credits moved between an account and a market.</summary>
public enum PostingKind
{
    Trade,
    Liquidity,
    Payout,

    /// <summary>A moderator's clawback, or its way back: between two accounts, by way of a market's case.</summary>
    Moderation,

    /// <summary>What a side of a dispute has at stake, and what comes back of it.</summary>
    Bond,

    /// <summary>A wrong settlement is made good: what the account is paid more, or gives back, or what insurance carries for it.</summary>
    Correction,
}

/// <summary>What an account's key may do.</summary>
public enum ApiScope
{
    Read,
    Trade,

    /// <summary>Take credits out of the account: a key that a robot trades with need not be able to empty it.</summary>
    Withdraw,
}

using Mbp.Domain.Accounts;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Payments;

// Stored for ever. A field is added as nullable; anything else is a new wire name and an upcaster in PaymentSlice.cs.

/// <summary>What happens in the stream <c>withdrawal-{id}</c>: the life of one withdrawal, from the account to the payee or back.</summary>
public abstract record WithdrawalEvent;

/// <summary>Credits left the account in the same commit and are on their way out.</summary>
/// <param name="Withdrawal">Its id, and its key at the rail.</param>
/// <param name="Account">Whose credits.</param>
/// <param name="Amount">CE$, more than 0.</param>
/// <param name="Payee">A pseudonymous reference, never personal data.</param>
/// <param name="At">Ledger time.</param>
public sealed record WithdrawalRequested(WithdrawalId Withdrawal, AccountId Account, Credits Amount, PayeeId Payee, Instant At) : WithdrawalEvent;

/// <summary>The rail is asked, and given the order if it does not know it. This is durable before a word is said to the rail.</summary>
/// <param name="Attempt">1, 2, 3, ...</param>
/// <param name="NotAfter">The rail must not carry the order out later than this; null = this attempt only asks and sends nothing.</param>
/// <param name="At">Ledger time.</param>
public sealed record PayoutSubmitted(int Attempt, Instant? NotAfter, Instant At) : WithdrawalEvent;

/// <summary>An attempt brought no end. The credits stay on their way.</summary>
/// <param name="Attempt">Which one.</param>
/// <param name="Reason">Why.</param>
/// <param name="NextAt">When the next attempt is due.</param>
/// <param name="At">Ledger time.</param>
public sealed record PayoutDeferred(int Attempt, PayoutDelay Reason, Instant NextAt, Instant At) : WithdrawalEvent;

/// <summary>The rail says that the payee was paid.</summary>
/// <param name="RailReference">The rail's own id of the payment.</param>
/// <param name="Amount">What it paid: the amount that was asked for, or it would not be recorded.</param>
/// <param name="RailAt">When, by the rail's clock: it decides which day's statement has the payment.</param>
/// <param name="At">Ledger time.</param>
public sealed record PayoutSettled(string RailReference, Credits Amount, Instant RailAt, Instant At) : WithdrawalEvent;

/// <summary>It will never be paid; the credits are back in the account in the same commit.</summary>
/// <param name="Code">The rail's word for why, or <c>attempts_exhausted</c>.</param>
/// <param name="At">Ledger time.</param>
public sealed record PayoutFailed(string Code, Instant At) : WithdrawalEvent;

/// <summary>A payment came back after it was settled; so did the credits, in the same commit.</summary>
/// <param name="RailReference">The payment that came back.</param>
/// <param name="Amount">All of it.</param>
/// <param name="Code">The rail's word for why.</param>
/// <param name="RailAt">When, by the rail's clock.</param>
/// <param name="At">Ledger time.</param>
public sealed record PayoutReversed(string RailReference, Credits Amount, string Code, Instant RailAt, Instant At) : WithdrawalEvent;

/// <summary>Why an attempt brought no end.</summary>
public enum PayoutDelay
{
    /// <summary>The rail has the order and has not carried it out yet. Nothing is wrong.</summary>
    Accepted,

    /// <summary>The rail said that it took nothing, and to come again.</summary>
    Unavailable,

    /// <summary>No answer: it may have been carried out or not.</summary>
    Unanswered,

    /// <summary>The rail does not know the order: it was not sent any more in this attempt.</summary>
    NotTaken,

    /// <summary>The rail says that it paid another amount: people must look.</summary>
    AmountDiffers,

    /// <summary>The credits do not fit into the account that they must return to: people must look.</summary>
    AccountFull,
}

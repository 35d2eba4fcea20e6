using Mbp.Domain.Accounts;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Payments;

/// <param name="Withdrawal">Which.</param>
/// <param name="Account">Whose: the caller reads this account beside the withdrawal.</param>
/// <param name="At">Ledger time.</param>
public abstract record WithdrawalCommand(WithdrawalId Withdrawal, AccountId Account, Instant At);

/// <summary>Takes credits out of the account, to be paid to a payee.</summary>
public sealed record RequestWithdrawal(WithdrawalId Withdrawal, AccountId Account, Credits Amount, PayeeId Payee, Instant At) : WithdrawalCommand(Withdrawal, Account, At);

/// <summary>Begins an attempt.</summary>
/// <param name="Withdrawal">Which.</param>
/// <param name="Account">Whose.</param>
/// <param name="Attempt">The number of the attempt, so that a repeated command is "already so".</param>
/// <param name="NotAfter">The order's own deadline at the rail, should it be sent.</param>
/// <param name="At">Ledger time.</param>
public sealed record SubmitPayout(WithdrawalId Withdrawal, AccountId Account, int Attempt, Instant NotAfter, Instant At) : WithdrawalCommand(Withdrawal, Account, At);

/// <summary>Records what the rail said.</summary>
/// <param name="Withdrawal">Which.</param>
/// <param name="Account">Whose.</param>
/// <param name="Attempt">The attempt that it answers; null = the rail said it by itself (a notice, a statement).</param>
/// <param name="Answer">What it said.</param>
/// <param name="NextAt">When to try again, if that is no end.</param>
/// <param name="At">Ledger time.</param>
public sealed record RecordAnswer(WithdrawalId Withdrawal, AccountId Account, int? Attempt, RailAnswer Answer, Instant NextAt, Instant At) : WithdrawalCommand(Withdrawal, Account, At);

/// <summary>What a rail can say of an order.</summary>
public abstract record RailAnswer
{
    private RailAnswer()
    {
    }

    /// <summary>Paid.</summary>
    public sealed record Settled(string Reference, Credits Amount, Instant RailAt) : RailAnswer;

    /// <summary>Will never be paid.</summary>
    public sealed record Rejected(string Code) : RailAnswer;

    /// <summary>Was paid, and came back.</summary>
    public sealed record Reversed(string Reference, Credits Amount, string Code, Instant SettledAt, Instant RailAt) : RailAnswer;

    /// <summary>Has it, and has not paid yet.</summary>
    public sealed record Pending : RailAnswer;

    /// <summary>Does not know it.</summary>
    public sealed record NotFound : RailAnswer;

    /// <summary>Took nothing; come again.</summary>
    public sealed record Unavailable : RailAnswer;

    /// <summary>Said nothing.</summary>
    public sealed record Silence : RailAnswer;
}

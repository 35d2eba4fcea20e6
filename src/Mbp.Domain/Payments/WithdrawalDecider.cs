using Mbp.Domain.Accounts;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Payments;

/// <summary>
/// Payouts (ADR 0014). Two rules carry everything: the rail knows a withdrawal under one key for ever, so what is sent again is not paid again; and
/// credits return only when the rail has said that it will never pay, or cannot pay any more because the order's own deadline is over.
/// </summary>
public static class WithdrawalDecider
{
    /// <summary>So many attempts may send; those after them only ask.</summary>
    public const int MaxSends = 8;

    /// <summary>The code of a withdrawal that was given up after <see cref="MaxSends"/>.</summary>
    public const string Exhausted = "attempts_exhausted";

    /// <summary>The rail's clock may differ from ours by so much: only then is an order's deadline over for certain.</summary>
    public static readonly Duration Skew = Duration.FromMinutes(1);

    /// <param name="command">What is asked.</param>
    /// <param name="withdrawal">The withdrawal.</param>
    /// <param name="account">The account that the command names.</param>
    public static Decision<StreamEvent> Decide(WithdrawalCommand command, Withdrawal withdrawal, Account account)
    {
        ArgumentNullException.ThrowIfNull(command);
        ArgumentNullException.ThrowIfNull(withdrawal);
        return (command, withdrawal) switch
        {
            (RequestWithdrawal c, Withdrawal.Unknown) => Request(c, account),
            (RequestWithdrawal c, _) => withdrawal.Asked == new WithdrawalOrder(c.Withdrawal, c.Account, c.Amount, c.Payee) ? [] : PaymentErrors.IdTaken,
            (_, Withdrawal.Unknown) => PaymentErrors.NotFound,
            // Whoever reads another account beside it has not seen the withdrawal.
            _ when withdrawal.Asked!.Account != command.Account => PaymentErrors.NotFound,
            (SubmitPayout c, _) => Submit(c, withdrawal).On(c.Withdrawal.Stream),
            (RecordAnswer c, _) => Record(c, withdrawal, account),
            _ => throw new InvalidOperationException($"{command.GetType().Name} has no decision."),
        };
    }

    private static Decision<StreamEvent> Request(RequestWithdrawal c, Account account) => account switch
    {
        Account.Open when c.Amount == Credits.Zero => AccountErrors.AmountIsZero,
        Account.Open open when open.Balance < c.Amount => AccountErrors.InsufficientFunds(open.Balance, c.Amount),
        Account.Open =>
        [
            c.Account.Stream.With(new CreditsWithdrawn(c.Amount, c.Withdrawal.Value, c.At)),
            c.Withdrawal.Stream.With(new WithdrawalRequested(c.Withdrawal, c.Account, c.Amount, c.Payee, c.At)),
        ],
        _ => AccountErrors.NotFound,
    };

    private static Decision<WithdrawalEvent> Submit(SubmitPayout c, Withdrawal withdrawal) => withdrawal switch
    {
        Withdrawal.Requested when c.Attempt == 1 => [new PayoutSubmitted(1, c.NotAfter, c.At)],
        Withdrawal.Waiting w when c.Attempt == w.Attempt + 1 =>
            c.At < w.NextAt ? PaymentErrors.NotDue : [new PayoutSubmitted(c.Attempt, c.Attempt <= MaxSends ? c.NotAfter : null, c.At)],
        Withdrawal.Submitted w when c.Attempt <= w.Attempt => [],
        Withdrawal.Waiting w when c.Attempt <= w.Attempt => [],
        // What has ended needs no further attempt.
        Withdrawal.Settled or Withdrawal.Failed or Withdrawal.Reversed => [],
        _ => PaymentErrors.OutOfTurn,
    };

    private static Decision<StreamEvent> Record(RecordAnswer c, Withdrawal withdrawal, Account account) => (c.Answer, withdrawal) switch
    {
        // The rail cannot know what it was never given.
        (RailAnswer.Settled or RailAnswer.Rejected or RailAnswer.Reversed, Withdrawal.Requested) => PaymentErrors.NotSubmitted,

        (RailAnswer.Settled a, Withdrawal.Submitted or Withdrawal.Waiting) => a.Amount != withdrawal.Asked!.Amount
            ? Defer(c, withdrawal, PayoutDelay.AmountDiffers)
            : [c.Withdrawal.Stream.With(new PayoutSettled(a.Reference, a.Amount, a.RailAt, c.At))],
        (RailAnswer.Rejected a, Withdrawal.Submitted or Withdrawal.Waiting) => Return(c, withdrawal, account, new PayoutFailed(a.Code, c.At)),
        (RailAnswer.Reversed a, Withdrawal.Submitted or Withdrawal.Waiting) => a.Amount != withdrawal.Asked!.Amount
            ? Defer(c, withdrawal, PayoutDelay.AmountDiffers)
            : Return(
                c, withdrawal, account, new PayoutSettled(a.Reference, a.Amount, a.SettledAt, c.At), new PayoutReversed(a.Reference, a.Amount, a.Code, a.RailAt, c.At)),

        // Nothing more is sent, and what was sent is past its deadline: it can never be paid any more.
        (RailAnswer.NotFound, Withdrawal.Submitted { NotAfter: null } w) when c.Attempt == w.Attempt && w.LastNotAfter + Skew < c.At =>
            Return(c, withdrawal, account, new PayoutFailed(Exhausted, c.At)),
        (RailAnswer.Pending, Withdrawal.Submitted) => Defer(c, withdrawal, PayoutDelay.Accepted),
        (RailAnswer.NotFound, Withdrawal.Submitted) => Defer(c, withdrawal, PayoutDelay.NotTaken),
        (RailAnswer.Unavailable, Withdrawal.Submitted) => Defer(c, withdrawal, PayoutDelay.Unavailable),
        (RailAnswer.Silence, Withdrawal.Submitted) => Defer(c, withdrawal, PayoutDelay.Unanswered),

        // After the end: the same again is already so, anything else is for people.
        (RailAnswer.Settled a, Withdrawal.Settled w) => a.Reference == w.RailReference ? [] : PaymentErrors.PaidTwice,
        (RailAnswer.Settled a, Withdrawal.Reversed w) => a.Reference == w.RailReference ? [] : PaymentErrors.PaidTwice,
        (RailAnswer.Settled, Withdrawal.Failed) => PaymentErrors.PaidAfterReturn,
        (RailAnswer.Reversed a, Withdrawal.Settled w) => a.Reference != w.RailReference ? PaymentErrors.PaidTwice
            : a.Amount != w.Order.Amount ? PaymentErrors.AmountDiffers
            : Return(c, withdrawal, account, new PayoutReversed(a.Reference, a.Amount, a.Code, a.RailAt, c.At)),
        (RailAnswer.Reversed a, Withdrawal.Reversed w) => a.Reference == w.RailReference ? [] : PaymentErrors.PaidTwice,
        // Whatever it paid has come back, and so have the credits.
        (RailAnswer.Reversed, Withdrawal.Failed) => [],
        (RailAnswer.Rejected, Withdrawal.Settled or Withdrawal.Reversed) => PaymentErrors.Contradiction,

        // An answer that is no end, to an attempt that is none any more.
        _ => [],
    };

    // Only the attempt that is under way ends so: what the rail says by itself moves no timer.
    private static Decision<StreamEvent> Defer(RecordAnswer c, Withdrawal withdrawal, PayoutDelay reason) =>
        withdrawal is Withdrawal.Submitted w && c.Attempt == w.Attempt ? [c.Withdrawal.Stream.With(new PayoutDeferred(w.Attempt, reason, c.NextAt, c.At))] : [];

    private static Decision<StreamEvent> Return(RecordAnswer c, Withdrawal withdrawal, Account account, params ReadOnlySpan<WithdrawalEvent> ends)
    {
        var order = withdrawal.Asked!;
        if (account is not Account.Open open)
        {
            return AccountErrors.NotFound;
        }

        if (!Decimal8.Fits(open.Balance.Units, order.Amount.Units))
        {
            return withdrawal is Withdrawal.Submitted ? Defer(c, withdrawal, PayoutDelay.AccountFull) : AccountErrors.TooLarge;
        }

        var written = new List<StreamEvent> { order.Account.Stream.With(new CreditsReturned(order.Amount, order.Withdrawal.Value, c.At)) };
        foreach (var end in ends)
        {
            written.Add(order.Withdrawal.Stream.With(end));
        }

        return [.. written];
    }
}

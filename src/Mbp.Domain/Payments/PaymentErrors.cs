using Mbp.Ledger;

namespace Mbp.Domain.Payments;

public static class PaymentErrors
{
    public static readonly Rejection NotFound = new(RejectionKind.NotFound, "payments.not_found", "There is no such withdrawal.", "id");

    public static readonly Rejection IdTaken = new(RejectionKind.Conflict, "payments.id_taken", "Another withdrawal has this id.", "id");

    public static readonly Rejection NotDue = new(RejectionKind.Conflict, "payments.not_due", "The next attempt is not due yet.");

    public static readonly Rejection OutOfTurn = new(RejectionKind.Conflict, "payments.out_of_turn", "Attempts follow one another: this is not the next one.");

    public static readonly Rejection NotSubmitted = new(RejectionKind.Conflict, "payments.not_submitted", "The rail speaks of an order that it was never given.");

    public static readonly Rejection PaidTwice = new(
        RejectionKind.Conflict, "payments.paid_twice", "The rail shows another payment under the same key: the payee may have been paid twice.");

    public static readonly Rejection PaidAfterReturn = new(
        RejectionKind.Conflict, "payments.paid_after_return", "The rail shows a payment although the credits were returned: the payee has both.");

    public static readonly Rejection AmountDiffers = new(RejectionKind.Conflict, "payments.amount_differs", "The rail speaks of another amount than was asked for.");

    public static readonly Rejection Contradiction = new(RejectionKind.Conflict, "payments.contradiction", "The rail refuses an order that it has said it had paid.");

    public static readonly Rejection DayNotBegun = new(
        RejectionKind.Invalid, "payments.day_not_begun", "A day can be reconciled once it has begun; its reconciliation is recorded once it is over (UTC).", "day");
}

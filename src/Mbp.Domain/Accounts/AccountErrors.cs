using Mbp.Domain.Units;
using Mbp.Ledger;

namespace Mbp.Domain.Accounts;

public static class AccountErrors
{
    public static readonly Rejection NotFound = new(RejectionKind.NotFound, "accounts.not_found", "There is no such account.", "account");

    public static readonly Rejection Reserved = new(
        RejectionKind.Invalid, "accounts.reserved_id", "Ids that begin with 'op-' or 'worker:' are those of operators and of the host's own workers, and 'insurance' and 'resolution' are the platform's.", "id");

    public static readonly Rejection TooLarge = new(
        RejectionKind.Refused, "accounts.balance_too_large", "The balance would pass the largest amount that the ledger can hold (9999999999.99999999).", "amount");

    public static readonly Rejection AmountIsZero = new(RejectionKind.Invalid, "accounts.amount_is_zero", "The amount must be more than 0.", "amount");

    public static readonly Rejection TooManyKeys = new(
        RejectionKind.Refused, "accounts.too_many_keys", $"An account has at most {AccountDecider.MaxKeys} keys; revoke one first.");

    public static readonly Rejection KeyNotFound = new(RejectionKind.NotFound, "accounts.key_not_found", "This account has no such key.", "keyId");

    public static Rejection InsufficientFunds(Credits balance, Credits needed) => new(
        RejectionKind.Refused, "accounts.insufficient_funds", $"The account holds {balance} CE$ and {needed} CE$ are needed.", "amount");
}

using Mbp.Domain.Units;
using Mbp.Ledger;

namespace Mbp.Domain.Accounts;

public static class AccountDecider
{
    /// <summary>Every key costs a look-up entry in every host; nobody needs more than a handful.</summary>
    public const int MaxKeys = 20;

    public static readonly Decider<AccountCommand, AccountEvent, Account> Decider = new(Account.Initial, Decide, Account.Evolve);

    private static Decision<AccountEvent> Decide(AccountCommand command, Account account) => (command, account) switch
    {
        (OpenAccount { Account.IsReserved: true }, Account.Unknown) => AccountErrors.Reserved,
        (OpenAccount c, Account.Unknown) => [new AccountOpened(c.Account, c.At)],
        (OpenAccount, _) => [],
        (_, Account.Unknown) => AccountErrors.NotFound,

        (GrantCredits c, _) when c.Amount == Credits.Zero => AccountErrors.AmountIsZero,
        (GrantCredits c, Account.Open open) when !Decimal8.Fits(open.Balance.Units, c.Amount.Units) => AccountErrors.TooLarge,
        (GrantCredits c, _) => [new CreditsGranted(c.Amount, c.Reason, c.At)],

        (IssueApiKey c, Account.Open open) when open.Keys.Contains(c.KeyId) => [],
        (IssueApiKey, Account.Open { Keys.Count: >= MaxKeys }) => AccountErrors.TooManyKeys,
        (IssueApiKey c, _) => [new ApiKeyIssued(c.KeyId, c.KeySha256, c.Scopes, c.At)],

        (RevokeApiKey c, Account.Open open) when !open.Keys.Contains(c.KeyId) => AccountErrors.KeyNotFound,
        (RevokeApiKey c, _) => [new ApiKeyRevoked(c.KeyId, c.At)],

        _ => throw new InvalidOperationException($"{command.GetType().Name} has no decision."),
    };
}

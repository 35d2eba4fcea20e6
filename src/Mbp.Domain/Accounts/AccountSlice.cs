using Mbp.Ledger;

namespace Mbp.Domain.Accounts;

public static class AccountSlice
{
    public static readonly Slice Slice = new("accounts", Wire);

    private static void Wire(EventCatalog catalog) => catalog
        .Add<AccountOpened>("account_opened")
        .Add<CreditsGranted>("credits_granted")
        .Add<AccountDebited>("account_debited", StoredPosting.Debit)
        .Add<AccountCredited>("account_credited", StoredPosting.Credit)
        .Add<CreditsWithdrawn>("credits_withdrawn")
        .Add<CreditsReturned>("credits_returned")
        .Add<ApiKeyIssued>("api_key_issued")
        .Add<ApiKeyRevoked>("api_key_revoked");
}

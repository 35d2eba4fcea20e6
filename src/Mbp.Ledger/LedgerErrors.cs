namespace Mbp.Ledger;

/// <summary>Refusals of the ledger itself.</summary>
public static class LedgerErrors
{
    public static readonly Rejection KeyMismatch = new(
        RejectionKind.Conflict, "idempotency.mismatch", "This idempotency key was used before for a different command.", "Idempotency-Key");
}

using Mbp.Ledger;

namespace Mbp.Domain.Governance.Custody;

public static class CustodyErrors
{
    public static readonly Rejection KeyExists = new(
        RejectionKind.Conflict, "custody.key_exists", "There was a key with this id already; a key is added once, and never again after it is retired.", "keyId");

    public static readonly Rejection KeyUnknown = new(RejectionKind.NotFound, "custody.key_unknown", "The log has no such key.", "keyId");

    public static readonly Rejection KeyRetired = new(RejectionKind.Conflict, "custody.key_retired", "The key's time has ended already, at another size.", "keyId");

    public static readonly Rejection LastKey = new(
        RejectionKind.Refused, "custody.last_key", "This is the only key in force; add its successor first, or the log could not be signed any more.", "keyId");

    public static readonly Rejection BadKey = new(RejectionKind.Invalid, "custody.bad_key", "A key has an id and a verifier key.", "vkey");

    public static readonly Rejection BadSize = new(
        RejectionKind.Invalid, "custody.bad_size", "A tree size is not negative, and a key does not end before the size that it begins at.", "size");

    public static readonly Rejection EpochOutOfOrder = new(RejectionKind.Conflict, "custody.epoch_out_of_order", "A new epoch comes after the present.", "epoch");

    public static readonly Rejection NoEvidence = new(
        RejectionKind.Invalid, "custody.no_evidence", "A new epoch has an origin and quotes the last checkpoint of the one before it.", "lastCheckpoint");

    public static readonly Rejection EventNotFound = new(RejectionKind.NotFound, "custody.event_not_found", "There is no event at this position.", "position");

    public static readonly Rejection NothingNamed = new(RejectionKind.Invalid, "custody.nothing_named", "Name at least one field to erase.", "fields");

    public static readonly Rejection WhyNeeded = new(
        RejectionKind.Invalid, "custody.why_needed", "An erasure says why (on whose request, under which rule), in 1 to 500 characters, and never what was erased.", "why");

    public static Rejection NotErasable(string type, string field) => new(
        RejectionKind.Refused, "custody.not_erasable",
        Erasable.Of(type) is { Count: > 0 } fields
            ? $"Of {type}, only {string.Join(", ", fields)} can be erased, not '{field}'."
            : $"Nothing of {type} can be erased: the books rest on it.",
        "fields");
}

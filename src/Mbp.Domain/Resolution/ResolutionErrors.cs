using Mbp.Ledger;
using NodaTime;
using NodaTime.Text;

namespace Mbp.Domain.Resolution;

public static class ResolutionErrors
{
    public static readonly Rejection MarketNotClosed = new(
        RejectionKind.Conflict, "resolution.market_not_closed", "Close the market first: a value that is known while people trade is worth money.");

    public static readonly Rejection NotStarted = new(RejectionKind.Conflict, "resolution.not_started", "The resolution has not been started.");

    public static readonly Rejection AlreadyDetermined = new(
        RejectionKind.Conflict, "resolution.already_determined", "The value is determined; only a dispute can change it now.");

    public static readonly Rejection AlreadyFinal = new(RejectionKind.Conflict, "resolution.already_final", "The resolution is final.");

    public static readonly Rejection SameRecorder = new(
        RejectionKind.Forbidden, "resolution.same_recorder", "The one who recorded the fact cannot resolve by it: two people decide.");

    public static readonly Rejection NotPinned = new(
        RejectionKind.Forbidden, "resolution.not_pinned", "The market does not ask this address, or its rule set does not name the host.", "url");

    public static readonly Rejection SeenTooSoon = new(
        RejectionKind.Conflict, "resolution.seen_too_soon", "What the answer says was seen before the market closed.", "observedAt");

    public static readonly Rejection NothingProposed = new(RejectionKind.Conflict, "resolution.nothing_proposed", "There is no proposal to approve.");

    public static readonly Rejection AlreadyProposed = new(
        RejectionKind.Conflict, "resolution.already_proposed", "There is a proposal already; another operator approves it.");

    public static readonly Rejection SameApprover = new(
        RejectionKind.Forbidden, "resolution.same_approver", "The one who proposed the value cannot approve it: two people decide.");

    public static readonly Rejection HoldsPosition = new(
        RejectionKind.Forbidden, "resolution.holds_position", "Whoever holds a position in the market cannot decide it.");

    public static readonly Rejection EvidenceNeeded = new(
        RejectionKind.Invalid, "resolution.evidence_needed", "A manual value needs a link to its evidence: an absolute http(s), ipfs or urn URI.", "evidenceUri");

    public static readonly Rejection NotDetermined = new(RejectionKind.Conflict, "resolution.not_determined", "There is no determined value.");

    public static readonly Rejection AlreadySettling = new(
        RejectionKind.Conflict, "resolution.already_settling", "Payouts have begun; a correction of the settlement is the way now.");

    public static Rejection Postponed(Instant until) => new(
        RejectionKind.Conflict, "resolution.postponed", $"It was too early for a value; the resolution starts again at {InstantPattern.ExtendedIso.Format(until)}.");

    public static Rejection BadValue(string rule) => new(RejectionKind.Invalid, "resolution.bad_value", $"The value {rule}.", "value");
}

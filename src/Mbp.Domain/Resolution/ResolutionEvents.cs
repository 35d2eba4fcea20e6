using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Resolution;

// Stored for ever. A field is added as nullable; anything else is a new wire name and an upcaster in ResolutionSlice.cs.
public abstract record ResolutionEvent;

/// <param name="MarketId">Whose resolution.</param>
/// <param name="SourceKind">Who says what came true.</param>
/// <param name="SourceRef">Where it is said.</param>
/// <param name="RuleVersion">The rule set's version.</param>
/// <param name="PolicyHash">The rule set's hash.</param>
/// <param name="At">When.</param>
/// <param name="RoundUntil">Where the oracle is asked: when its first round ends.</param>
public sealed record ResolutionStarted(
    MarketId MarketId, TruthSource SourceKind, string? SourceRef, string RuleVersion, string PolicyHash, Instant At, Instant? RoundUntil = null) : ResolutionEvent;

/// <summary>A registered source said what came true.</summary>
/// <param name="Round">In which round, from 1.</param>
/// <param name="Source">Who.</param>
/// <param name="Value">An outcome's name, a scalar's number, INVALID or TOO_EARLY.</param>
/// <param name="ObservedAt">When the source saw it.</param>
/// <param name="Evidence">What backs it: a hash or a link.</param>
/// <param name="Signature">Ed25519 over the report's statement, base64: a stranger can check who said it.</param>
/// <param name="At">When it arrived.</param>
public sealed record ReportAccepted(int Round, string Source, string Value, Instant ObservedAt, string Evidence, string Signature, Instant At) : ResolutionEvent;

/// <summary>A registered source's signed report that does not count. Kept once for each source, round and reason.</summary>
/// <param name="Reason"><c>late</c>, <c>stale</c>, <c>ahead_of_time</c>, <c>bad_value</c> or <c>equivocated</c>.</param>
public sealed record ReportRejected(int Round, string Source, string Value, Instant ObservedAt, string Evidence, string Signature, string Reason, Instant At) : ResolutionEvent;

/// <summary>A source signed two different values in one round: neither counts. The first is in its <c>report_accepted</c>.</summary>
public sealed record SourceEquivocated(int Round, string Source, string Value, Instant ObservedAt, string Evidence, string Signature, Instant At) : ResolutionEvent;

/// <summary>A round ended without a quorum.</summary>
/// <param name="Round">Which.</param>
/// <param name="Reason"><c>participation</c>, <c>agreement</c>, or <c>too_early</c> where it may not be put off again.</param>
/// <param name="Tally">What was said.</param>
/// <param name="NextUntil">When the next round ends; null = that was the last one, and people decide.</param>
/// <param name="At">When it was judged.</param>
public sealed record RoundFailed(int Round, string Reason, TallyTrace Tally, Instant? NextUntil, Instant At) : ResolutionEvent;

/// <summary>It is too early for a value: the market is as it was before, until then.</summary>
public sealed record ResolutionPostponed(int Number, Instant Until, Instant At) : ResolutionEvent;

/// <summary>A vote in numbers (D14); weights are parts per million of registered ones.</summary>
/// <param name="Registered">W.</param>
/// <param name="Valid">W_valid.</param>
/// <param name="Voters">n_valid.</param>
/// <param name="Agreeing">W_agree; null where too few took part.</param>
/// <param name="Equivocators">Whose word was taken away.</param>
public sealed record TallyTrace(string Registered, string Valid, int Voters, string? Agreeing, EquatableArray<string> Equivocators);

/// <summary>The rule looked at its source (<c>rule.eval</c>, C17).</summary>
/// <param name="SourceRef">What it looked at.</param>
/// <param name="Value">What it found; null = nothing yet.</param>
/// <param name="EvidenceUri">What backs the value.</param>
/// <param name="At">When.</param>
/// <param name="Answer">An endpoint's signed answer; null for another source.</param>
public sealed record RuleEvaluated(string SourceRef, string? Value, string? EvidenceUri, Instant At, EndpointAnswer? Answer = null) : ResolutionEvent;

/// <summary>What an endpoint signed, so that a stranger can check it, and the hash of all that it sent.</summary>
/// <param name="ObservedAt">When the endpoint saw it.</param>
/// <param name="Evidence">What backs it: a hash or a link.</param>
/// <param name="Signature">Ed25519 over the answer's statement, base64.</param>
/// <param name="BodySha256">SHA-256 of the answer's bytes, hex.</param>
public sealed record EndpointAnswer(Instant ObservedAt, string Evidence, string Signature, string BodySha256);

/// <summary>A person proposes the value; another must approve it (C18).</summary>
public sealed record ManualProposed(string Value, string EvidenceUri, string By, Instant At) : ResolutionEvent;

/// <summary>The value is known, and stands unless it is disputed in time.</summary>
/// <param name="Value">An outcome's name, a scalar's number, or INVALID.</param>
/// <param name="Vector">What a share of each outcome will pay.</param>
/// <param name="SourceKind">From a table or by hand.</param>
/// <param name="EvidenceUri">What backs it (S3.INV1).</param>
/// <param name="DecidedBy">Pseudonymous ids: of both people for a manual value.</param>
/// <param name="DisputableUntil">Final from this instant on.</param>
/// <param name="At">When.</param>
/// <param name="Tally">The vote behind it, of sources, a panel or arbitrators; null where there was none.</param>
public sealed record ResolutionDetermined(
    string Value,
    EquatableArray<Price> Vector,
    TruthSource SourceKind,
    string EvidenceUri,
    EquatableArray<string> DecidedBy,
    Instant DisputableUntil,
    Instant At,
    TallyTrace? Tally = null) : ResolutionEvent;

/// <summary>The value is final: nothing changes it any more (Q4.I3).</summary>
public sealed record ResolutionFinished(string Value, EquatableArray<Price> Vector, Instant At) : ResolutionEvent;

/// <summary>The question has no answer; every share pays its price of the 24 hours before the close (D7).</summary>
public sealed record MarketVoided(string Reason, EquatableArray<Price> Vector, Instant At) : ResolutionEvent;

/// <summary>Somebody puts a bond on it that the determined value is wrong; the platform's resolution account puts up as much.</summary>
/// <param name="Number">Which dispute of this market, from 1.</param>
/// <param name="By">Who.</param>
/// <param name="Bond">What each side has at stake, CE$.</param>
/// <param name="Value">What the disputer says the value is.</param>
/// <param name="EvidenceUri">What backs that.</param>
/// <param name="Reason">Why, in the disputer's words.</param>
/// <param name="Until">The panel rules before this instant.</param>
/// <param name="At">When.</param>
public sealed record DisputeOpened(
    int Number, AccountId By, Credits Bond, string Value, string EvidenceUri, string Reason, Instant Until, Instant At) : ResolutionEvent;

/// <summary>One judge's word on a dispute; it cannot be taken back.</summary>
/// <param name="Dispute">Which.</param>
/// <param name="Judge">A member of the panel or an arbitrator, or an operator where the rules name none.</param>
/// <param name="Value">What the judge says the value is.</param>
/// <param name="EvidenceUri">What backs that.</param>
/// <param name="Signature">Over the ruling's statement, base64; null = an operator, known by the own key.</param>
/// <param name="At">When.</param>
public sealed record RulingRecorded(int Dispute, string Judge, string Value, string EvidenceUri, string? Signature, Instant At) : ResolutionEvent;

/// <summary>A dispute is over, and its bonds have gone where they belong in the same commit.</summary>
/// <param name="Dispute">Which.</param>
/// <param name="Outcome"><c>upheld</c>: the value stands, the disputer loses; <c>overturned</c>: the platform loses; <c>unjudged</c>: both have their bonds back.</param>
/// <param name="Value">The value since.</param>
/// <param name="ToWinner">What the winner got, the own bond included; 0 where nobody judged.</param>
/// <param name="ToInsurance">What the insurance account got.</param>
/// <param name="At">When.</param>
public sealed record DisputeRuled(int Dispute, string Outcome, string Value, Credits ToWinner, Credits ToInsurance, Instant At) : ResolutionEvent;

/// <summary>The last word is with the arbitrators.</summary>
/// <param name="Dispute">About which.</param>
/// <param name="Reason"><c>no_quorum</c> of the panel in time, or <c>second_dispute</c>.</param>
/// <param name="Until">Two of three agree before this instant, or the determined value stands.</param>
/// <param name="At">When.</param>
public sealed record ArbitrationOpened(int Dispute, string Reason, Instant Until, Instant At) : ResolutionEvent;

/// <summary>The market had no final value in time: it is frozen, and called to the manual way (S3, resolution SLA).</summary>
/// <param name="Due">When it should have had one.</param>
/// <param name="At">When that was noticed.</param>
public sealed record ResolutionSlaBreached(Instant Due, Instant At) : ResolutionEvent;

/// <summary>A person wants what was determined taken back; another must agree.</summary>
public sealed record RollbackProposed(string Reason, string EvidenceUri, string By, Instant At) : ResolutionEvent;

/// <summary>What was determined is taken back, by two people (Q4.I10): the value is looked for again, by hand. Nothing is deleted.</summary>
/// <param name="Reason">Why.</param>
/// <param name="EvidenceUri">What backs it.</param>
/// <param name="By">Both.</param>
/// <param name="At">When.</param>
public sealed record ResolutionRolledBack(string Reason, string EvidenceUri, EquatableArray<string> By, Instant At) : ResolutionEvent;

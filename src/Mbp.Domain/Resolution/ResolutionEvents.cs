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
/// <param name="At">When: every later deadline counts from here.</param>
public sealed record ResolutionStarted(
    MarketId MarketId, TruthSource SourceKind, string? SourceRef, string RuleVersion, string PolicyHash, Instant At) : ResolutionEvent;

/// <summary>The rule looked at its source (<c>rule.eval</c>, C17).</summary>
/// <param name="SourceRef">What it looked at.</param>
/// <param name="Value">What it found; null = nothing yet.</param>
/// <param name="EvidenceUri">What backs the value.</param>
/// <param name="At">When.</param>
public sealed record RuleEvaluated(string SourceRef, string? Value, string? EvidenceUri, Instant At) : ResolutionEvent;

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
public sealed record ResolutionDetermined(
    string Value,
    EquatableArray<Price> Vector,
    TruthSource SourceKind,
    string EvidenceUri,
    EquatableArray<string> DecidedBy,
    Instant DisputableUntil,
    Instant At) : ResolutionEvent;

/// <summary>The value is final: nothing changes it any more (Q4.I3).</summary>
public sealed record ResolutionFinished(string Value, EquatableArray<Price> Vector, Instant At) : ResolutionEvent;

/// <summary>The question has no answer; every share pays its price of the 24 hours before the close (D7).</summary>
public sealed record MarketVoided(string Reason, EquatableArray<Price> Vector, Instant At) : ResolutionEvent;

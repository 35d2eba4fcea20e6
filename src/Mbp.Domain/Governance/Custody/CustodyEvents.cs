using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Governance.Custody;

// Stored for ever. A field is added as nullable; anything else is a new wire name and an upcaster in CustodySlice.cs.

/// <summary>What those who keep the public log do to it: its keys, its epochs, and the texts that had to go. Who did it is in the event's headers.</summary>
public abstract record CustodyEvent;

/// <summary>A key that signs the log from a size on; with the one before it until that is retired.</summary>
/// <param name="KeyId">The key's id, as in its verifier key.</param>
/// <param name="Vkey">The verifier key: what a stranger needs to check signatures.</param>
/// <param name="FromSize">The first tree size that it may sign.</param>
/// <param name="At">When.</param>
public sealed record AnchorKeyAdded(string KeyId, string Vkey, long FromSize, Instant At) : CustodyEvent;

/// <summary>A key signs nothing beyond a size; its verifier key stays good for what it signed.</summary>
public sealed record AnchorKeyRetired(string KeyId, long UntilSize, string? Reason, Instant At) : CustodyEvent;

/// <summary>The log had to be given up and goes on under another origin (ADR 0011).</summary>
/// <param name="Origin">The new log's.</param>
/// <param name="Epoch">Its number: larger than any that a head was ever signed for. It may leave out numbers that a lost part of the ledger used.</param>
/// <param name="LastCheckpoint">The last signed note of the log before it, whole: the evidence.</param>
/// <param name="At">When.</param>
/// <param name="Reason">Why somebody decided so.</param>
public sealed record LogEpochOpened(string Origin, int Epoch, string LastCheckpoint, Instant At, string? Reason = null) : CustodyEvent;

/// <summary>Texts of an event are taken out of the ledger. This comes first; what it names is erased after it, and by nothing else.</summary>
/// <param name="Position">The event's.</param>
/// <param name="Stream">Its stream.</param>
/// <param name="Type">Its wire name.</param>
/// <param name="Fields">The names of the texts, as in its body.</param>
/// <param name="RestSha256">
/// What is left, so that nothing else can change under the cover of an erasure: SHA-256, hex, of the canonical JSON of <c>{"data":...,"headers":...}</c>
/// with <c>[erased]</c> in these texts' places.
/// </param>
/// <param name="Why">On whose request, under which rule: never what was erased.</param>
/// <param name="At">When.</param>
public sealed record PayloadErased(long Position, string Stream, string Type, EquatableArray<string> Fields, string RestSha256, string Why, Instant At) : CustodyEvent;

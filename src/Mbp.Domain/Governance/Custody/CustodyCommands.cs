using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Governance.Custody;

public abstract record CustodyCommand;

public sealed record AddAnchorKey(string KeyId, string Vkey, long FromSize, Instant At) : CustodyCommand;

public sealed record RetireAnchorKey(string KeyId, long UntilSize, string? Reason, Instant At) : CustodyCommand;

public sealed record OpenLogEpoch(string Origin, int Epoch, string LastCheckpoint, Instant At, string? Reason = null) : CustodyCommand;

/// <summary>Stream, type and what is left are those of the event at the position: the ledger says them, nobody chooses them.</summary>
public sealed record ErasePayload(long Position, string Stream, string Type, EquatableArray<string> Fields, string RestSha256, string Why, Instant At) : CustodyCommand;

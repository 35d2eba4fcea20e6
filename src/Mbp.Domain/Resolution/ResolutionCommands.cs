using Mbp.Domain.Markets;
using NodaTime;

namespace Mbp.Domain.Resolution;

public abstract record ResolutionCommand(MarketId MarketId, Instant At);

/// <summary>Starts the resolution; where it runs already, looks at the truth table once more.</summary>
public sealed record StartResolution(MarketId MarketId, string By, Instant At) : ResolutionCommand(MarketId, At);

public sealed record ProposeManually(MarketId MarketId, string Value, string EvidenceUri, string By, Instant At) : ResolutionCommand(MarketId, At);

public sealed record ApproveManually(MarketId MarketId, string By, Instant At) : ResolutionCommand(MarketId, At);

/// <summary>The dispute window may have ended.</summary>
public sealed record FinishResolution(MarketId MarketId, Instant At) : ResolutionCommand(MarketId, At);

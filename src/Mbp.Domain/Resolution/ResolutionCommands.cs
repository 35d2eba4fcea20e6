using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using NodaTime;

namespace Mbp.Domain.Resolution;

public abstract record ResolutionCommand(MarketId MarketId, Instant At);

/// <summary>Starts the resolution; where it runs already, looks at the truth table once more.</summary>
public sealed record StartResolution(MarketId MarketId, string By, Instant At) : ResolutionCommand(MarketId, At);

/// <summary>A source's signed report (<see cref="Oracle.Statement.Report"/>). The signature says who it is from, whoever brings it.</summary>
public sealed record SubmitReport(
    MarketId MarketId, int Round, string Source, string Value, Instant ObservedAt, string Evidence, string Signature, Instant At) : ResolutionCommand(MarketId, At);

/// <summary>What the market's endpoint answered (<see cref="Oracle.Statement.Answer"/>).</summary>
public sealed record RecordEndpointAnswer(
    MarketId MarketId, string Url, string Value, Instant ObservedAt, string Evidence, string Signature, string BodySha256, Instant At) : ResolutionCommand(MarketId, At);

public sealed record ProposeManually(MarketId MarketId, string Value, string EvidenceUri, string By, Instant At) : ResolutionCommand(MarketId, At);

public sealed record ApproveManually(MarketId MarketId, string By, Instant At) : ResolutionCommand(MarketId, At);

/// <summary>Puts a bond on it that the value is wrong.</summary>
public sealed record OpenDispute(MarketId MarketId, AccountId By, string Value, string EvidenceUri, string Reason, Instant At) : ResolutionCommand(MarketId, At);

/// <summary>A judge's word on a dispute: signed (<see cref="Oracle.Statement.Ruling"/>) where the rules name judges, an operator's where they name none.</summary>
public sealed record RecordRuling(
    MarketId MarketId, int Dispute, string Judge, string Value, string EvidenceUri, string? Signature, Instant At) : ResolutionCommand(MarketId, At);

/// <summary>Whatever is due by now, one step; nothing where nothing is (<see cref="ResolutionDeadlines"/>).</summary>
public sealed record AdvanceResolution(MarketId MarketId, Instant At) : ResolutionCommand(MarketId, At);

public sealed record ProposeRollback(MarketId MarketId, string Reason, string EvidenceUri, string By, Instant At) : ResolutionCommand(MarketId, At);

public sealed record ApproveRollback(MarketId MarketId, string By, Instant At) : ResolutionCommand(MarketId, At);

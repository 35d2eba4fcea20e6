using System.Text.Json.Serialization;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Resolution;

/// <summary>From a closed market to its final value.</summary>
[JsonDerivedType(typeof(NotStarted), "not_started")]
[JsonDerivedType(typeof(Collecting), "collecting")]
[JsonDerivedType(typeof(Determined), "determined")]
[JsonDerivedType(typeof(Finished), "finished")]
[JsonDerivedType(typeof(Voided), "voided")]
public abstract record MarketResolution
{
    private MarketResolution()
    {
    }

    public static MarketResolution Initial { get; } = new NotStarted();

    public static readonly Fold<MarketResolution> Fold = new(
        "resolution", 1, Initial, (resolution, @event) => @event is ResolutionEvent e ? Evolve(resolution, e) : resolution);

    public sealed record NotStarted : MarketResolution;

    public sealed record Collecting(Instant StartedAt, ManualProposed? Proposal) : MarketResolution;

    public sealed record Determined(Instant StartedAt, ResolutionDetermined Decision) : MarketResolution;

    public sealed record Finished(Instant StartedAt, ResolutionDetermined Decision, Instant At) : MarketResolution;

    public sealed record Voided(Instant StartedAt, ResolutionDetermined Decision, Instant At) : MarketResolution;

    public static MarketResolution Evolve(MarketResolution resolution, ResolutionEvent @event) => (resolution, @event) switch
    {
        (NotStarted, ResolutionStarted e) => new Collecting(e.At, Proposal: null),
        (Collecting, RuleEvaluated) => resolution,
        (Collecting collecting, ManualProposed e) => collecting with { Proposal = e },
        (Collecting collecting, ResolutionDetermined e) => new Determined(collecting.StartedAt, e),
        (Determined determined, ResolutionFinished e) => new Finished(determined.StartedAt, determined.Decision, e.At),
        (Determined determined, MarketVoided e) => new Voided(determined.StartedAt, determined.Decision, e.At),
        _ => throw new InvalidOperationException($"{@event.GetType().Name} cannot follow {resolution.GetType().Name}."),
    };
}

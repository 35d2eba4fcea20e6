using System.Text.Json.Serialization;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution.Oracle;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Resolution;

/// <summary>From a closed market to its final value (spec part 2). Every deadline is in the events, so the states alone say what is due.</summary>
[JsonDerivedType(typeof(NotStarted), "not_started")]
[JsonDerivedType(typeof(Collecting), "collecting")]
[JsonDerivedType(typeof(Postponed), "postponed")]
[JsonDerivedType(typeof(Determined), "determined")]
[JsonDerivedType(typeof(Disputed), "disputed")]
[JsonDerivedType(typeof(Arbitration), "arbitration")]
[JsonDerivedType(typeof(Finished), "finished")]
[JsonDerivedType(typeof(Voided), "voided")]
public abstract record MarketResolution
{
    private MarketResolution()
    {
    }

    public static MarketResolution Initial { get; } = new NotStarted();

    public static readonly Fold<MarketResolution> Fold = new(
        "resolution", 2, Initial, (resolution, @event) => @event is ResolutionEvent e ? Evolve(resolution, e) : resolution);

    public sealed record NotStarted : MarketResolution;

    /// <param name="Course">What came before.</param>
    /// <param name="Round">The oracle's round; null = only people can find the value.</param>
    /// <param name="Proposal">A value by hand that waits for a second person.</param>
    public sealed record Collecting(Course Course, OracleRound? Round, ManualProposed? Proposal) : MarketResolution;

    /// <summary>It was too early. The market is closed and nothing else, until then.</summary>
    public sealed record Postponed(Course Course, Instant Until) : MarketResolution;

    /// <param name="Course">What came before.</param>
    /// <param name="Decision">The value, and until when it can be disputed.</param>
    public sealed record Determined(Course Course, ResolutionDetermined Decision) : MarketResolution;

    /// <param name="Course">What came before.</param>
    /// <param name="Decision">The value in dispute.</param>
    /// <param name="Dispute">The dispute.</param>
    /// <param name="Rulings">What the panel said so far.</param>
    public sealed record Disputed(Course Course, ResolutionDetermined Decision, DisputeOpened Dispute, EquatableArray<RulingRecorded> Rulings) : MarketResolution;

    /// <param name="Course">What came before.</param>
    /// <param name="Decision">The value in dispute.</param>
    /// <param name="Dispute">The dispute.</param>
    /// <param name="PanelRulings">What the panel said.</param>
    /// <param name="Rulings">What the arbitrators said so far.</param>
    /// <param name="Until">Until when they have.</param>
    public sealed record Arbitration(
        Course Course, ResolutionDetermined Decision, DisputeOpened Dispute, EquatableArray<RulingRecorded> PanelRulings, EquatableArray<RulingRecorded> Rulings, Instant Until) : MarketResolution;

    public sealed record Finished(Course Course, ResolutionDetermined Decision, Instant At) : MarketResolution;

    /// <param name="Course">What came before; null = the resolution never started.</param>
    /// <param name="Decision">The determined INVALID; null = time ran out.</param>
    /// <param name="Vector">What every share pays.</param>
    /// <param name="At">When.</param>
    public sealed record Voided(Course? Course, ResolutionDetermined? Decision, EquatableArray<Price> Vector, Instant At) : MarketResolution;

    /// <summary>Whether nothing can change the value any more.</summary>
    [JsonIgnore]
    public bool IsFinal => this is Finished or Voided;

    /// <summary>The dispute that is open; null = none.</summary>
    [JsonIgnore]
    public DisputeOpened? OpenDispute => (this as Disputed)?.Dispute ?? (this as Arbitration)?.Dispute;

    /// <summary>What the two sides of the open dispute have at stake together, in units: cash that is neither in an account nor in the pool.</summary>
    [JsonIgnore]
    public long BondUnits => OpenDispute is { } dispute ? 2 * dispute.Bond.Units : 0;

    /// <summary>What came before this state; null = it never started.</summary>
    [JsonIgnore]
    public Course? CourseSoFar => this switch
    {
        Collecting s => s.Course,
        Postponed s => s.Course,
        Determined s => s.Course,
        Disputed s => s.Course,
        Arbitration s => s.Course,
        Finished s => s.Course,
        Voided s => s.Course,
        _ => null,
    };

    public static MarketResolution Evolve(MarketResolution resolution, ResolutionEvent @event) => (resolution, @event) switch
    {
        (NotStarted, ResolutionStarted e) => new Collecting(Course.From(e.At), FirstRound(e), Proposal: null),
        (Postponed postponed, ResolutionStarted e) => new Collecting(postponed.Course, FirstRound(e), Proposal: null),

        (Collecting, RuleEvaluated) => resolution,
        (Collecting collecting, ManualProposed e) => collecting with { Proposal = e },
        (Collecting { Round: { } round } collecting, ReportAccepted e) => collecting with { Round = round with { Reports = round.Reports.Add(e) } },
        (Collecting { Round: { } round } collecting, SourceEquivocated e) => collecting with { Round = round with { Equivocators = round.Equivocators.Add(e.Source) } },
        (Collecting { Round: { } round } collecting, ReportRejected e) => collecting with { Round = round with { Refused = round.Refused.Add(OracleRound.RefusalKey(e.Source, e.Reason)) } },
        (Collecting collecting, RoundFailed e) => collecting with { Round = e.NextUntil is { } until ? OracleRound.Open(e.Round + 1, until) : null },
        (Collecting collecting, ResolutionPostponed e) => new Postponed(collecting.Course with { Postponements = e.Number }, e.Until),
        (Collecting collecting, ResolutionDetermined e) => new Determined(collecting.Course with { Round = collecting.Round }, e),

        (Determined determined, DisputeOpened e) => new Disputed(determined.Course with { Disputes = e.Number }, determined.Decision, e, []),
        (Disputed disputed, RulingRecorded e) => disputed with { Rulings = disputed.Rulings.Add(e) },
        (Disputed disputed, ArbitrationOpened e) => new Arbitration(disputed.Course, disputed.Decision, disputed.Dispute, disputed.Rulings, [], e.Until),
        (Disputed disputed, DisputeRuled) => new Determined(disputed.Course, disputed.Decision),
        (Arbitration arbitration, RulingRecorded e) => arbitration with { Rulings = arbitration.Rulings.Add(e) },
        (Arbitration arbitration, DisputeRuled) => new Determined(arbitration.Course, arbitration.Decision),
        // A ruling's value, with a window of its own.
        (Determined determined, ResolutionDetermined e) => determined with { Decision = e },
        (Determined determined, ResolutionFinished e) => new Finished(determined.Course, determined.Decision, e.At),

        (Determined { Decision.Value: ReservedValues.Invalid } determined, MarketVoided e) => new Voided(determined.Course, determined.Decision, e.Vector, e.At),
        (Finished or Voided, MarketVoided) => throw Unfit(resolution, @event),
        (_, MarketVoided e) => new Voided(resolution.CourseSoFar, null, e.Vector, e.At),

        (not (Finished or Voided), ResolutionSlaBreached) => resolution,
        (Determined s, RollbackProposed e) => s with { Course = s.Course with { Rollback = e } },
        (Finished s, RollbackProposed e) => s with { Course = s.Course with { Rollback = e } },
        (Determined or Finished, ResolutionRolledBack) => new Collecting(resolution.CourseSoFar! with { Rollback = null, Round = null }, Round: null, Proposal: null),
        _ => throw Unfit(resolution, @event),
    };

    private static OracleRound? FirstRound(ResolutionStarted e) => e.RoundUntil is { } until ? OracleRound.Open(1, until) : null;

    private static InvalidOperationException Unfit(MarketResolution resolution, ResolutionEvent @event) =>
        new($"{@event.GetType().Name} cannot follow {resolution.GetType().Name}.");
}

/// <summary>What of a resolution's past later steps depend on.</summary>
/// <param name="StartedAt">When it first started.</param>
/// <param name="Postponements">How often it was put off.</param>
/// <param name="Disputes">How many disputes there were.</param>
/// <param name="Round">The oracle's round that the value came from, for what it says of its sources; null = another way.</param>
/// <param name="Rollback">A rollback that waits for its second person.</param>
public sealed record Course(Instant StartedAt, int Postponements, int Disputes, OracleRound? Round, RollbackProposed? Rollback)
{
    public static Course From(Instant startedAt) => new(startedAt, 0, 0, null, null);
}

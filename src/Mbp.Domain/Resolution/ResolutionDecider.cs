using Mbp.Domain.Markets;
using Mbp.Domain.Resolution.Disputes;
using Mbp.Domain.Resolution.Oracle;
using Mbp.Domain.Settlement;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Resolution;

/// <summary>
/// From a closed market to a final value (spec part 2; C17, C18, C21, C23): from a truth table, by the oracle's quorum, or by hand with two people;
/// then disputes; then it is final. Reports and rounds are <see cref="OracleDecider"/>', disputes <see cref="DisputeDecider"/>'s.
/// </summary>
public static class ResolutionDecider
{
    public static Decision<StreamEvent> Decide(ResolutionCommand command, ResolutionBooks books)
    {
        ArgumentNullException.ThrowIfNull(command);
        ArgumentNullException.ThrowIfNull(books);
        return Answer(command, books).Under(books.Market.Policy()?.Hash);
    }

    private static Decision<StreamEvent> Answer(ResolutionCommand command, ResolutionBooks books) => (command, books.Market, books.Resolution) switch
    {
        (_, Market.Unknown, _) => MarketErrors.NotFound,
        // Time passes for an open market, too; that is its own clock's business.
        (AdvanceResolution, not Market.Closed, _) => [],
        (_, not Market.Closed, _) => ResolutionErrors.MarketNotClosed,

        (AdvanceResolution c, Market.Closed market, _) => ResolutionClock.Advance(c, market, books),
        (ProposeRollback c, _, MarketResolution.Determined or MarketResolution.Finished) => Propose(c, books),
        (ApproveRollback c, _, MarketResolution.Determined or MarketResolution.Finished) => Approve(c, books),
        (_, _, { IsFinal: true }) => ResolutionErrors.AlreadyFinal,

        (StartResolution c, Market.Closed market, MarketResolution.NotStarted or MarketResolution.Collecting)
            when books.Truth.Find(market.Terms.TruthRef) is { } fact && WhyNotBy(fact, c.By, books.Pool) is { } refused => refused,
        (StartResolution c, Market.Closed market, MarketResolution.NotStarted) => Start(c, market, books),
        (StartResolution c, Market.Closed market, MarketResolution.Collecting collecting) => Evaluate(c, market, collecting.Course, books),
        (StartResolution, _, MarketResolution.Postponed postponed) => ResolutionErrors.Postponed(postponed.Until),
        (StartResolution, _, _) => [],

        (_, _, MarketResolution.NotStarted) => ResolutionErrors.NotStarted,
        (_, _, MarketResolution.Postponed postponed) => ResolutionErrors.Postponed(postponed.Until),

        (SubmitReport c, Market.Closed market, MarketResolution.Collecting collecting) => OracleDecider.Report(c, market, collecting, books),
        (ProposeManually c, Market.Closed market, MarketResolution.Collecting collecting) => Propose(c, market, collecting, books),
        (ApproveManually c, Market.Closed market, MarketResolution.Collecting collecting) => Approve(c, market, collecting, books),
        (RecordEndpointAnswer c, Market.Closed market, MarketResolution.Collecting collecting) => Take(c, market, collecting, books),
        (SubmitReport or RecordEndpointAnswer or ProposeManually or ApproveManually, _, _) => ResolutionErrors.AlreadyDetermined,

        (OpenDispute c, Market.Closed market, MarketResolution.Determined determined) => DisputeDecider.Open(c, market, determined, books),
        (OpenDispute, _, MarketResolution.Collecting) => ResolutionErrors.NotDetermined,
        (OpenDispute, _, _) => DisputeErrors.AlreadyDisputed,

        (RecordRuling c, Market.Closed market, MarketResolution.Disputed disputed) => DisputeDecider.Rule(c, market, disputed, books),
        (RecordRuling c, Market.Closed market, MarketResolution.Arbitration arbitration) => DisputeDecider.Rule(c, market, arbitration, books),
        (RecordRuling, _, _) => DisputeErrors.NoSuchDispute,

        (ProposeRollback or ApproveRollback, _, MarketResolution.Collecting) => ResolutionErrors.NotDetermined,
        (ProposeRollback or ApproveRollback, _, _) => DisputeErrors.AlreadyDisputed,

        _ => throw new InvalidOperationException($"{command.GetType().Name} has no decision."),
    };

    /// <summary>The first event of a resolution, and its first round where the oracle is asked.</summary>
    internal static ResolutionStarted Started(MarketId id, Market.Closed market, ResolutionBooks books, Instant at)
    {
        var terms = market.Terms;
        return new ResolutionStarted(
            id, terms.TruthSource, terms.TruthRef, market.Rules.Policy?.Rules.Version ?? "", market.Rules.Policy?.Hash ?? terms.PolicyHash, at,
            terms.AsksOracle && books.Rules.Oracle is { } oracle ? at + Duration.FromMinutes(oracle.RoundMinutes[0]) : null);
    }

    private static Decision<StreamEvent> Start(StartResolution c, Market.Closed market, ResolutionBooks books)
    {
        var started = c.MarketId.Resolution.With(Started(c.MarketId, market, books, c.At));
        return market.Terms.TruthSource == TruthSource.Table ? [started, .. Look(c, market, Course.From(c.At), books)] : [started];
    }

    // Looking again at a table that still says nothing, or nothing of use, is not worth an event: an impatient caller must not grow the ledger.
    private static Decision<StreamEvent> Evaluate(StartResolution c, Market.Closed market, Course course, ResolutionBooks books) =>
        market.Terms.TruthSource != TruthSource.Table || books.Truth.Find(market.Terms.TruthRef) is not { } fact ? []
        : PayoutVectors.For(market, fact.Value).Rejection is { } useless ? useless
        : [.. Look(c, market, course, books)];

    /// <summary>A table is no way around the second person, nor around the rule that nobody decides over the own money.</summary>
    private static Rejection? WhyNotBy(Fact fact, string starter, Pool pool) =>
        fact.By == starter ? ResolutionErrors.SameRecorder
        : pool.IsHeldBy(fact.By) || pool.IsHeldBy(starter) ? ResolutionErrors.HoldsPosition
        : null;

    private static IEnumerable<StreamEvent> Look(StartResolution c, Market.Closed market, Course course, ResolutionBooks books)
    {
        var reference = market.Terms.TruthRef!;
        var fact = books.Truth.Find(reference);
        yield return c.MarketId.Resolution.With(new RuleEvaluated(reference, fact?.Value, fact?.EvidenceUri, c.At));

        // A value that this market cannot have stays unanswered: the manual way is open.
        if (fact is not null && PayoutVectors.For(market, fact.Value).Rejection is null)
        {
            foreach (var @event in Determine(c.MarketId, market, course, books, fact.Value, TruthSource.Table, fact.EvidenceUri, [fact.By, c.By], null, c.At))
            {
                yield return @event;
            }
        }
    }

    /// <summary>An endpoint decides where its host is pinned, and its key signed this value for this market after the close.</summary>
    private static Decision<StreamEvent> Take(RecordEndpointAnswer c, Market.Closed market, MarketResolution.Collecting collecting, ResolutionBooks books)
    {
        if (market.Terms.Endpoint != c.Url || books.Rules.Endpoints?.Hosts.FirstOrDefault(host => host.Host == new Uri(c.Url).Host) is not { } pinned)
        {
            return ResolutionErrors.NotPinned;
        }

        if (!Statement.IsSignedBy(pinned.Key, Statement.Answer(c.MarketId, c.Value, c.ObservedAt, c.Evidence), c.Signature))
        {
            return OracleErrors.BadSignature;
        }

        // What was true while people traded may have changed by the close.
        if (c.ObservedAt < market.Since)
        {
            return ResolutionErrors.SeenTooSoon;
        }

        if ((c.Value == ReservedValues.TooEarly ? WhyNotTooEarly(collecting.Course, books) : PayoutVectors.For(market, c.Value).Rejection) is { } bad)
        {
            return bad;
        }

        var evidence = $"urn:sha256:{c.BodySha256}";
        return
        [
            c.MarketId.Resolution.With(new RuleEvaluated(c.Url, c.Value, evidence, c.At, new EndpointAnswer(c.ObservedAt, c.Evidence, c.Signature, c.BodySha256))),
            .. c.Value == ReservedValues.TooEarly ? [c.MarketId.Resolution.With(Postpone(collecting.Course, books, c.At))]
                : Determine(c.MarketId, market, collecting.Course, books, c.Value, TruthSource.Endpoint, evidence, [pinned.Host], null, c.At),
        ];
    }

    private static Decision<StreamEvent> Propose(ProposeManually c, Market.Closed market, MarketResolution.Collecting collecting, ResolutionBooks books)
    {
        if (books.Pool.IsHeldBy(c.By))
        {
            return ResolutionErrors.HoldsPosition;
        }

        if (collecting.Proposal is { } proposal)
        {
            // The proposer may correct the proposal; nobody else may replace it under the approver's eyes.
            if (proposal.By != c.By)
            {
                return ResolutionErrors.AlreadyProposed;
            }

            if (proposal.Value == c.Value && proposal.EvidenceUri == c.EvidenceUri)
            {
                return [];
            }
        }

        if ((c.Value == ReservedValues.TooEarly ? WhyNotTooEarly(collecting.Course, books) : PayoutVectors.For(market, c.Value).Rejection) is { } bad)
        {
            return bad;
        }

        return EvidenceUri.IsValid(c.EvidenceUri)
            ? [c.MarketId.Resolution.With(new ManualProposed(c.Value, c.EvidenceUri, c.By, c.At))]
            : ResolutionErrors.EvidenceNeeded;
    }

    private static Decision<StreamEvent> Approve(ApproveManually c, Market.Closed market, MarketResolution.Collecting collecting, ResolutionBooks books) =>
        collecting.Proposal is not { } proposal ? ResolutionErrors.NothingProposed
        : proposal.By == c.By ? ResolutionErrors.SameApprover
        : books.Pool.IsHeldBy(c.By) ? ResolutionErrors.HoldsPosition
        : proposal.Value == ReservedValues.TooEarly ? WhyNotTooEarly(collecting.Course, books) is { } no ? no : [c.MarketId.Resolution.With(Postpone(collecting.Course, books, c.At))]
        : [.. Determine(c.MarketId, market, collecting.Course, books, proposal.Value, TruthSource.Manual, proposal.EvidenceUri, [proposal.By, c.By], null, c.At)];

    private static Decision<StreamEvent> Propose(ProposeRollback c, ResolutionBooks books) =>
        books.Settlement is not MarketSettlement.NotPlanned ? ResolutionErrors.AlreadySettling
        : books.Pool.IsHeldBy(c.By) ? ResolutionErrors.HoldsPosition
        : !EvidenceUri.IsValid(c.EvidenceUri) ? ResolutionErrors.EvidenceNeeded
        : books.Resolution.CourseSoFar?.Rollback is { } waiting ? waiting.By == c.By && waiting.Reason == c.Reason && waiting.EvidenceUri == c.EvidenceUri ? [] : ResolutionErrors.AlreadyProposed
        : [c.MarketId.Resolution.With(new RollbackProposed(c.Reason, c.EvidenceUri, c.By, c.At))];

    private static Decision<StreamEvent> Approve(ApproveRollback c, ResolutionBooks books) =>
        books.Settlement is not MarketSettlement.NotPlanned ? ResolutionErrors.AlreadySettling
        : books.Resolution.CourseSoFar?.Rollback is not { } proposal ? ResolutionErrors.NothingProposed
        : proposal.By == c.By ? ResolutionErrors.SameApprover
        : books.Pool.IsHeldBy(c.By) ? ResolutionErrors.HoldsPosition
        : [c.MarketId.Resolution.With(new ResolutionRolledBack(proposal.Reason, proposal.EvidenceUri, [proposal.By, c.By], c.At))];

    /// <summary>Why the resolution cannot be put off; null = it can.</summary>
    internal static Rejection? WhyNotTooEarly(Course course, ResolutionBooks books) =>
        books.Rules.Resolution.MaxPostponements is not { } most ? ResolutionErrors.BadValue($"is not {ReservedValues.TooEarly}: these rules do not put a resolution off")
        : course.Postponements >= most ? ResolutionErrors.BadValue($"is not {ReservedValues.TooEarly} again: it was put off {most} times")
        : null;

    internal static ResolutionPostponed Postpone(Course course, ResolutionBooks books, Instant at) =>
        new(course.Postponements + 1, at + Duration.FromMinutes(books.Rules.Resolution.PostponeMinutes!.Value), at);

    /// <summary>The value, and at once the end of it where the rules leave no time for disputes.</summary>
    internal static IEnumerable<StreamEvent> Determine(
        MarketId id, Market.Closed market, Course course, ResolutionBooks books, string value, TruthSource source, string evidence, EquatableArray<string> by, TallyTrace? tally, Instant at)
    {
        var determined = new ResolutionDetermined(value, PayoutVectors.For(market, value).Single(), source, evidence, by, at + books.DisputeWindow, at, tally);
        yield return id.Resolution.With(determined);
        if (books.DisputeWindow == Duration.Zero)
        {
            foreach (var @event in Final(id, market, course, determined, books, at))
            {
                yield return @event;
            }
        }
    }

    /// <summary>Nothing changes the value any more, and what it says of the sources is written down.</summary>
    internal static IEnumerable<StreamEvent> Final(MarketId id, Market.Closed market, Course course, ResolutionDetermined determined, ResolutionBooks books, Instant at)
    {
        yield return id.Resolution.With(determined.Value == ReservedValues.Invalid
            ? new MarketVoided($"resolved as {ReservedValues.Invalid}", determined.Vector, at)
            : new ResolutionFinished(determined.Value, determined.Vector, at));
        foreach (var @event in OracleDecider.Reputations(id, market, course, determined.Value, books, at))
        {
            yield return @event;
        }
    }
}

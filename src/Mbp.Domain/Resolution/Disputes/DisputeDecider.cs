using System.Globalization;
using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution.Oracle;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Resolution.Disputes;

/// <summary>A value in dispute: bonds, a panel, arbitrators (spec part 2, D16; C23). It ends in bounded time whatever anybody does (Q4.L3).</summary>
internal static class DisputeDecider
{
    /// <summary>The second dispute of a market goes to the arbitrators, whose word is the last.</summary>
    private const int LastDispute = 2;

    private const int DecidingOperators = 2;

    public static Decision<StreamEvent> Open(OpenDispute c, Market.Closed market, MarketResolution.Determined determined, ResolutionBooks books)
    {
        var decision = determined.Decision;
        if (books.Rules.Disputes is not { } rules)
        {
            return DisputeErrors.NoDisputes;
        }

        if (c.At >= decision.DisputableUntil)
        {
            return DisputeErrors.TooLate;
        }

        if (c.By.IsReserved)
        {
            return AccountErrors.Reserved;
        }

        if (PayoutVectors.For(market, c.Value).Rejection is { } bad)
        {
            return bad;
        }

        if (OracleDecider.Agree(ValueRule(market, books), c.Value, decision.Value))
        {
            return DisputeErrors.SameValue;
        }

        if (!EvidenceUri.IsValid(c.EvidenceUri))
        {
            return ResolutionErrors.EvidenceNeeded;
        }

        if (books.DisputerAccount is not Account.Open account || books.Disputer != c.By)
        {
            return AccountErrors.NotFound;
        }

        var number = determined.Course.Disputes + 1;
        var bond = Bonds.OfRound(Bonds.Base(books.Pool.Locked, rules), number);
        if (account.Balance < bond)
        {
            return AccountErrors.InsufficientFunds(account.Balance, bond);
        }

        var opened = new DisputeOpened(number, c.By, bond, c.Value, c.EvidenceUri, c.Reason, c.At + Duration.FromHours(rules.PanelHours), c.At);
        return number >= LastDispute
            ? [.. Deposit(c.MarketId, opened, books, c.At), c.MarketId.Resolution.With(opened), c.MarketId.Resolution.With(Arbitrate(opened, "second_dispute", rules, c.At))]
            : [.. Deposit(c.MarketId, opened, books, c.At), c.MarketId.Resolution.With(opened)];
    }

    public static Decision<StreamEvent> Rule(RecordRuling c, Market.Closed market, MarketResolution.Disputed disputed, ResolutionBooks books)
    {
        var rules = books.Rules.Disputes;
        var panel = rules?.Panel ?? [];
        if (WhyNot(c, market, disputed.Decision, disputed.Dispute, panel, disputed.Rulings, earlier: [], books) is { } refused)
        {
            return refused;
        }

        if (Said(disputed.Rulings, c.Judge) is not null)
        {
            return [];
        }

        var ruling = new RulingRecorded(c.Dispute, c.Judge, c.Value, c.EvidenceUri, c.Signature, c.At);
        var rulings = disputed.Rulings.Add(ruling);
        // A quorum is more than half of all weight, so nobody who has not spoken yet can change it.
        var (value, tally) = panel.Count == 0 ? (Agreed(rulings, ValueRule(market, books)), null) : QuorumOf(panel, rulings, ValueRule(market, books));
        return value is null
            ? [c.MarketId.Resolution.With(ruling)]
            : [.. Ruled(c, market, disputed.Course, disputed.Decision, disputed.Dispute, ruling, rulings, value, tally, isLast: false, books)];
    }

    public static Decision<StreamEvent> Rule(RecordRuling c, Market.Closed market, MarketResolution.Arbitration arbitration, ResolutionBooks books)
    {
        var arbitrators = books.Rules.Disputes?.Arbitrators ?? [];
        if (WhyNot(c, market, arbitration.Decision, arbitration.Dispute, arbitrators, arbitration.Rulings, arbitration.PanelRulings, books) is { } refused)
        {
            return refused;
        }

        if (Said(arbitration.Rulings, c.Judge) is not null)
        {
            return [];
        }

        var ruling = new RulingRecorded(c.Dispute, c.Judge, c.Value, c.EvidenceUri, c.Signature, c.At);
        var rulings = arbitration.Rulings.Add(ruling);
        return Agreed(rulings, ValueRule(market, books)) is { } value
            ? [.. Ruled(c, market, arbitration.Course, arbitration.Decision, arbitration.Dispute, ruling, rulings, value, tally: null, isLast: true, books)]
            : [c.MarketId.Resolution.With(ruling)];
    }

    /// <summary>The panel's time is over.</summary>
    public static IEnumerable<StreamEvent> Escalate(MarketId id, MarketResolution.Disputed disputed, ResolutionBooks books, Instant at) =>
        [id.Resolution.With(Arbitrate(disputed.Dispute, "no_quorum", books.Rules.Disputes, at))];

    /// <summary>Nobody judged in time, or nobody will: both sides have their bonds back.</summary>
    public static IEnumerable<StreamEvent> Release(MarketId id, DisputeOpened dispute, string value, ResolutionBooks books, Instant at) =>
    [
        .. Credit(id, dispute, dispute.By, dispute.Bond, at),
        .. Credit(id, dispute, AccountId.ResolutionDesk, dispute.Bond, at),
        id.Resolution.With(new DisputeRuled(dispute.Number, "unjudged", value, Credits.Zero, Credits.Zero, at)),
    ];

    private static IEnumerable<StreamEvent> Ruled(
        RecordRuling c, Market.Closed market, Course course, ResolutionDetermined decision, DisputeOpened dispute, RulingRecorded ruling, EquatableArray<RulingRecorded> rulings,
        string value, TallyTrace? tally, bool isLast, ResolutionBooks books)
    {
        var rule = ValueRule(market, books);
        var upheld = OracleDecider.Agree(rule, value, decision.Value);
        var (toInsurance, toWinner) = Bonds.Split(dispute.Bond);
        EquatableArray<string> by = [.. rulings.Where(one => OracleDecider.Agree(rule, one.Value, value)).Select(one => one.Judge).Order(StringComparer.Ordinal)];
        // What stands has a window of its own, too (round 2): it is the same value, determined again.
        var until = isLast ? c.At : c.At + books.DisputeWindow;
        var stands = upheld
            ? decision with { DisputableUntil = until, At = c.At, Tally = tally }
            : new ResolutionDetermined(value, PayoutVectors.For(market, value).Single(), TruthSource.Manual, ruling.EvidenceUri, by, until, c.At, tally);
        return
        [
            .. Credit(c.MarketId, dispute, upheld ? AccountId.ResolutionDesk : dispute.By, toWinner, c.At),
            .. books.Insurance is Account.Open ? Array.Empty<StreamEvent>() : [AccountId.Insurance.Stream.With(new AccountOpened(AccountId.Insurance, c.At))],
            .. Credit(c.MarketId, dispute, AccountId.Insurance, toInsurance, c.At),
            c.MarketId.Resolution.With(ruling),
            c.MarketId.Resolution.With(new DisputeRuled(dispute.Number, upheld ? "upheld" : "overturned", stands.Value, toWinner, toInsurance, c.At)),
            .. isLast && upheld ? Array.Empty<StreamEvent>() : [c.MarketId.Resolution.With(stands)],
            .. isLast ? ResolutionDecider.Final(c.MarketId, market, course, stands, books, c.At) : [],
        ];
    }

    /// <summary>Why somebody may not judge, or not say this; null = they may.</summary>
    private static Rejection? WhyNot(
        RecordRuling c, Market.Closed market, ResolutionDetermined decision, DisputeOpened dispute, EquatableArray<Voter> judges,
        EquatableArray<RulingRecorded> rulings, EquatableArray<RulingRecorded> earlier, ResolutionBooks books)
    {
        if (c.Dispute != dispute.Number)
        {
            return DisputeErrors.NoSuchDispute;
        }

        if (judges.Count > 0)
        {
            if (judges.FirstOrDefault(judge => judge.Id == c.Judge) is not { } judge)
            {
                return DisputeErrors.NotAJudge;
            }

            if (c.Signature is null || !Statement.IsSignedBy(judge, Statement.Ruling(c.MarketId, c.Dispute, c.Value, c.EvidenceUri), c.Signature))
            {
                return OracleErrors.BadSignature;
            }
        }
        else if (c.Signature is not null)
        {
            return DisputeErrors.NotAJudge;
        }
        else if (decision.DecidedBy.Contains(c.Judge) || Said(earlier, c.Judge) is not null)
        {
            return DisputeErrors.TookPart;
        }

        return books.Pool.IsHeldBy(c.Judge) || c.Judge == dispute.By.Value ? ResolutionErrors.HoldsPosition
            : Said(rulings, c.Judge) is { } said && said.Value != c.Value ? DisputeErrors.AlreadyRuled
            : PayoutVectors.For(market, c.Value).Rejection is { } bad ? bad
            : !EvidenceUri.IsValid(c.EvidenceUri) ? ResolutionErrors.EvidenceNeeded
            // The other side of a bond must be there to be paid.
            : books.Disputer != dispute.By ? OracleErrors.RulesChanged
            : null;
    }

    private static ArbitrationOpened Arbitrate(DisputeOpened dispute, string reason, DisputeRules? rules, Instant at) =>
        new(dispute.Number, reason, at + Duration.FromHours(rules?.ArbitrationHours ?? 0), at);

    private static RulingRecorded? Said(EquatableArray<RulingRecorded> rulings, string judge)
    {
        foreach (var ruling in rulings)
        {
            if (ruling.Judge == judge)
            {
                return ruling;
            }
        }

        return null;
    }

    /// <summary>The first value that two judges agree on.</summary>
    private static string? Agreed(EquatableArray<RulingRecorded> rulings, VoteRule rule) =>
        rulings.FirstOrDefault(one => rulings.Count(other => OracleDecider.Agree(rule, one.Value, other.Value)) >= DecidingOperators)?.Value;

    private static (string? Value, TallyTrace? Tally) QuorumOf(EquatableArray<Voter> panel, EquatableArray<RulingRecorded> rulings, VoteRule rule)
    {
        var tally = Consensus.Of([.. panel.Select(member => new VoterWeight(member.Id, member.Weight, member.Weight))], rulings.Select(ruling => new Vote(ruling.Judge, ruling.Value)), rule);
        return (tally.Value, OracleDecider.Trace(tally));
    }

    private static VoteRule ValueRule(Market.Closed market, ResolutionBooks books) => OracleDecider.RuleOf(market.Terms, books.Rules.Oracle?.ToleranceBps ?? 0);

    /// <summary>Both bonds go from the accounts to the market. What the platform's side lacks is granted to it: a value must be defended whoever doubts it.</summary>
    private static IEnumerable<StreamEvent> Deposit(MarketId id, DisputeOpened dispute, ResolutionBooks books, Instant at)
    {
        var (reference, desk) = (Reference(dispute), AccountId.ResolutionDesk);
        yield return dispute.By.Stream.With(new AccountDebited(dispute.Bond, PostingKind.Bond, id, reference, at));
        if (books.Desk is not Account.Open)
        {
            yield return desk.Stream.With(new AccountOpened(desk, at));
        }

        if (books.Desk.Cash < dispute.Bond)
        {
            yield return desk.Stream.With(new CreditsGranted(dispute.Bond - books.Desk.Cash, $"bond of {reference} of {id}", at));
        }

        yield return desk.Stream.With(new AccountDebited(dispute.Bond, PostingKind.Bond, id, reference, at));
    }

    private static IEnumerable<StreamEvent> Credit(MarketId id, DisputeOpened dispute, AccountId account, Credits amount, Instant at) =>
        amount == Credits.Zero ? [] : [account.Stream.With(new AccountCredited(amount, PostingKind.Bond, id, Reference(dispute), at))];

    private static string Reference(DisputeOpened dispute) => string.Create(CultureInfo.InvariantCulture, $"dispute {dispute.Number}");
}

public static class DisputeErrors
{
    public static readonly Rejection NoDisputes = new(RejectionKind.Conflict, "resolution.no_disputes", "The market's rule set knows no disputes.");

    public static readonly Rejection TooLate = new(RejectionKind.Conflict, "resolution.dispute_too_late", "The dispute window has ended.");

    public static readonly Rejection SameValue = new(RejectionKind.Invalid, "resolution.same_value", "The value is the determined one; a dispute says that it is another.", "value");

    public static readonly Rejection AlreadyDisputed = new(RejectionKind.Conflict, "resolution.already_disputed", "The value is in dispute already; the dispute's end decides.");

    public static readonly Rejection NoSuchDispute = new(RejectionKind.NotFound, "resolution.no_such_dispute", "The market has no open dispute with this number.", "number");

    public static readonly Rejection NotAJudge = new(RejectionKind.Forbidden, "resolution.not_a_judge", "The market's rule set names others to judge this.", "judge");

    public static readonly Rejection TookPart = new(
        RejectionKind.Forbidden, "resolution.took_part", "Whoever had a part in the value, or in the ruling before, cannot judge it: another operator does.");

    public static readonly Rejection AlreadyRuled = new(RejectionKind.Conflict, "resolution.already_ruled", "A ruling cannot be taken back.", "value");
}

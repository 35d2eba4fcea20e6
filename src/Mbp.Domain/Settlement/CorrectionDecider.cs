using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Settlement;

/// <summary>Says by which value a settled market should have been paid.</summary>
public sealed record ProposeCorrection(MarketId MarketId, string Value, string EvidenceUri, string Reason, string By, Instant At);

/// <summary>A second person agrees.</summary>
/// <param name="MarketId">Which market.</param>
/// <param name="Plan">What will be posted.</param>
/// <param name="Shortfall">How much of it the debtors have spent, as the caller sees it. To the unit it is known when each is debited.</param>
/// <param name="By">Who.</param>
/// <param name="At">Ledger time.</param>
public sealed record ApproveCorrection(MarketId MarketId, CorrectionPlan Plan, Credits Shortfall, string By, Instant At);

/// <summary>Posts the next differences, at most <paramref name="Most"/>.</summary>
/// <param name="MarketId">Which market.</param>
/// <param name="Plan">The whole plan; the root of its new half must be the one that the ledger holds.</param>
/// <param name="From">How many the caller takes for posted. If it is wrong, nothing is posted: the caller has to look again.</param>
/// <param name="Most">A bound on one commit.</param>
/// <param name="At">Ledger time.</param>
public sealed record PostCorrections(MarketId MarketId, CorrectionPlan Plan, int From, int Most, Instant At);

/// <summary>
/// A wrong settlement, made good (I10): two people agree on another value, and what each account was paid too much or too little is posted beside
/// what was paid. Whoever has spent what it owes is debited down to nothing, and insurance carries the rest.
/// </summary>
public static class CorrectionDecider
{
    public static Decision<SettlementEvent> Propose(ProposeCorrection c, Market market, MarketResolution resolution, MarketSettlement settlement, Pool pool)
    {
        ArgumentNullException.ThrowIfNull(c);
        ArgumentNullException.ThrowIfNull(pool);
        if (market is Market.Unknown)
        {
            return MarketErrors.NotFound;
        }

        if (market is not Market.Closed closed || settlement is not MarketSettlement.Settled settled)
        {
            return CorrectionErrors.NotSettled;
        }

        if (settled.Posting is not null)
        {
            return CorrectionErrors.UnderWay;
        }

        if (pool.IsHeldBy(c.By))
        {
            return CorrectionErrors.HoldsPosition;
        }

        if (settled.Corrections?.Step is CorrectionStep.Proposed { Proposal: var proposal })
        {
            // As for a value by hand: nobody replaces a proposal under the approver's eyes but the one whose it is.
            if (proposal.By != c.By)
            {
                return CorrectionErrors.AlreadyProposed;
            }

            if ((proposal.Value, proposal.EvidenceUri, proposal.Reason) == (c.Value, c.EvidenceUri, c.Reason))
            {
                return [];
            }
        }

        var meant = PayoutVectors.For(closed, c.Value);
        if (meant.Rejection is { } bad)
        {
            return bad;
        }

        var vector = meant.Single();
        return vector == InForce(resolution, settled) ? CorrectionErrors.NothingToCorrect
            : !EvidenceUri.IsValid(c.EvidenceUri) ? CorrectionErrors.EvidenceNeeded
            : [new SettlementCorrectionProposed(c.MarketId, (settled.Corrections?.Count ?? 0) + 1, c.Value, vector, c.EvidenceUri, c.Reason, c.By, c.At)];
    }

    public static Decision<SettlementEvent> Approve(ApproveCorrection c, MarketResolution resolution, MarketSettlement settlement, Pool pool, Account insurance)
    {
        ArgumentNullException.ThrowIfNull(c);
        ArgumentNullException.ThrowIfNull(pool);
        if (settlement is not MarketSettlement.Settled { Corrections.Step: CorrectionStep.Proposed { Proposal: var proposal } } settled)
        {
            return CorrectionErrors.NothingProposed;
        }

        if (proposal.By == c.By)
        {
            return CorrectionErrors.SameApprover;
        }

        if (pool.IsHeldBy(c.By))
        {
            return CorrectionErrors.HoldsPosition;
        }

        var plan = c.Plan.After;
        if (!c.Plan.Before.IsOf(pool, new PayoutVector(InForce(resolution, settled)!.Value)) || !plan.IsOf(pool, new PayoutVector(proposal.Vector)))
        {
            return CorrectionErrors.Changed;
        }

        // Before anything is written: half a correction would leave winners unpaid.
        return insurance.Cash < c.Shortfall
            ? CorrectionErrors.InsuranceShort(insurance.Cash, c.Shortfall)
            : [new SettlementCorrected(
                c.MarketId, proposal.Number, proposal.Value, proposal.Vector, c.Plan.Lines.Count, c.Plan.Back, c.Plan.More, c.Shortfall, plan.Total, plan.Dust, plan.FeeDust,
                plan.RootText, proposal.EvidenceUri, proposal.Reason, [proposal.By, c.By], c.At)];
    }

    /// <param name="c">What is asked.</param>
    /// <param name="settlement">How far it is.</param>
    /// <param name="accounts">The accounts of the lines that are next.</param>
    /// <param name="insurance">The insurance account.</param>
    public static Decision<StreamEvent> Post(PostCorrections c, MarketSettlement settlement, Func<AccountId, Account> accounts, Account insurance)
    {
        ArgumentNullException.ThrowIfNull(c);
        ArgumentNullException.ThrowIfNull(accounts);
        if (settlement is not MarketSettlement.Settled { Corrections: { } corrections, Posting: { } posting } settled)
        {
            return settlement is MarketSettlement.Settled { Corrections.Step: CorrectionStep.Done } ? [] : CorrectionErrors.NothingApproved;
        }

        if (c.Plan.After.RootText != posting.Plan.Root)
        {
            throw new InvalidOperationException($"The correction of {c.MarketId} has root {c.Plan.After.Root}, the ledger's has {posting.Plan.Root}.");
        }

        if (c.From != posting.Posted)
        {
            return [];
        }

        var written = new List<StreamEvent>(3 * c.Most + 1);
        var carrier = insurance.Cash;
        var last = Math.Min(posting.Posted + c.Most, c.Plan.Lines.Count);
        for (var i = posting.Posted; i < last; i++)
        {
            var posted = Post(c, posting.Plan.Number, c.Plan.Lines[i], accounts(c.Plan.Lines[i].Account), corrections, ref carrier);
            if (posted.Rejection is { } refused)
            {
                // What goes before it is posted; then the market waits here until this one can be.
                return written.Count == 0 ? refused : [.. written];
            }

            written.AddRange(posted.Events);
            posting = (CorrectionStep.Posting)(corrections = Corrections.Evolve(corrections, (SettlementEvent)posted.Events[^1].Event)).Step!;
        }

        if (last == c.Plan.Lines.Count)
        {
            written.Add(c.MarketId.Resolution.With(new SettlementCorrectionDone(
                posting.Plan.Number, posting.Back, posting.More, posting.Shortfall, posting.Repaid, corrections.Paid, posting.Plan.Dust, posting.Plan.FeeDust, c.At)));
        }

        return [.. written];
    }

    /// <summary>What a share of each outcome pays now: by the last correction that two people agreed on, or else by the resolution.</summary>
    public static EquatableArray<Price>? InForce(MarketResolution resolution, MarketSettlement.Settled settled)
    {
        ArgumentNullException.ThrowIfNull(settled);
        return settled.Corrections?.Vector ?? SettlementDecider.FinalVector(resolution);
    }

    private static Decision<StreamEvent> Post(PostCorrections c, int number, CorrectionLine line, Account account, Corrections corrections, ref Credits carrier)
    {
        var (reference, difference, balance) = ($"correction {number}", line.Difference, account.Cash);
        var insured = line.GivesBack
            ? difference > balance ? difference - balance : Credits.Zero
            : corrections.InsuredFor(line.Account) is var carried && carried < difference ? carried : difference;
        var moved = difference - insured;
        var written = new List<StreamEvent>(3);
        if (line.GivesBack)
        {
            if (insured > carrier)
            {
                return CorrectionErrors.InsuranceShort(carrier, insured);
            }

            carrier -= insured;
            Write(line.Account, moved, amount => new AccountDebited(amount, PostingKind.Correction, c.MarketId, reference, c.At));
            Write(AccountId.Insurance, insured, amount => new AccountDebited(amount, PostingKind.Correction, c.MarketId, $"{reference}: {line.Account}", c.At));
        }
        else
        {
            if (!Decimal8.Fits(balance.Units, moved.Units) || !Decimal8.Fits(carrier.Units, insured.Units))
            {
                return AccountErrors.TooLarge;
            }

            carrier += insured;
            Write(line.Account, moved, amount => new AccountCredited(amount, PostingKind.Correction, c.MarketId, reference, c.At));
            Write(AccountId.Insurance, insured, amount => new AccountCredited(amount, PostingKind.Correction, c.MarketId, $"{reference}: {line.Account}", c.At));
        }

        written.Add(c.MarketId.Resolution.With(new PayoutCorrected(number, line.Account, line.Before, line.Due, moved, insured, c.At)));
        return [.. written];

        void Write(AccountId to, Credits amount, Func<Credits, AccountEvent> posting)
        {
            if (amount > Credits.Zero)
            {
                written.Add(to.Stream.With(posting(amount)));
            }
        }
    }
}

public static class CorrectionErrors
{
    public static readonly Rejection NotSettled = new(
        RejectionKind.Conflict, "settlement.not_settled", "The market is not settled: before that its value is disputed, not corrected.");

    public static readonly Rejection UnderWay = new(RejectionKind.Conflict, "settlement.correction_under_way", "A correction is being posted; another can be proposed after it.");

    public static readonly Rejection AlreadyProposed = new(
        RejectionKind.Conflict, "settlement.correction_already_proposed", "There is a proposal already; another operator approves it.");

    public static readonly Rejection NothingProposed = new(RejectionKind.Conflict, "settlement.correction_not_proposed", "There is no correction to approve.");

    public static readonly Rejection NothingApproved = new(RejectionKind.Conflict, "settlement.correction_not_approved", "There is no correction to post.");

    public static readonly Rejection NothingToCorrect = new(
        RejectionKind.Conflict, "settlement.nothing_to_correct", "The market has paid by that value already.", "value");

    public static readonly Rejection SameApprover = new(
        RejectionKind.Forbidden, "settlement.same_approver", "The one who proposed the correction cannot approve it: two people decide.");

    public static readonly Rejection HoldsPosition = new(
        RejectionKind.Forbidden, "settlement.holds_position", "Whoever held a position in the market cannot correct its settlement.");

    public static readonly Rejection EvidenceNeeded = new(
        RejectionKind.Invalid, "settlement.evidence_needed", "A correction needs a link to its evidence: an absolute http(s), ipfs or urn URI.", "evidenceUri");

    public static readonly Rejection Changed = new(
        RejectionKind.Conflict, "settlement.correction_changed", "The proposal has changed in this moment; look at it again.");

    public static Rejection InsuranceShort(Credits has, Credits needed) => new(
        RejectionKind.Refused, "settlement.insurance_short",
        $"Accounts have spent {needed} CE$ of what they owe, and the insurance account holds {has} CE$: nothing is posted that it cannot carry.");
}

using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Resolution;

/// <summary>The rule engine of one market: from its truth source, or by hand with two people, to a final value (spec part 2; C17, C18).</summary>
public static class ResolutionDecider
{
    private const int LongestUri = 2_000;

    public static Decision<ResolutionEvent> Decide(ResolutionCommand command, Market market, MarketResolution resolution, Pool pool, TruthTable truth) =>
        Answer(command, market, resolution, pool, truth).Under(market.Policy()?.Hash);

    private static Decision<ResolutionEvent> Answer(ResolutionCommand command, Market market, MarketResolution resolution, Pool pool, TruthTable truth) =>
        market is not Market.Closed closed
            ? market is Market.Unknown ? MarketErrors.NotFound : ResolutionErrors.MarketNotClosed
            : (command, resolution) switch
            {
                (_, MarketResolution.Finished or MarketResolution.Voided) => ResolutionErrors.AlreadyFinal,

                (StartResolution c, MarketResolution.NotStarted or MarketResolution.Collecting)
                    when truth.Find(closed.Terms.TruthRef) is { } fact && WhyNotBy(fact, c.By, pool) is { } refused => refused,
                (StartResolution c, MarketResolution.NotStarted) => Start(c, closed, truth),
                (StartResolution c, MarketResolution.Collecting) => Evaluate(c, closed, truth),
                (StartResolution, _) => [],

                (_, MarketResolution.NotStarted) => ResolutionErrors.NotStarted,

                (ProposeManually c, MarketResolution.Collecting collecting) => Propose(c, closed, collecting, pool),
                (ApproveManually c, MarketResolution.Collecting collecting) => Approve(c, closed, collecting, pool),
                (ProposeManually or ApproveManually, _) => ResolutionErrors.AlreadyDetermined,

                (FinishResolution c, MarketResolution.Determined determined) => Finish(c, determined),
                (FinishResolution, _) => [],

                _ => throw new InvalidOperationException($"{command.GetType().Name} has no decision."),
            };

    private static Decision<ResolutionEvent> Start(StartResolution c, Market.Closed market, TruthTable truth)
    {
        var terms = market.Terms;
        var started = new ResolutionStarted(
            c.MarketId, terms.TruthSource, terms.TruthRef, market.Rules.Policy?.Rules.Version ?? "", market.Rules.Policy?.Hash ?? terms.PolicyHash, c.At);
        return terms.TruthSource == TruthSource.Table
            ? [started, .. Look(c, market, truth)]
            : [started];
    }

    // Looking again at a table that still says nothing, or nothing of use, is not worth an event: an impatient caller must not grow the ledger.
    private static Decision<ResolutionEvent> Evaluate(StartResolution c, Market.Closed market, TruthTable truth) =>
        market.Terms.TruthSource != TruthSource.Table || truth.Find(market.Terms.TruthRef) is not { } fact ? []
        : PayoutVectors.For(market, fact.Value).Rejection is { } useless ? useless
        : [.. Look(c, market, truth)];

    /// <summary>A table is no way around the second person, nor around the rule that nobody decides over the own money.</summary>
    private static Rejection? WhyNotBy(Fact fact, string starter, Pool pool) =>
        fact.By == starter ? ResolutionErrors.SameRecorder
        : HoldsPosition(pool, fact.By) || HoldsPosition(pool, starter) ? ResolutionErrors.HoldsPosition
        : null;

    private static IEnumerable<ResolutionEvent> Look(StartResolution c, Market.Closed market, TruthTable truth)
    {
        var reference = market.Terms.TruthRef!;
        var fact = truth.Find(reference);
        yield return new RuleEvaluated(reference, fact?.Value, fact?.EvidenceUri, c.At);

        // A value that this market cannot have stays unanswered: the manual way is open.
        if (fact is not null && PayoutVectors.For(market, fact.Value).Rejection is null)
        {
            foreach (var @event in Determine(market, fact.Value, TruthSource.Table, fact.EvidenceUri, [fact.By, c.By], c.At))
            {
                yield return @event;
            }
        }
    }

    private static Decision<ResolutionEvent> Propose(ProposeManually c, Market.Closed market, MarketResolution.Collecting collecting, Pool pool)
    {
        if (HoldsPosition(pool, c.By))
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

        if (PayoutVectors.For(market, c.Value).Rejection is { } bad)
        {
            return bad;
        }

        return IsEvidence(c.EvidenceUri)
            ? [new ManualProposed(c.Value, c.EvidenceUri, c.By, c.At)]
            : ResolutionErrors.EvidenceNeeded;
    }

    private static Decision<ResolutionEvent> Approve(ApproveManually c, Market.Closed market, MarketResolution.Collecting collecting, Pool pool) =>
        collecting.Proposal is not { } proposal ? ResolutionErrors.NothingProposed
        : proposal.By == c.By ? ResolutionErrors.SameApprover
        : HoldsPosition(pool, c.By) ? ResolutionErrors.HoldsPosition
        : [.. Determine(market, proposal.Value, TruthSource.Manual, proposal.EvidenceUri, [proposal.By, c.By], c.At)];

    private static Decision<ResolutionEvent> Finish(FinishResolution c, MarketResolution.Determined determined) =>
        c.At < determined.Decision.DisputableUntil
            ? ResolutionErrors.StillDisputable
            : [Final(determined.Decision, c.At)];

    private static IEnumerable<ResolutionEvent> Determine(
        Market.Closed market, string value, TruthSource source, string evidence, EquatableArray<string> by, Instant at)
    {
        var window = Duration.FromMinutes((market.Rules.Policy ?? FirstRulesets.Default).Rules.Resolution.DisputeWindowMinutes);
        var determined = new ResolutionDetermined(value, PayoutVectors.For(market, value).Single(), source, evidence, by, at + window, at);
        yield return determined;
        if (window == Duration.Zero)
        {
            yield return Final(determined, at);
        }
    }

    private static ResolutionEvent Final(ResolutionDetermined determined, Instant at) => determined.Value == ReservedValues.Invalid
        ? new MarketVoided($"resolved as {ReservedValues.Invalid}", determined.Vector, at)
        : new ResolutionFinished(determined.Value, determined.Vector, at);

    // An operator may hold an account of the same name; nobody decides over the own money.
    private static bool HoldsPosition(Pool pool, string who) =>
        AccountId.IsValid(who)
        && pool.Holders.TryGetValue(new AccountId(who), out var holder)
        && (holder.LpShares > LpShares.Zero || holder.Shares.Any(s => s > Shares.Zero));

    internal static bool IsEvidence(string uri) =>
        uri.Length <= LongestUri && Uri.TryCreate(uri, UriKind.Absolute, out var parsed) && parsed.Scheme is "http" or "https" or "ipfs" or "urn";
}

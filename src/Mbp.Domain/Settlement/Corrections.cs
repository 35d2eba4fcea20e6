using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Mbp.Domain.Accounts;
using Mbp.Domain.Units;

namespace Mbp.Domain.Settlement;

/// <summary>Where a correction stands.</summary>
[JsonDerivedType(typeof(Proposed), "proposed")]
[JsonDerivedType(typeof(Posting), "posting")]
[JsonDerivedType(typeof(Done), "done")]
public abstract record CorrectionStep
{
    private CorrectionStep()
    {
    }

    /// <summary>It waits for a second person.</summary>
    public sealed record Proposed(SettlementCorrectionProposed Proposal) : CorrectionStep;

    /// <param name="Plan">What is to be posted.</param>
    /// <param name="Before">The vector that held before; null = the resolution's.</param>
    /// <param name="Posted">How many accounts are done, in the plan's order: first those that give back.</param>
    /// <param name="Back">What came back so far, from accounts and from insurance.</param>
    /// <param name="More">What was paid so far, to accounts and to insurance.</param>
    /// <param name="Shortfall">What of <paramref name="Back"/> insurance paid.</param>
    /// <param name="Repaid">What of <paramref name="More"/> went to insurance.</param>
    public sealed record Posting(
        SettlementCorrected Plan, EquatableArray<Price>? Before, int Posted, Credits Back, Credits More, Credits Shortfall, Credits Repaid) : CorrectionStep;

    public sealed record Done(SettlementCorrected Plan, SettlementCorrectionDone Result) : CorrectionStep;
}

/// <summary>How a settled market's payouts were corrected since.</summary>
/// <param name="Count">How many corrections are posted to the end.</param>
/// <param name="Vector">What a share pays by the last correction that two people agreed on; null = what the resolution says.</param>
/// <param name="Paid">What the market has paid, less what it got back.</param>
/// <param name="Insured">What insurance has carried for accounts and did not get back. A later correction in an account's favour pays that first.</param>
/// <param name="Step">The last correction.</param>
public sealed record Corrections(int Count, EquatableArray<Price>? Vector, Credits Paid, ImmutableDictionary<AccountId, Credits> Insured, CorrectionStep? Step)
{
    /// <summary>The last correction that was posted to the end; null = none.</summary>
    public SettlementCorrectionDone? Rest { get; init; }

    public static Corrections None(MarketSettled result)
    {
        ArgumentNullException.ThrowIfNull(result);
        return new Corrections(0, null, result.Paid, ImmutableDictionary<AccountId, Credits>.Empty, null);
    }

    public Credits InsuredFor(AccountId account) => Insured.GetValueOrDefault(account);

    internal static Corrections Evolve(Corrections corrections, SettlementEvent @event) => (corrections.Step, @event) switch
    {
        (not CorrectionStep.Posting, SettlementCorrectionProposed e) => corrections with { Step = new CorrectionStep.Proposed(e) },
        (CorrectionStep.Proposed, SettlementCorrected e) => corrections with
        {
            Vector = e.Vector,
            Step = new CorrectionStep.Posting(e, corrections.Vector, 0, Credits.Zero, Credits.Zero, Credits.Zero, Credits.Zero),
        },
        (CorrectionStep.Posting step, PayoutCorrected e) => Post(corrections, step, e),
        (CorrectionStep.Posting step, SettlementCorrectionDone e) => corrections with { Count = corrections.Count + 1, Rest = e, Step = new CorrectionStep.Done(step.Plan, e) },
        _ => throw new InvalidOperationException($"{@event.GetType().Name} cannot follow {corrections.Step?.GetType().Name ?? "a settlement without a correction"}."),
    };

    private static Corrections Post(Corrections corrections, CorrectionStep.Posting step, PayoutCorrected e)
    {
        var insured = corrections.InsuredFor(e.Account);
        if (e.Due > e.Before)
        {
            var left = insured - e.Insured;
            return corrections with
            {
                Paid = corrections.Paid + e.Moved + e.Insured,
                Insured = left == Credits.Zero ? corrections.Insured.Remove(e.Account) : corrections.Insured.SetItem(e.Account, left),
                Step = step with { Posted = step.Posted + 1, More = step.More + e.Moved + e.Insured, Repaid = step.Repaid + e.Insured },
            };
        }

        return corrections with
        {
            Paid = corrections.Paid - e.Moved - e.Insured,
            Insured = e.Insured == Credits.Zero ? corrections.Insured : corrections.Insured.SetItem(e.Account, insured + e.Insured),
            Step = step with { Posted = step.Posted + 1, Back = step.Back + e.Moved + e.Insured, Shortfall = step.Shortfall + e.Insured },
        };
    }
}

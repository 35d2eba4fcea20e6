using Mbp.Domain.Accounts;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Abuse;

/// <summary>What a moderator's case is now.</summary>
public enum CaseState
{
    /// <summary>It waits for a second person and never was in force.</summary>
    Proposed,

    InForce,

    Undone,
}

/// <param name="Number">1, 2, 3, ... in the market.</param>
/// <param name="Measure">What it is about.</param>
/// <param name="State">Whether it is in force.</param>
/// <param name="Pending">The step that a second person is asked to approve; null = none.</param>
public sealed record ModerationCase(int Number, Measure Measure, CaseState State, ModerationProposed? Pending)
{
    /// <summary>Why it is in force.</summary>
    public string Reason { get; init; } = "";

    /// <summary>Since when.</summary>
    public Instant Since { get; init; }

    /// <summary>How far it halts the market.</summary>
    internal HaltLevel Level => Measure.Kind switch
    {
        ModerationKind.Pause => HaltLevel.Hard,
        ModerationKind.Limit => HaltLevel.Soft,
        ModerationKind.Restrict or ModerationKind.Clawback => HaltLevel.None,
        _ => throw new InvalidOperationException($"{Measure.Kind} is no measure."),
    };
}

/// <summary>What moderators did in one market.</summary>
/// <param name="Cases">By number.</param>
public sealed record Moderation(EquatableArray<ModerationCase> Cases)
{
    public static Moderation None { get; } = new([]);

    public static readonly Fold<Moderation> Fold = new("moderation", 2, None, (moderation, @event) => @event switch
    {
        ModerationProposed { Change: ModerationChange.Apply } e => moderation.Add(new ModerationCase(e.Number, e.Measure, CaseState.Proposed, e)),
        ModerationProposed e => moderation.Set(moderation.Find(e.Number)! with { Pending = e }),
        ModerationApplied e => moderation.Find(e.Number) is { } proposed
            ? moderation.Set(proposed with { State = CaseState.InForce, Pending = null, Reason = e.Reason, Since = e.At })
            : moderation.Add(new ModerationCase(e.Number, e.Measure, CaseState.InForce, null) { Reason = e.Reason, Since = e.At }),
        ModerationUndone e => moderation.Set(moderation.Find(e.Number)! with { State = CaseState.Undone, Pending = null }),
        ModerationRedone e => moderation.Set(moderation.Find(e.Number)! with { State = CaseState.InForce, Pending = null, Reason = e.Reason, Since = e.At }),
        _ => moderation,
    });

    public ModerationCase? Find(int number) => number >= 1 && number <= Cases.Count ? Cases[number - 1] : null;

    /// <summary>Whether a restriction of the account is in force.</summary>
    public bool Restricts(AccountId account)
    {
        foreach (var one in Cases)
        {
            if (one.State == CaseState.InForce && one.Measure.Kind == ModerationKind.Restrict && one.Measure.Account == account)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The cases in force that stop or slow the market, by number.</summary>
    internal IEnumerable<ModerationCase> Halting() => Cases.Where(one => one is { State: CaseState.InForce, Level: not HaltLevel.None });

    private Moderation Add(ModerationCase added) => new(Cases.Add(added));

    private Moderation Set(ModerationCase changed) => new(Cases.SetItem(changed.Number - 1, changed));
}

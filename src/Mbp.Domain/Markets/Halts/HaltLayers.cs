using NodaTime;

namespace Mbp.Domain.Markets.Halts;

/// <summary>A halt as one of those who can halt a market has it, whatever the others do.</summary>
/// <param name="Level">How far.</param>
/// <param name="HeldAt">Rules do not ease it below this.</param>
/// <param name="Rule">What halted it.</param>
/// <param name="Reason">Why, in words.</param>
/// <param name="Since">When this level began.</param>
/// <param name="ReopensAt">The event's word for when a freeze ends no earlier.</param>
public sealed record HaltLayer(HaltLevel Level, HaltLevel HeldAt, HaltRule Rule, string Reason, Instant Since, Instant? ReopensAt);

/// <summary>
/// What the halt of a market is made of, beside moderation, whose cases are kept by themselves: so that a case that is taken back leaves what the
/// others have.
/// </summary>
/// <param name="Rules">What the rules made of it; null = nothing.</param>
/// <param name="Manual">What an operator did; null = nothing.</param>
public sealed record HaltLayers(HaltLayer? Rules, HaltLayer? Manual)
{
    public static HaltLayers None { get; } = new(null, null);

    /// <summary>With a halt that somebody added. One that was only brought to light again is there already.</summary>
    public HaltLayers With(MarketHalted e, HaltLevel asked, Instant since)
    {
        ArgumentNullException.ThrowIfNull(e);
        return (e.Since, e.Rule ?? HaltRule.Manual) switch
        {
            (not null, _) or (_, HaltRule.Moderation) => this,
            (_, HaltRule.Manual) => this with { Manual = new HaltLayer(asked, asked, HaltRule.Manual, e.Reason, e.Tick ?? e.At, null) },
            (_, var rule) => this with
            {
                Rules = new HaltLayer(e.Level, e.Level == HaltLevel.Hard && e.ReopensAt is null ? HaltLevel.Hard : HaltLevel.None, rule, e.Reason, since, e.ReopensAt),
            },
        };
    }

    /// <summary>After the rules took a level back.</summary>
    public HaltLayers Eased(MarketHaltEased e)
    {
        ArgumentNullException.ThrowIfNull(e);
        return this with { Rules = Rules is null ? null : Rules with { Level = e.Level, HeldAt = HaltLevel.None, Since = e.Tick, ReopensAt = null } };
    }
}

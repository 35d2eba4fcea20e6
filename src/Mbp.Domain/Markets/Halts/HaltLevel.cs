using Mbp.Domain.Pricing;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Markets.Halts;

/// <summary>How far trading is restricted; <see cref="Hard"/> stops it.</summary>
public enum HaltLevel
{
    None,

    /// <summary>Traders are told.</summary>
    Warn,

    /// <summary>Slow mode: trade rates halved, no liquidity leaves.</summary>
    Soft,

    /// <summary>The freeze: no trade, no change of liquidity.</summary>
    Hard,
}

/// <summary>Why a market is halted.</summary>
public enum HaltRule
{
    /// <summary>A person.</summary>
    Manual,

    /// <summary>The price is further from its average than the warning's distance.</summary>
    Distance,

    /// <summary>One 5-minute end was a breach.</summary>
    Window,

    /// <summary>R1: so many ends in a row were.</summary>
    Divergence,

    /// <summary>R2: so many samples lay outside the 99 % band.</summary>
    Band,

    /// <summary>Depth@2% fell below the floor.</summary>
    Depth,

    /// <summary>The anti-abuse rules limited or paused the market.</summary>
    Abuse,

    /// <summary>No final value in time.</summary>
    Sla,

    /// <summary>A moderator paused or limited the market.</summary>
    Moderation,
}

/// <summary>What a halt rests on: prices and integrals as the rules saw them, and the quotes that they are made of, by their versions in the market's stream.</summary>
/// <param name="Outcome">The outcome that was looked at; 0 is YES or LONG.</param>
/// <param name="Price">Its price in force at the tick.</param>
/// <param name="Average">Its 5-minute average at the tick, rounded down.</param>
/// <param name="DivergencePpm">|price - average| / average, parts per million, rounded down.</param>
/// <param name="Window">The integrals over the 5 minutes before the tick.</param>
/// <param name="Reference">R2: the integrals over the 5-minute window whose band was left.</param>
/// <param name="Count">R1: breaches in a row; R2: samples outside.</param>
/// <param name="Depth">Depth@2%, where the floor was the rule.</param>
/// <param name="QuotesAfter">The quotes are those of the market's stream after this version ...</param>
/// <param name="QuotesTo">... up to this one, and the one in force at the beginning.</param>
public sealed record HaltEvidence(
    int Outcome,
    Price Price,
    Price Average,
    long DivergencePpm,
    PriceSum Window,
    PriceSum? Reference,
    int? Count,
    Shares? Depth,
    long QuotesAfter,
    long QuotesTo);

/// <summary>What happened before at the halts, as far as the rules read it.</summary>
/// <param name="HardEntries">When Hard began, over the last 24 hours before the last one, oldest first.</param>
/// <param name="HardEnded">When the last Hard ended: breaches and samples up to then no longer count.</param>
/// <param name="Judged">The tick of the last change, or the time of a person's: no tick up to it is judged again.</param>
public sealed record HaltHistory(EquatableArray<Instant> HardEntries, Instant? HardEnded, Instant? Judged)
{
    public static HaltHistory None { get; } = new([], null, null);

    private static readonly Duration Day = Duration.FromHours(24);

    /// <summary>With a change to a level: at the tick where a rule made it, else at its time.</summary>
    public HaltHistory After(HaltLevel before, HaltLevel level, Instant at) => this with
    {
        HardEntries = level == HaltLevel.Hard && before != HaltLevel.Hard ? [.. HardEntries.Where(entry => entry > at - Day), at] : HardEntries,
        HardEnded = before == HaltLevel.Hard && level != HaltLevel.Hard ? at : HardEnded,
        Judged = at,
    };

    /// <summary>How many times Hard will have begun within 24 hours when it begins at an instant.</summary>
    public int HardEntriesWith(Instant at) => HardEntries.Count(entry => entry > at - Day) + 1;
}

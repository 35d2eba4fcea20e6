using Mbp.Domain.Governance.Rulesets;
using NodaTime;

namespace Mbp.Domain.Resolution.Oracle;

/// <summary>What a feed's mark price is.</summary>
public enum FeedMode
{
    /// <summary>What the sources agree on.</summary>
    Consensus,

    /// <summary>The average of trades. It marks a price and finalizes nothing (Q4.I9).</summary>
    FallbackTwap,
}

/// <summary>Between consensus and fallback, with hysteresis (spec D15).</summary>
/// <param name="Mode">Where the feed is.</param>
/// <param name="InARow">Failed rounds in a row in consensus, good ones in a row in fallback.</param>
/// <param name="Since">When the fallback was entered; null in consensus.</param>
public sealed record Failover(FeedMode Mode, int InARow, Instant? Since)
{
    public static Failover Initial { get; } = new(FeedMode.Consensus, 0, null);

    /// <summary>After one more round.</summary>
    /// <param name="reached">Whether the round reached a quorum.</param>
    /// <param name="at">When it was judged.</param>
    /// <param name="rules">How many rounds it takes.</param>
    public Failover After(bool reached, Instant at, FailoverRules rules)
    {
        ArgumentNullException.ThrowIfNull(rules);
        var inARow = reached == (Mode == FeedMode.FallbackTwap) ? InARow + 1 : 0;
        return Mode switch
        {
            FeedMode.Consensus when inARow >= rules.FailedRounds => new Failover(FeedMode.FallbackTwap, 0, at),
            FeedMode.FallbackTwap when inARow >= rules.GoodRounds && at - Since >= Duration.FromSeconds(rules.DwellSeconds) => Initial,
            _ => this with { InARow = inARow },
        };
    }
}

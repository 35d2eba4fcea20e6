using Mbp.Domain.Markets;
using Mbp.Domain.Units;

namespace Mbp.Domain.Governance.Rulesets;

/// <summary>
/// The rules that a market trades, halts and resolves by, as data (C20). A section that is absent is switched off. Its one spelling
/// (<see cref="RulesetText"/>) is what is hashed, signed and written into each market that it is activated for.
/// </summary>
/// <param name="Name">As in the API and in the stream <c>ruleset-{name}</c>.</param>
/// <param name="Version">vMAJOR.MINOR.PATCH; a version never changes once it is published.</param>
/// <param name="OperatorsOnly">Only an operator may open a market under it.</param>
/// <param name="Trading">What a trade may do to the price.</param>
/// <param name="Resolution">How long things may take after the close.</param>
/// <param name="Caps">Risk caps, at most one entry for each kind of market (C26, D17); a kind without an entry has none.</param>
/// <param name="Freeze">When a price that ran away stops trading (C11, D11).</param>
/// <param name="Halts">The levels between none and hard, and the way back (C14, D13).</param>
/// <param name="Abuse">What counts as abuse (C25).</param>
/// <param name="Slo">What the platform's error budget has to do with it (C16).</param>
public sealed record Ruleset(
    string Name,
    string Version,
    bool OperatorsOnly,
    TradingRules Trading,
    ResolutionTimes Resolution,
    EquatableArray<RiskCaps> Caps,
    FreezeRules? Freeze,
    HaltRules? Halts,
    AbuseRules? Abuse,
    SloRules? Slo)
{
    /// <summary>The caps of a kind of market; null = none.</summary>
    public RiskCaps? CapsOf(MarketKind kind)
    {
        foreach (var caps in Caps)
        {
            if (caps.Kind == kind)
            {
                return caps;
            }
        }

        return null;
    }
}

/// <param name="MinPrice">No trade pushes a price below it; null = only the pool's own bounds (3.3, "price kept in 1-99 %").</param>
/// <param name="MaxPrice">Nor above it.</param>
/// <param name="SeedLocked">Whether the opening liquidity stays in the pool until the settlement (3.3 guards).</param>
public sealed record TradingRules(Price? MinPrice, Price? MaxPrice, bool SeedLocked);

/// <param name="DisputeWindowMinutes">How long a determined value can be disputed before it is final.</param>
/// <param name="SlaHours">A market that has no final value so long after its close is frozen and called to the manual way; null = never.</param>
public sealed record ResolutionTimes(int DisputeWindowMinutes, int? SlaHours);

/// <summary>What one account, and all together, may have at stake in a market (D17). Each limit may be reached and not passed; null = no limit.</summary>
/// <param name="Kind">For which kind of market.</param>
/// <param name="MaxExposurePerUser">Cash paid less cash received by an account's trades in the market, fees included, CE$.</param>
/// <param name="MaxOpenInterest">S - min R, shares.</param>
/// <param name="MaxTradesPerMinute">Trades of an account in the market in any 60 s; halved, rounded down but at least 1, while the market is in slow mode.</param>
public sealed record RiskCaps(MarketKind Kind, Credits? MaxExposurePerUser, Shares? MaxOpenInterest, int? MaxTradesPerMinute);

/// <param name="Divergence">R1; null = off.</param>
/// <param name="Band">R2; null = off.</param>
public sealed record FreezeRules(DivergenceRule? Divergence, BandRule? Band);

/// <summary>R1: the price is further than so much from its 5-minute average at so many 5-minute ends in a row.</summary>
/// <param name="MaxBps">More than so many basis points of the average is a breach.</param>
/// <param name="Windows">How many ends in a row.</param>
public sealed record DivergenceRule(int MaxBps, int Windows);

/// <summary>R2: so many 30-second samples within one 5-minute window lie outside the 99 % band of the window before, and further than so much.</summary>
/// <param name="MinBps">A sample counts only where it is also more than so many basis points from that window's average.</param>
/// <param name="Samples">How many of them.</param>
public sealed record BandRule(int MinBps, int Samples);

/// <summary>The halts Warn, Soft and Hard (3.9, D13). All of the distances are basis points of the 5-minute average.</summary>
/// <param name="WarnBps">Further than this at a tick: Warn.</param>
/// <param name="EaseHardBps">At most this far: Hard may become Soft once its cooldown is over.</param>
/// <param name="EaseSoftBps">At most this far at two 5-minute ends in a row: Soft becomes Warn.</param>
/// <param name="EaseWarnBps">At most this far at every tick of a 5-minute window: Warn ends.</param>
/// <param name="CooldownSeconds">The first Hard of 24 hours lasts at least so long; each further one twice as long.</param>
/// <param name="MaxReopenings">So many Hard halts in 24 hours end by rule; a further one is held until a person ends it.</param>
/// <param name="DepthFloor">Soft while depth@2% is below it, in a market that once had it (C13); null = off.</param>
public sealed record HaltRules(
    int WarnBps, int EaseHardBps, int EaseSoftBps, int EaseWarnBps, int CooldownSeconds, int MaxReopenings, Shares? DepthFloor);

/// <param name="Burst">Many more trades in a market than usual; null = off.</param>
/// <param name="Cooldown">A pause for who moved the price a lot; null = off.</param>
/// <param name="Wash">Trades that come back to where they began; null = off.</param>
/// <param name="RefusedPerMinute">An account that is refused more often than this in a minute is flagged; null = off.</param>
public sealed record AbuseRules(BurstRule? Burst, CooldownRule? Cooldown, WashRule? Wash, int? RefusedPerMinute);

/// <summary>A minute with at least <paramref name="Factor"/> times as many trades as the mean minute before it.</summary>
/// <param name="Factor">How many times the usual.</param>
/// <param name="BaselineMinutes">Over how many minutes before it the mean is taken; a younger market is not judged. At most 15.</param>
/// <param name="MinTrades">Fewer trades than this in the minute are no burst, whatever was usual.</param>
public sealed record BurstRule(int Factor, int BaselineMinutes, int MinTrades);

/// <summary>Who moved a price by so much in one trade waits before moving it further the same way; the way back is open.</summary>
/// <param name="MoveBps">Basis points of the price before the trade.</param>
/// <param name="Seconds">How long.</param>
public sealed record CooldownRule(int MoveBps, int Seconds);

/// <summary>Buys and sales of nearly the same shares, shortly after one another, that leave nothing behind but volume.</summary>
/// <param name="WindowSeconds">How far apart the two sides may be. At most 300.</param>
/// <param name="ToleranceBps">How far the two sides' shares may differ.</param>
/// <param name="Pairs">So many pairs within the window are flagged.</param>
public sealed record WashRule(int WindowSeconds, int ToleranceBps, int Pairs);

/// <summary>When the error budget burns at or above 1x over 4 hours in so many windows in a row: slow mode, no rebates; it ends after as many green ones.</summary>
/// <param name="RedWindows">Red windows in a row that begin it.</param>
/// <param name="GreenWindows">Green windows in a row that end it.</param>
public sealed record SloRules(int RedWindows, int GreenWindows);

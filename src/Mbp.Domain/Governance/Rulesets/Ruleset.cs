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
/// <param name="Oracle">Whose signed reports decide a market that asks the oracle (C21).</param>
/// <param name="Disputes">How a determined value is disputed, and who judges (C23).</param>
/// <param name="Endpoints">Hosts that a market's value may be asked of, and their keys (C17).</param>
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
    SloRules? Slo,
    OracleRules? Oracle = null,
    DisputeRules? Disputes = null,
    EndpointRules? Endpoints = null)
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
/// <param name="AutoStart">Whether the resolution starts with the close, without a person; null = no.</param>
/// <param name="VoidHours">A market that has no final value so long after its close is void; null = never.</param>
/// <param name="PostponeMinutes">For how long TOO_EARLY puts the resolution off; null = it is no value that a market can have.</param>
/// <param name="MaxPostponements">How often; null with <paramref name="PostponeMinutes"/>.</param>
public sealed record ResolutionTimes(
    int DisputeWindowMinutes, int? SlaHours, bool? AutoStart = null, int? VoidHours = null, int? PostponeMinutes = null, int? MaxPostponements = null);

/// <summary>Somebody whose signed word counts: a source of the oracle, or a member of a panel.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Key">Its Ed25519 public key, base64 of 32 bytes.</param>
/// <param name="Weight">How much its word counts, at least 1.</param>
/// <param name="Group">Who operates it; no group has more than a third of all weight.</param>
public sealed record Voter(string Id, string Key, int Weight, string Group);

/// <summary>The oracle: registered sources report in rounds until a quorum agrees (spec part 2, D14).</summary>
/// <param name="Sources">Who may report.</param>
/// <param name="RoundMinutes">How long each round takes; after the last one only people can find the value.</param>
/// <param name="LateSeconds">xi: how long after a round's end a report still counts, and how far a source's clock may run ahead.</param>
/// <param name="StaleSeconds">delta: how old what a source saw may be when its report arrives.</param>
/// <param name="ToleranceBps">Numbers agree that are no further apart than so many basis points of upper - lower.</param>
/// <param name="Failover">When the feed counts as failed (D15).</param>
/// <param name="Reputation">What a source's word loses and regains; null = it always counts in full.</param>
public sealed record OracleRules(
    EquatableArray<Voter> Sources,
    EquatableArray<int> RoundMinutes,
    int LateSeconds,
    int StaleSeconds,
    int ToleranceBps,
    FailoverRules Failover,
    ReputationRules? Reputation);

/// <summary>After so many failed rounds in a row the feed's mark price is the average of trades; after so many good ones, and some time, it is the oracle again (D15).</summary>
/// <param name="FailedRounds">Failed rounds in a row that enter the fallback.</param>
/// <param name="GoodRounds">Good rounds in a row that leave it.</param>
/// <param name="DwellSeconds">It lasts at least so long.</param>
public sealed record FailoverRules(int FailedRounds, int GoodRounds, int DwellSeconds);

/// <summary>How a source's reputation moves once a value is final, parts per million of its registered weight. It never counts for more than that.</summary>
/// <param name="AgreedPpm">Gained by a report that agreed with the final value.</param>
/// <param name="DisagreedPpm">Lost by one that did not.</param>
/// <param name="EquivocatedPpm">Lost by a source that said two things in one round.</param>
/// <param name="FloorPpm">It does not fall below this.</param>
public sealed record ReputationRules(int AgreedPpm, int DisagreedPpm, int EquivocatedPpm, int FloorPpm);

/// <summary>Whom the host may ask for a market's value, and nobody else.</summary>
/// <param name="Hosts">By name: an address that only has to resolve somewhere is nobody.</param>
public sealed record EndpointRules(EquatableArray<PinnedHost> Hosts);

/// <param name="Host">Its DNS name, in lower case.</param>
/// <param name="Key">The Ed25519 key that its answers are signed with, base64 of 32 bytes.</param>
public sealed record PinnedHost(string Host, string Key);

/// <summary>How a determined value is disputed (spec part 2, D16).</summary>
/// <param name="MinBond">The first round's bond is at least this, CE$.</param>
/// <param name="BondPpm">And at least so many parts per million of the market's complete sets.</param>
/// <param name="PanelHours">How long the panel has.</param>
/// <param name="ArbitrationHours">How long the arbitrators have.</param>
/// <param name="Panel">Who judges a dispute, by quorum (D14); empty = any two operators who had no part in the value.</param>
/// <param name="Arbitrators">Three, of whom two decide; empty = any two operators who had no part in the value or in the panel's ruling.</param>
public sealed record DisputeRules(
    Credits MinBond, int BondPpm, int PanelHours, int ArbitrationHours, EquatableArray<Voter> Panel, EquatableArray<Voter> Arbitrators);

/// <summary>What one account, and all together, may have at stake in a market (D17). Each limit may be reached and not passed; null = no limit.</summary>
/// <param name="Kind">For which kind of market.</param>
/// <param name="MaxExposurePerUser">Cash paid less cash received by an account's trades in the market, fees included, CE$.</param>
/// <param name="MaxOpenInterest">S - min R, shares.</param>
/// <param name="MaxTradesPerMinute">Trades of an account in the market in any 60 s; halved, rounded down but at least 1, while the market is in slow mode.</param>
/// <param name="CountsLiquidity">
/// Whether the caps look at liquidity: the shares that it turns into count to the exposure, no opening and no addition brings the open interest above
/// its cap, and its changes count to the rate. Null = only trades are asked.
/// </param>
public sealed record RiskCaps(
    MarketKind Kind, Credits? MaxExposurePerUser, Shares? MaxOpenInterest, int? MaxTradesPerMinute, bool? CountsLiquidity = null);

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
/// <param name="LastingDepth">Whether only the depth of the opening, and depth that liquidity held for an hour, counts as once had; null = any instant's.</param>
public sealed record HaltRules(
    int WarnBps, int EaseHardBps, int EaseSoftBps, int EaseWarnBps, int CooldownSeconds, int MaxReopenings, Shares? DepthFloor, bool? LastingDepth = null);

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
/// <param name="WindowHours">How long a window is: the next one ends at least so long after the last; null = any later end is a window.</param>
public sealed record SloRules(int RedWindows, int GreenWindows, int? WindowHours = null);

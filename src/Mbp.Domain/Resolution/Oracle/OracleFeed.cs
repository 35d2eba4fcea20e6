using System.Collections.Immutable;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Resolution.Oracle;

// Stored for ever. A field is added as nullable; anything else is a new wire name and an upcaster in ResolutionSlice.cs.

/// <summary>What happens to a rule set's sources as a whole, over all the markets that they report on.</summary>
public abstract record OracleEvent;

/// <summary>A market's round ended.</summary>
/// <param name="MarketId">Whose.</param>
/// <param name="Round">Which, from 1.</param>
/// <param name="Reached">Whether it reached a quorum.</param>
/// <param name="Feed">Where the feed is since.</param>
/// <param name="At">Ledger time.</param>
public sealed record OracleRoundJudged(MarketId MarketId, int Round, bool Reached, Failover Feed, Instant At) : OracleEvent;

/// <summary>Too many rounds failed in a row: the average of trades is the mark price from here on (C22).</summary>
public sealed record FailoverEntered(MarketId MarketId, int Round, Instant At) : OracleEvent;

/// <summary>Enough rounds were good again.</summary>
public sealed record FailoverLeft(MarketId MarketId, int Round, Instant At) : OracleEvent;

/// <summary>A final value showed what a source's word was worth (C21).</summary>
/// <param name="Source">Whose.</param>
/// <param name="FromPpm">Parts per million of its registered weight that it counted for.</param>
/// <param name="ToPpm">And counts for from here on.</param>
/// <param name="Why"><c>agreed</c>, <c>disagreed</c> or <c>equivocated</c>.</param>
/// <param name="MarketId">In which market.</param>
/// <param name="At">Ledger time.</param>
public sealed record ReputationChanged(string Source, int FromPpm, int ToPpm, string Why, MarketId MarketId, Instant At) : OracleEvent;

/// <summary>The feed of a rule set's sources: consensus or fallback, and what each source's word counts.</summary>
/// <param name="Failover">Where it is.</param>
/// <param name="Reputation">Parts per million of the registered weight; a source that is not in it counts in full.</param>
public sealed record OracleFeed(Failover Failover, ImmutableSortedDictionary<string, int> Reputation)
{
    /// <summary>A word that counts in full.</summary>
    public const int Full = 1_000_000;

    public static OracleFeed Initial { get; } = new(Failover.Initial, ImmutableSortedDictionary.Create<string, int>(StringComparer.Ordinal));

    public static readonly Fold<OracleFeed> Fold = new("oracle", 1, Initial, (feed, @event) => @event is OracleEvent e ? Evolve(feed, e) : feed, snapshotEvery: 500);

    /// <summary>The stream of a rule set's sources.</summary>
    public static StreamId StreamOf(string ruleset) => StreamId.Of("oracle", ruleset);

    public static OracleFeed Evolve(OracleFeed feed, OracleEvent @event) => @event switch
    {
        OracleRoundJudged e => feed with { Failover = e.Feed },
        ReputationChanged e => feed with { Reputation = feed.Reputation.SetItem(e.Source, e.ToPpm) },
        FailoverEntered or FailoverLeft => feed,
        _ => throw new InvalidOperationException($"{@event.GetType().Name} is no event of an oracle."),
    };

    /// <summary>What a source's word counts, parts per million of its registered weight.</summary>
    public int ReputationOf(string source) => Reputation.GetValueOrDefault(source, Full);

    /// <summary>
    /// The weights in force. A quorum is measured against registered weight, and a lost reputation only takes away from what counts: no group can gain
    /// more than the third that it is registered with.
    /// </summary>
    public IReadOnlyList<VoterWeight> Weigh(IEnumerable<Voter> sources) =>
        [.. sources.Select(source => new VoterWeight(source.Id, (long)source.Weight * Full, (long)source.Weight * ReputationOf(source.Id)))];

    /// <summary>What a final value changes about the sources that reported on it.</summary>
    /// <param name="market">The market.</param>
    /// <param name="round">The round that the value came from.</param>
    /// <param name="agrees">Whether a reported value is the final one.</param>
    /// <param name="rules">How far it moves.</param>
    /// <param name="at">Ledger time.</param>
    public IEnumerable<ReputationChanged> After(MarketId market, OracleRound round, Func<string, bool> agrees, ReputationRules rules, Instant at)
    {
        ArgumentNullException.ThrowIfNull(round);
        ArgumentNullException.ThrowIfNull(agrees);
        ArgumentNullException.ThrowIfNull(rules);
        foreach (var report in round.Reports)
        {
            var (why, by) = round.Equivocators.Contains(report.Source) ? ("equivocated", -rules.EquivocatedPpm)
                : agrees(report.Value) ? ("agreed", rules.AgreedPpm)
                : ("disagreed", -rules.DisagreedPpm);
            var from = ReputationOf(report.Source);
            var to = by < 0 ? Math.Max(from + by, Math.Min(from, rules.FloorPpm)) : Math.Min(from + by, Full);
            if (to != from)
            {
                yield return new ReputationChanged(report.Source, from, to, why, market, at);
            }
        }
    }
}

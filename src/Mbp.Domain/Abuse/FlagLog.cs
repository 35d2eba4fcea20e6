using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Domain.Abuse;

/// <summary>The flags of the last minutes in a market, so that the same abuse is not flagged at every tick.</summary>
/// <param name="Recent">Oldest first.</param>
/// <param name="LastMinute">The last minute of refusals that was recorded.</param>
public sealed record FlagLog(EquatableArray<AbuseFlagged> Recent, Instant? LastMinute)
{
    /// <summary>So long a flag stands for what goes on.</summary>
    public static readonly Duration Quiet = Duration.FromMinutes(5);

    public static readonly Fold<FlagLog> Fold = new("flag_log", 1, new FlagLog([], null), (log, @event) => @event switch
    {
        AbuseFlagged e => log with { Recent = [.. log.Recent.Where(flag => flag.At > e.At - Quiet), e] },
        RefusalsRecorded e => log with { LastMinute = e.Minute },
        _ => log,
    });

    /// <summary>Whether there was a flag of the kind lately; for an account, where one is named.</summary>
    public bool Has(AbuseKind kind, Instant at, AccountId? account = null) =>
        Recent.Any(flag => flag.Kind == kind && flag.At > at - Quiet && (account is not { } one || flag.Accounts.Contains(one)));
}

public abstract record AbuseCommand(MarketId MarketId, Instant At);

/// <summary>Asks the anti-abuse rules at a tick.</summary>
public sealed record JudgeTrades(MarketId MarketId, Instant Tick, Instant At) : AbuseCommand(MarketId, At);

/// <summary>Records the refusals of a minute, which the edge has counted.</summary>
public sealed record RecordRefusals(
    MarketId MarketId, Instant Minute, long Total, EquatableArray<CodeCount> Codes, EquatableArray<AccountCount> Accounts, Instant At) : AbuseCommand(MarketId, At)
{
    /// <summary>Of all counts, the most frequent are named; of equals, the first by name.</summary>
    public static RecordRefusals Of(
        MarketId market, Instant minute, long total, IEnumerable<KeyValuePair<string, long>> codes, IEnumerable<KeyValuePair<AccountId, long>> accounts, Instant at) => new(
        market, minute, total,
        [.. Most(codes, code => code).Select(pair => new CodeCount(pair.Key, pair.Value))],
        [.. Most(accounts, account => account.Value).Select(pair => new AccountCount(pair.Key, pair.Value))], at);

    private static IEnumerable<KeyValuePair<TKey, long>> Most<TKey>(IEnumerable<KeyValuePair<TKey, long>> counts, Func<TKey, string> name) =>
        counts.OrderByDescending(pair => pair.Value).ThenBy(pair => name(pair.Key), StringComparer.Ordinal).Take(AbuseDecider.MostNamed);
}

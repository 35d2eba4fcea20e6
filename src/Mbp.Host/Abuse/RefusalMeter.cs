using System.Collections.Concurrent;
using Mbp.Domain.Abuse;
using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Pricing;
using Mbp.Host.Platform;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Host.Abuse;

/// <summary>
/// Counts refused trades and changes of liquidity by minute, market, code and account, until they are recorded as one event. What is counted in the
/// running minute is lost if the process dies: a refusal changes nothing, and an event for each would let anybody grow the ledger.
/// </summary>
internal sealed class RefusalMeter(LiveLedger live, IClock clock)
{
    // Who is refused under more accounts than this in a minute is counted, not named.
    private const int MostAccounts = 1_000;

    // A route has some dozen codes.
    private const int MostCodes = 100;

    private readonly ConcurrentDictionary<(string Market, Instant Minute), Tally> _tallies = [];

    public void Count(string market, AccountId account, Rejection rejection)
    {
        // A market that is not there has no stream to record it in, and an id that somebody makes up must not fill the memory.
        if (MarketId.IsValid(market) && live.Current.Find(new MarketId(market)) is not null)
        {
            _tallies.GetOrAdd((market, TwapDecider.LastTick(clock.GetCurrentInstant())), static _ => new Tally()).Add(account, rejection.Code);
        }
    }

    /// <summary>Takes out the minutes that are over, oldest first.</summary>
    public IReadOnlyList<Func<Instant, RecordRefusals>> TakeEnded()
    {
        var now = TwapDecider.LastTick(clock.GetCurrentInstant());
        var ended = new List<(Instant Minute, Func<Instant, RecordRefusals> Command)>();
        foreach (var key in _tallies.Keys.Where(key => key.Minute < now))
        {
            if (_tallies.TryRemove(key, out var tally))
            {
                ended.Add((key.Minute, at => tally.ToCommand(new MarketId(key.Market), key.Minute, at)));
            }
        }

        return [.. ended.OrderBy(one => one.Minute).Select(one => one.Command)];
    }

    private sealed class Tally
    {
        private readonly Lock _gate = new();
        private readonly Dictionary<string, long> _codes = new(StringComparer.Ordinal);
        private readonly Dictionary<AccountId, long> _accounts = [];
        private long _total;

        public void Add(AccountId account, string code)
        {
            lock (_gate)
            {
                _total++;
                Count(_codes, code, MostCodes);
                Count(_accounts, account, MostAccounts);
            }
        }

        public RecordRefusals ToCommand(MarketId market, Instant minute, Instant at)
        {
            lock (_gate)
            {
                return RecordRefusals.Of(market, minute, _total, _codes, _accounts, at);
            }
        }

        private static void Count<TKey>(Dictionary<TKey, long> counts, TKey key, int most)
            where TKey : notnull
        {
            if (counts.TryGetValue(key, out var count) || counts.Count < most)
            {
                counts[key] = count + 1;
            }
        }
    }
}

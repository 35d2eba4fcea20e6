using System.Text.Json;
using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Governance.Slo;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution;
using Mbp.Domain.Resolution.Oracle;
using Mbp.Domain.Settlement;
using Mbp.Domain.Trading;
using Mbp.Ledger;
using Mbp.Ledger.Json;

namespace Mbp.Domain.Audit;

/// <summary>What belongs to one market: the streams from whose beginnings, up to its last payout, all of it can be decided again.</summary>
/// <param name="Id">The market.</param>
/// <param name="Ruleset">The rule set that it was opened under.</param>
/// <param name="PolicyHash">The hash of that rule set.</param>
/// <param name="CreatedAt">The position of its first event.</param>
/// <param name="SettledAt">The position of its last one, <c>market_settled</c>, or <c>settlement_correction_done</c> where its settlement was corrected; null while it is not settled.</param>
/// <param name="Streams">
/// In ordinal order: its own, those of all accounts that had a part in it, of its template, its rule sets and its truth table, and of the error budget; of the
/// insurance account where its settlement was corrected.
/// </param>
public sealed record MarketScope(string Id, string Ruleset, string PolicyHash, long CreatedAt, long? SettledAt, IReadOnlyList<string> Streams);

/// <summary>The scopes of settled markets as a file, one JSON object a line: the same markets give the same bytes.</summary>
public static class MarketIndex
{
    public static string Format(IEnumerable<MarketScope> settled)
    {
        ArgumentNullException.ThrowIfNull(settled);
        return string.Concat(settled.Select(scope => JsonSerializer.Serialize(scope, LedgerJson.Options) + "\n"));
    }

    /// <exception cref="JsonException">A line is none.</exception>
    public static IReadOnlyList<MarketScope> Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line =>
            JsonSerializer.Deserialize<MarketScope>(line, LedgerJson.Options) ?? throw new JsonException("A line of the index is null."))];
    }
}

/// <summary>
/// Finds the scope of every market on one pass over the ledger. An account is in with its whole stream, also what it did elsewhere: whether it
/// could pay rests on that.
/// </summary>
public sealed class MarketScopes(EventCatalog catalog)
{
    private readonly Dictionary<string, Growing> _markets = new(StringComparer.Ordinal);

    /// <summary>Takes an event that is not decoded yet; what is of no market is not decoded at all.</summary>
    /// <exception cref="UnreadableEventException">A market's event cannot be read.</exception>
    public void Observe(StoredEvent stored)
    {
        ArgumentNullException.ThrowIfNull(stored);
        var name = stored.Stream.Value;
        if (name.StartsWith("market-", StringComparison.Ordinal) || stored.Type is "market_settled" or "settlement_correction_done" or "dispute_opened")
        {
            Observe(stored.Position, stored.Stream, catalog.Decode(stored).Data);
        }
    }

    /// <summary>Takes a decoded event.</summary>
    public void Observe(Recorded recorded)
    {
        ArgumentNullException.ThrowIfNull(recorded);
        Observe(recorded.Position, recorded.Stream, recorded.Data);
    }

    /// <summary>The markets so far, in ordinal order of ids.</summary>
    public IEnumerable<MarketScope> All => _markets.Values.OrderBy(market => market.Created.MarketId.Value, StringComparer.Ordinal).Select(market => market.ToScope());

    /// <summary>The rule sets that they were opened under, each once.</summary>
    public IEnumerable<Policy> Policies => _markets.Values.Select(market => market.Opened).OfType<Policy>().DistinctBy(policy => policy.Hash);

    /// <summary>Those that are settled.</summary>
    public IEnumerable<MarketScope> Settled => All.Where(market => market.SettledAt is not null);

    private void Observe(long position, StreamId stream, object @event)
    {
        if (@event is MarketCreated created)
        {
            _markets.TryAdd(stream.Key, new Growing(created, position));
        }
        else if (@event is PoolEvent or MarketCreatedTemplate or RulesetActivated or DisputeOpened or MarketSettled or SettlementCorrectionDone && _markets.TryGetValue(stream.Key, out var market))
        {
            market.Observe(position, @event);
        }
    }

    private sealed class Growing(MarketCreated created, long position)
    {
        private readonly HashSet<string> _streams = new(
            new[] { created.MarketId.Stream.Value, created.MarketId.Resolution.Value, created.MarketId.Quotes.Value, created.MarketId.Abuse.Value, created.Account.Stream.Value, SloPolicy.Stream.Value }
                .Concat(TruthTable.NameIn(created.TruthRef) is { } truth ? [TruthTable.StreamOf(truth).Value] : []),
            StringComparer.Ordinal);

        private long? _settledAt;

        public MarketCreated Created => created;

        /// <summary>The rule set that it was opened under.</summary>
        public Policy? Opened { get; private set; } = FirstRulesets.ByHash(created.PolicyHash);

        public void Observe(long at, object @event)
        {
            switch (@event)
            {
                case PoolEvent change:
                    _streams.Add(change.Account.Stream.Value);
                    break;
                case MarketCreatedTemplate made:
                    _streams.Add(Template.StreamOf(made.TemplateId).Value);
                    break;
                case RulesetActivated activated:
                    _streams.Add(RulesetLibrary.StreamOf(activated.Name).Value);
                    if (activated.Policy.Rules.Oracle is not null)
                    {
                        _streams.Add(OracleFeed.StreamOf(activated.Name).Value);
                    }

                    Opened ??= activated.PolicyHash == created.PolicyHash ? activated.Policy : null;
                    break;
                case DisputeOpened dispute:
                    _streams.UnionWith([dispute.By.Stream.Value, AccountId.ResolutionDesk.Stream.Value, AccountId.Insurance.Stream.Value]);
                    break;
                case MarketSettled:
                    _settledAt = at;
                    break;
                case SettlementCorrectionDone:
                    // It carries what debtors had spent; whether it could rests on its own stream.
                    _settledAt = at;
                    _streams.Add(AccountId.Insurance.Stream.Value);
                    break;
            }
        }

        public MarketScope ToScope() =>
            new(created.MarketId.Value, created.Ruleset, created.PolicyHash, position, _settledAt, [.. _streams.Order(StringComparer.Ordinal)]);
    }
}

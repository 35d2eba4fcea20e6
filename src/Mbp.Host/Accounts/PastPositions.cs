using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Host.Platform;
using Mbp.Ledger;

namespace Mbp.Host.Accounts;

/// <summary>What an account had in each market at a position, folded from its own events and nobody else's.</summary>
internal sealed class PastPositions(PastStreams past, TableReads tables, IEventStore store, EventCatalog catalog)
{
    // What the account did in markets is a line of the audit trail each, found by the account; the events themselves say what it was.
    private const string Changes = """
        SELECT a.market_id, e.type, e.data
        FROM mbp_audit_trail a CROSS JOIN LATERAL (SELECT type, data FROM mt_events WHERE seq_id = a.position OFFSET 0) e
        WHERE a.account_id = $1 AND a.position <= $2 AND a.action IN ('trade_executed', 'liquidity_added', 'liquidity_removed') ORDER BY a.position
        """;

    /// <returns>In the order of the markets' ids; null = the account was not there yet.</returns>
    public async Task<IReadOnlyList<(MarketView Market, AccountMarket Part)>?> OfAsync(AccountId account, long position, CancellationToken cancellationToken)
    {
        var parts = new SortedDictionary<string, AccountMarket>(StringComparer.Ordinal);
        var isOpen = false;
        await foreach (var stored in store.ReadStreamAsync(account.Stream, 0, cancellationToken))
        {
            if (stored.Position > position)
            {
                break;
            }

            isOpen = true;
            if (catalog.Decode(stored).Data is AccountEvent e && AccountMarket.Of(e) is { } market)
            {
                parts[market.Value] = (parts.GetValueOrDefault(market.Value) ?? AccountMarket.None).After(e);
            }
        }

        if (!isOpen)
        {
            return null;
        }

        var changes = await tables.ReadAtAsync(
            position, "audit_trail", Changes, line => (Market: line.Text(0), Event: (PoolEvent)catalog.Decode(line.Text(1), line.Bytes(2))),
            [account.Value, position], cancellationToken);
        var views = new Dictionary<string, MarketView>(StringComparer.Ordinal);
        foreach (var of in changes.GroupBy(change => change.Market))
        {
            var view = views[of.Key] = await past.MarketAsync(new MarketId(of.Key), position, cancellationToken);
            var (outcomes, part, held) = (view.Pool.Outcomes, parts.GetValueOrDefault(of.Key) ?? AccountMarket.None, new long[view.Pool.Outcomes.Count]);
            foreach (var (_, change) in of)
            {
                part = part with { Costs = CostBasis.After(part.Costs, [.. held.Select(units => new Shares(units))], outcomes, change) };
                Move(held, outcomes, change);
            }

            parts[of.Key] = part;
        }

        return [.. parts.Where(part => views.ContainsKey(part.Key)).Select(part => (views[part.Key], part.Value))];
    }

    private static void Move(long[] held, EquatableArray<string> outcomes, PoolEvent change)
    {
        switch (change)
        {
            case TradeExecuted e:
                held[outcomes.AsSpan().IndexOf(e.Outcome)] += e.Side == TradeSide.Buy ? e.Shares.Units : -e.Shares.Units;
                break;
            case LiquidityAdded e:
                Add(held, e.Back);
                break;
            case LiquidityRemoved e:
                Add(held, e.Left);
                break;
        }
    }

    private static void Add(long[] held, EquatableArray<Shares> more)
    {
        for (var o = 0; o < held.Length; o++)
        {
            held[o] += more[o].Units;
        }
    }
}

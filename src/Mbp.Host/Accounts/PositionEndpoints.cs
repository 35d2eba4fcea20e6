using Mbp.Domain.Accounts;
using Mbp.Domain.Settlement;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Host.Markets;
using Mbp.Host.Platform;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Mbp.Host.Accounts;

/// <summary>What an account holds, what it cost and what it is worth: from memory, and of the past as it was.</summary>
internal static class PositionEndpoints
{
    public static void Map(RouteGroupBuilder v2) =>
        v2.MapGet("/accounts/{id}/positions", GetAsync).WithName("getPositions").WithSummary("What an account holds in each market, what it cost and what it is worth, now or as it was");

    private static async Task<Results<Ok<PositionsResponse>, StatusCodeHttpResult, ProblemHttpResult>> GetAsync(
        string id, HttpContext http, Reads reads, PastPositions past, CancellationToken cancellationToken)
    {
        if (Principal.Of(http).WhyNotSee(id) is { } forbidden)
        {
            return forbidden;
        }

        var (view, problem) = await reads.AtLeastAsync(http.Request, cancellationToken);
        var (moment, badAt) = problem is null ? await reads.MomentAsync(http.Request, view, cancellationToken) : default;
        if ((problem ?? badAt) is { } invalid)
        {
            return invalid;
        }

        var account = new AccountId(id);
        if (moment is not { } then)
        {
            return AccountId.IsValid(id) && view.Accounts.GetValueOrDefault(account) is { Account: Account.Open } open
                ? TypedResults.Ok(Show(account, open.Markets.Select(part => (view.Markets[part.Key], part.Value)), view.Position))
                : Problems.From(AccountErrors.NotFound);
        }

        if (!AccountId.IsValid(id) || await past.OfAsync(account, then.Position, cancellationToken) is not { } parts)
        {
            return Problems.From(AccountErrors.NotFound);
        }

        return Etags.TagPast(http, then) ? Etags.NotModified : TypedResults.Ok(Show(account, parts, then.Position));
    }

    private static PositionsResponse Show(AccountId account, IEnumerable<(MarketView Market, AccountMarket Part)> parts, long position)
    {
        var (items, liquidity, markets) = (new List<PositionItem>(), new List<LiquidityItem>(), new List<MarketTotal>());
        foreach (var (market, part) in parts)
        {
            // A settled market has paid for its shares; they are worth nothing more.
            var (id, pool, worth) = (market.Terms!.MarketId.Value, market.Pool, (Int128)0);
            var (holder, costs) = (pool.HolderOf(account), (Int128)0);
            for (var o = 0; o < pool.Outcomes.Count && market.Settlement is not MarketSettlement.Settled; o++)
            {
                if (holder.Shares[o] > Shares.Zero)
                {
                    var (value, cost) = (CostBasis.Worth(holder.Shares[o], pool.Prices[o]), o < part.Costs.Count ? part.Costs[o] : 0);
                    (worth, costs) = (worth + value, costs + cost);
                    items.Add(new PositionItem(
                        id, pool.Outcomes[o], holder.Shares[o].ToString(), pool.Prices[o].ToString(), WideDecimal.Format(value), WideDecimal.Format(cost),
                        WideDecimal.Format(value - cost)));
                }
            }

            if (market.Settlement is not MarketSettlement.Settled && holder.LpShares > LpShares.Zero)
            {
                var (value, fees) = (WorthOf(pool, holder.LpShares), pool.ClaimableBy(account));
                worth += value + fees.Units;
                liquidity.Add(new LiquidityItem(id, holder.LpShares.ToString(), WideDecimal.Format(value), fees.ToString()));
            }

            markets.Add(new MarketTotal(
                id, MarketPage.Phase(market), WideDecimal.Format(part.Paid), WideDecimal.Format(part.Received), WideDecimal.Format(worth), WideDecimal.Format(costs),
                WideDecimal.Format(part.Received + worth - part.Paid)));
        }

        return new PositionsResponse(items, liquidity, markets, position);
    }

    // The part of the reserves that the LP shares stand for, at the prices now; each outcome rounded down.
    private static Int128 WorthOf(Pool pool, LpShares shares)
    {
        Int128 worth = 0;
        for (var o = 0; o < pool.Outcomes.Count; o++)
        {
            worth += CostBasis.Worth(new Shares((long)((Int128)pool.Reserves[o].Units * shares.Units / pool.LpSupply.Units)), pool.Prices[o]);
        }

        return worth;
    }
}

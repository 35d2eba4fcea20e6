using Mbp.Domain.Audit;
using Mbp.Domain.Settlement;
using Mbp.Domain.Units;
using Mbp.Host.Platform;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Mbp.Host.Audit;

/// <summary>Where every credit is (Q4.I2): <c>granted = accounts + pools + fees + bonds + dust + onTheWay + paidOut</c>, to the unit.</summary>
/// <param name="Granted">All grants ever.</param>
/// <param name="Accounts">All balances.</param>
/// <param name="Pools">Complete sets of unsettled markets, less what their settlements have paid.</param>
/// <param name="Fees">Unclaimed fees of unsettled markets.</param>
/// <param name="Bonds">Bonds of open disputes.</param>
/// <param name="Dust">What settled markets hold: what rounding left, and in the middle of a correction what came back and is not paid out yet.</param>
/// <param name="OnTheWay">Withdrawn from accounts, and neither paid nor returned.</param>
/// <param name="PaidOut">Paid out by a rail, and not come back.</param>
/// <param name="Holds">Whether the two sides are equal.</param>
/// <param name="Position">The ledger position that the answer shows.</param>
public sealed record ConservationResponse(string Granted, string Accounts, string Pools, string Fees, string Bonds, string Dust, string OnTheWay, string PaidOut, bool Holds, long Position);

/// <param name="Digest">SHA-256 over every balance, pool and price; see docs/architecture.md.</param>
/// <param name="Accounts">How many accounts it covers.</param>
/// <param name="Markets">How many markets.</param>
/// <param name="Position">The ledger position that the read models show.</param>
public sealed record DigestResponse(string Digest, int Accounts, int Markets, long Position);

internal static class AuditEndpoints
{
    public static void Map(RouteGroupBuilder v2)
    {
        v2.MapGet("/audit/conservation", ConservationAsync).OperatorsOnly().WithName("conservation").WithSummary("Where every credit is");
        v2.MapGet("/audit/digest", DigestAsync).OperatorsOnly().WithName("digest").WithSummary("One hash over all read models, to compare with a replay");
    }

    private static async Task<Results<Ok<ConservationResponse>, ProblemHttpResult>> ConservationAsync(
        HttpContext http, Reads reads, CancellationToken cancellationToken)
    {
        var (view, problem) = await reads.NowAsync(http.Request, cancellationToken);
        if (problem is not null)
        {
            return problem;
        }

        Int128 accounts = 0, pools = 0, fees = 0, bonds = 0, dust = 0;
        foreach (var account in view.Accounts.Values)
        {
            accounts += account.Account.Cash.Units;
        }

        foreach (var market in view.Markets.Values)
        {
            if (market.Settlement is MarketSettlement.Settled settled)
            {
                dust += settled.HeldUnits;
            }
            else
            {
                pools += market.Pool.Locked.Units - (market.Settlement is MarketSettlement.Paying paying ? paying.Paid.Units : 0);
                fees += market.Pool.FeePool.Units;
                // By the time that a market pays, every bond has gone its way.
                bonds += market.Settlement is MarketSettlement.Paying ? 0 : market.Resolution.BondUnits;
            }
        }

        return TypedResults.Ok(new ConservationResponse(
            WideDecimal.Format(view.GrantedUnits), WideDecimal.Format(accounts), WideDecimal.Format(pools), WideDecimal.Format(fees), WideDecimal.Format(bonds), WideDecimal.Format(dust),
            WideDecimal.Format(view.Payouts.OnTheWayUnits), WideDecimal.Format(view.Payouts.PaidOutUnits),
            view.GrantedUnits == accounts + pools + fees + bonds + dust + view.Payouts.OnTheWayUnits + view.Payouts.PaidOutUnits, view.Position));
    }

    private static async Task<Results<Ok<DigestResponse>, ProblemHttpResult>> DigestAsync(HttpContext http, Reads reads, CancellationToken cancellationToken)
    {
        var (view, problem) = await reads.NowAsync(http.Request, cancellationToken);
        return problem is not null
            ? problem
            : TypedResults.Ok(new DigestResponse(
                LedgerDigest.Of(
                    view.Accounts.Select(a => KeyValuePair.Create(a.Key, a.Value.Account)),
                    view.Markets.Select(m => KeyValuePair.Create(m.Key, m.Value.Pool))),
                view.Accounts.Count, view.Markets.Count, view.Position));
    }
}

using Mbp.Domain.Markets;
using Mbp.Domain.Resolution;
using Mbp.Domain.Settlement;
using Mbp.Host.Platform;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Mbp.Host.Markets;

/// <summary>What happened to a market, and what happens next.</summary>
/// <param name="MarketId">The market.</param>
/// <param name="Phase">Where it is.</param>
/// <param name="Happened">Oldest first; of a long history the first step and the newest.</param>
/// <param name="Next">What happens by itself at its time unless somebody acts before, the next one first; empty once the market is settled.</param>
/// <param name="Position">The ledger position that the answer shows.</param>
public sealed record TimelineResponse(string MarketId, string Phase, IReadOnlyList<TimelineItem> Happened, IReadOnlyList<NextStep> Next, long Position);

/// <summary>The timeline of one market: from its events what was, from its deadlines what will be.</summary>
internal static class MarketTimeline
{
    public static void Map(RouteGroupBuilder v2) =>
        v2.MapGet("/markets/{id}/timeline", GetAsync).WithName("getTimeline").WithSummary("What happened to a market, what happens next, by when, and who may act");

    public static IEnumerable<TimelineItem> Happened(MarketView market) =>
        market.Tape.Steps.Select(step => new TimelineItem(MarketPage.Text(step.At), step.What, step.Note, step.Position));

    public static IEnumerable<NextStep> Next(MarketView market) => (market.Market, market.Resolution, market.Settlement) switch
    {
        (_, _, MarketSettlement.Settled) => [],
        (_, { IsFinal: true }, _) => [new NextStep("settlement", By: null)],
        (Market.Closed closed, _, _) => [.. People(market.Resolution), .. ResolutionDeadlines.Of(closed, market.Resolution).Select(d => new NextStep(d.What, MarketPage.Text(d.At), d.Who))],
        _ => [new NextStep("close", MarketPage.Text(market.Terms!.ClosesAt), "traders")],
    };

    // What no clock does: somebody has to start it, or to find the value.
    private static IEnumerable<NextStep> People(MarketResolution resolution) => resolution switch
    {
        MarketResolution.NotStarted => [new NextStep("resolution", By: null, "operators")],
        MarketResolution.Collecting { Proposal: { } proposal } => [new NextStep("approval", By: null, $"an operator other than {proposal.By}")],
        MarketResolution.Collecting { Round: null } => [new NextStep("value", By: null, "two operators")],
        _ => [],
    };

    private static async Task<Results<Ok<TimelineResponse>, ProblemHttpResult>> GetAsync(string id, HttpContext http, Reads reads, CancellationToken cancellationToken)
    {
        var (market, _, problem) = await reads.MarketAsync(http.Request, id, cancellationToken);
        return problem is not null ? problem : TypedResults.Ok(new TimelineResponse(
            market!.Terms!.MarketId.Value, MarketPage.Phase(market), [.. Happened(market)], [.. Next(market)], market.Position));
    }
}

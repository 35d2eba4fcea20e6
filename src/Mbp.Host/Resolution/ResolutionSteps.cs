using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution;
using Mbp.Host.Markets;
using Mbp.Host.Platform;
using Mbp.Ledger.Reading;
using Mbp.Ledger.Writing;
using Microsoft.AspNetCore.Http.HttpResults;
using NodaTime;

namespace Mbp.Host.Resolution;

/// <summary>Takes a step of a resolution to the writer, over the states that it is decided over.</summary>
internal sealed class ResolutionSteps(Commands commands, LiveLedger live, EventFeed feed)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>A step whose answer is the phase that the market is in after it.</summary>
    public async Task<Results<Ok<ResolutionStateResponse>, ProblemHttpResult>> SendAsync(
        string id, Func<Instant, ResolutionCommand> command, object? body, HttpContext http, CancellationToken cancellationToken)
    {
        var (outcome, phase, problem) = await TakeAsync(id, command, body, opening: null, http, cancellationToken).ConfigureAwait(false);
        return problem is not null ? problem : TypedResults.Ok(new ResolutionStateResponse(id, phase, outcome!.Position, commands.ReceiptOf(outcome)));
    }

    /// <summary>A step, and the phase that the market is in after it.</summary>
    /// <param name="id">The market, as the caller spells it.</param>
    /// <param name="command">The command at the ledger's time.</param>
    /// <param name="body">The request's body.</param>
    /// <param name="opening">Who opens a dispute; null = nobody.</param>
    /// <param name="http">The request.</param>
    /// <param name="cancellationToken">Fires when the caller has gone.</param>
    public async Task<(CommandOutcome? Outcome, string Phase, ProblemHttpResult? Problem)> TakeAsync(
        string id, Func<Instant, ResolutionCommand> command, object? body, AccountId? opening, HttpContext http, CancellationToken cancellationToken)
    {
        if (!MarketId.IsValid(id))
        {
            return (null, "", Problems.From(MarketErrors.NotFound));
        }

        // Which streams it reads depends on what came before: the rules in force, and who has a bond in it.
        var market = new MarketId(id);
        var view = (await live.AtLeastAsync(feed.Head, Patience, cancellationToken).ConfigureAwait(false)).Find(market) ?? MarketView.Empty;
        var operation = ResolutionOperation.Of(market, view.Market, opening ?? view.Resolution.OpenDispute?.By, command);
        var outcome = await commands.SendAsync(http, operation, body, cancellationToken).ConfigureAwait(false);
        if (outcome.Rejection is { } rejection)
        {
            return (outcome, "", Problems.From(rejection));
        }

        var after = await live.AtLeastAsync(outcome.Position, Patience, cancellationToken).ConfigureAwait(false);
        return (outcome, MarketPage.Phase(after.Find(market)!), null);
    }
}

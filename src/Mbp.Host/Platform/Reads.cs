using System.Globalization;
using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Ledger;
using Mbp.Ledger.Reading;
using Microsoft.AspNetCore.Http.HttpResults;
using NodaTime;
using NodaTime.Text;

namespace Mbp.Host.Platform;

/// <summary>A point in the ledger's history that a read looks at.</summary>
/// <param name="Position">The last event that counts.</param>
/// <param name="IsSettled">Whether no event can come in before it any more: what it shows is the same for ever.</param>
internal readonly record struct Moment(long Position, bool IsSettled);

/// <summary>Where in the ledger's history a read looks: now, or as it was at a position or a time.</summary>
internal sealed class Reads(LiveLedger live, IEventStore store, EventFeed feed, PastStreams past, IClock clock)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>The same for a route that shows the present only, and says so to whoever asks for the past.</summary>
    public async Task<(LedgerView View, ProblemHttpResult? Problem)> NowAsync(HttpRequest request, CancellationToken cancellationToken) =>
        request.Query.ContainsKey("at")
            ? (live.Current, Problems.Make(400, "request.invalid", "This route shows the present only.", new FieldError("at", "Does not go with this route.")))
            : await AtLeastAsync(request, cancellationToken).ConfigureAwait(false);

    /// <summary>The present view, at least at <c>min_position</c> where the request asks for that; the route sees to <c>at</c> itself.</summary>
    public async Task<(LedgerView View, ProblemHttpResult? Problem)> AtLeastAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        if (!request.Query.ContainsKey("min_position"))
        {
            return (live.Present, null);
        }

        return MinPosition(request) is { } position
            ? (await live.AtLeastAsync(position, Patience, cancellationToken).ConfigureAwait(false), null)
            : (live.Current, Problems.Make(400, "request.invalid", "min_position is a whole number.", new FieldError("min_position", "Is a whole number, 0 or more.")));
    }

    /// <summary>What the request asks to see at least; null where it asks for nothing that can be read.</summary>
    public static long? MinPosition(HttpRequest request) =>
        request.Query.TryGetValue("min_position", out var text) && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var position) ? position : null;

    /// <summary>The point that the request's <c>at</c> names: null = the present. The future is refused, as it is not known yet.</summary>
    public async Task<(Moment? Moment, ProblemHttpResult? Problem)> MomentAsync(HttpRequest request, LedgerView view, CancellationToken cancellationToken)
    {
        if (!request.Query.TryGetValue("at", out var at))
        {
            return (null, null);
        }

        if (long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out var position))
        {
            if (position > view.Position)
            {
                // Somebody may know of an event that this view does not show yet.
                var head = Math.Max(feed.Head, await store.HeadAsync(cancellationToken).ConfigureAwait(false));
                if (position > head)
                {
                    return (null, BadAt(string.Create(CultureInfo.InvariantCulture, $"Is beyond the ledger's head, which is at {head}.")));
                }

                await live.AtLeastAsync(position, Patience, cancellationToken).ConfigureAwait(false);
            }

            return (new Moment(position, IsSettled: true), null);
        }

        if (InstantPattern.ExtendedIso.Parse(at.ToString()) is not { Success: true, Value: var instant })
        {
            return (null, BadAt("Is a position (a whole number) or an instant such as 2026-12-31T23:59:59Z."));
        }

        // Ledger time may run ahead of the clock for a moment: what has happened is no future.
        return instant > clock.GetCurrentInstant() && instant > view.At ? (null, BadAt("Lies in the future."))
            : instant >= view.At ? (new Moment(view.Position, IsSettled: false), null)
            : (new Moment(await past.PositionAsync(instant, view.Position, cancellationToken).ConfigureAwait(false), IsSettled: true), null);
    }

    /// <summary>A market as it is, for a route that shows the present only.</summary>
    public async Task<(MarketView? Market, ProblemHttpResult? Problem)> PresentMarketAsync(HttpRequest request, string id, CancellationToken cancellationToken)
    {
        var (view, problem) = await NowAsync(request, cancellationToken).ConfigureAwait(false);
        return problem is not null ? (null, problem)
            : MarketId.IsValid(id) && view.Find(new MarketId(id)) is { } market ? (market, null)
            : (null, Problems.From(MarketErrors.NotFound));
    }

    /// <summary>An account as it is, for a route that shows the present only.</summary>
    public async Task<(LedgerView View, AccountView? Account, ProblemHttpResult? Problem)> PresentAccountAsync(
        HttpRequest request, AccountId id, CancellationToken cancellationToken)
    {
        var (view, problem) = await NowAsync(request, cancellationToken).ConfigureAwait(false);
        return problem is not null ? (view, null, problem)
            : AccountId.IsValid(id.Value) && view.Accounts.GetValueOrDefault(id) is { Account: Account.Open } account ? (view, account, null)
            : (view, null, Problems.From(AccountErrors.NotFound));
    }

    /// <summary>A market now, or as it was where the request has <c>at</c> (a position or a UTC instant).</summary>
    public async Task<(MarketView? Market, Moment? Moment, ProblemHttpResult? Problem)> MarketAsync(HttpRequest request, string id, CancellationToken cancellationToken)
    {
        var (view, problem) = await AtLeastAsync(request, cancellationToken).ConfigureAwait(false);
        var (moment, badAt) = problem is null ? await MomentAsync(request, view, cancellationToken).ConfigureAwait(false) : default;
        if ((problem ?? badAt) is { } invalid)
        {
            return (null, null, invalid);
        }

        view = moment?.Position > view.Position ? live.Present : view;
        if (!MarketId.IsValid(id) || view.Find(new MarketId(id)) is not { } market)
        {
            return (null, null, Problems.From(MarketErrors.NotFound));
        }

        if (moment is not { } then)
        {
            return (market, null, null);
        }

        var was = await past.MarketAsync(new MarketId(id), then.Position, cancellationToken).ConfigureAwait(false);
        return was.Market is Market.Unknown ? (null, null, Problems.From(MarketErrors.NotFound)) : (was, then, null);
    }

    /// <summary>An account now or as it was, with the version of its stream and the position that the answer shows.</summary>
    public async Task<(Account.Open? Account, long Version, long Position, Moment? Moment, ProblemHttpResult? Problem)> AccountAsync(
        HttpRequest request, string id, CancellationToken cancellationToken)
    {
        var (view, problem) = await AtLeastAsync(request, cancellationToken).ConfigureAwait(false);
        var (moment, badAt) = problem is null ? await MomentAsync(request, view, cancellationToken).ConfigureAwait(false) : default;
        if ((problem ?? badAt) is { } invalid)
        {
            return (null, 0, 0, null, invalid);
        }

        view = moment?.Position > view.Position ? live.Present : view;
        if (!AccountId.IsValid(id) || view.Accounts.GetValueOrDefault(new AccountId(id)) is not { Account: Account.Open open } account)
        {
            return (null, 0, 0, null, Problems.From(AccountErrors.NotFound));
        }

        if (moment is not { } then)
        {
            return (open, account.Version, view.Position, null, null);
        }

        var (was, version) = await past.StateAsync(Account.Fold.Of(new AccountId(id).Stream), then.Position, cancellationToken).ConfigureAwait(false);
        return was is Account.Open opened ? (opened, version, then.Position, then, null) : (null, 0, 0, null, Problems.From(AccountErrors.NotFound));
    }

    private static ProblemHttpResult BadAt(string rule) => Problems.Make(400, "request.invalid", $"at: {rule}", new FieldError("at", rule));
}

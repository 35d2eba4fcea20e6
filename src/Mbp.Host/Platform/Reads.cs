using System.Globalization;
using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Ledger;
using Mbp.Ledger.Writing;
using Microsoft.AspNetCore.Http.HttpResults;
using NodaTime.Text;

namespace Mbp.Host.Platform;

/// <summary>Where in the ledger's history a read looks: now, or as it was at a position or a time.</summary>
internal sealed class Reads(LiveLedger live, IEventStore store, EventCatalog catalog)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>The same for a route that shows the present only, and says so to whoever asks for the past.</summary>
    public async Task<(LedgerView View, ProblemHttpResult? Problem)> NowAsync(HttpRequest request, CancellationToken cancellationToken) =>
        request.Query.ContainsKey("at")
            ? (live.Current, Problems.Make(400, "request.invalid", "This route shows the present only.", new FieldError("at", "Does not go with this route.")))
            : await AtLeastAsync(request, cancellationToken).ConfigureAwait(false);

    /// <summary>The past that the request's <c>at</c> asks for: null = the present; a problem where it is neither a position nor an instant.</summary>
    public static (Func<StoredEvent, bool>? Until, ProblemHttpResult? Problem) Past(HttpRequest request) =>
        !request.Query.TryGetValue("at", out var at) ? (null, null) : Until(at.ToString()) is { } until ? (until, null) : (null, BadAt);

    /// <summary>The present view, at least at <c>min_position</c> where the request asks for that; the route sees to <c>at</c> itself.</summary>
    public async Task<(LedgerView View, ProblemHttpResult? Problem)> AtLeastAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        if (!request.Query.TryGetValue("min_position", out var text))
        {
            return (live.Present, null);
        }

        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var position)
            ? (await live.AtLeastAsync(position, Patience, cancellationToken).ConfigureAwait(false), null)
            : (live.Current, Problems.Make(400, "request.invalid", "min_position is a whole number.", new FieldError("min_position", "Is a whole number, 0 or more.")));
    }

    /// <summary>A market now, or as it was where the request has <c>at</c> (a position or a UTC instant).</summary>
    public async Task<(MarketView? Market, ProblemHttpResult? Problem)> MarketAsync(HttpRequest request, string id, CancellationToken cancellationToken)
    {
        var (view, problem) = await AtLeastAsync(request, cancellationToken).ConfigureAwait(false);
        if (problem is not null)
        {
            return (null, problem);
        }

        if (!MarketId.IsValid(id) || view.Find(new MarketId(id)) is not { } market)
        {
            return (null, Problems.From(MarketErrors.NotFound));
        }

        if (!request.Query.TryGetValue("at", out var at))
        {
            return (market, null);
        }

        if (Until(at.ToString()) is not { } until)
        {
            return (null, BadAt);
        }

        var past = await MarketAsOfAsync(new MarketId(id), until, cancellationToken).ConfigureAwait(false);
        return past.Market is Market.Unknown ? (null, Problems.From(MarketErrors.NotFound)) : (past, null);
    }

    public async Task<(Account? Account, long Position, ProblemHttpResult? Problem)> AccountAsync(
        HttpRequest request, string id, CancellationToken cancellationToken)
    {
        var (view, problem) = await AtLeastAsync(request, cancellationToken).ConfigureAwait(false);
        if (problem is not null)
        {
            return (null, 0, problem);
        }

        if (!AccountId.IsValid(id) || view.Accounts.GetValueOrDefault(new AccountId(id)) is not { Account: not Account.Unknown } account)
        {
            return (null, 0, Problems.From(AccountErrors.NotFound));
        }

        if (!request.Query.TryGetValue("at", out var at))
        {
            return (account.Account, view.Position, null);
        }

        if (Until(at.ToString()) is not { } until)
        {
            return (null, 0, BadAt);
        }

        // What the answer shows: the position that was asked for, or the account's last event at the time that was asked for.
        var shown = long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out var asked) ? Math.Min(asked, view.Position) : 0;
        var past = await FoldLoader.LoadAsOfAsync(store, catalog, Account.Fold.Of(new AccountId(id).Stream), Counted, cancellationToken).ConfigureAwait(false);
        return past is Account.Unknown ? (null, 0, Problems.From(AccountErrors.NotFound)) : (past, shown, null);

        bool Counted(StoredEvent stored)
        {
            var counts = until(stored);
            shown = counts ? Math.Max(shown, stored.Position) : shown;
            return counts;
        }
    }

    /// <summary>A market as its events up to a point fold.</summary>
    public async Task<MarketView> MarketAsOfAsync(MarketId id, Func<StoredEvent, bool> until, CancellationToken cancellationToken)
    {
        var view = MarketView.Empty;
        foreach (var stream in new[] { id.Stream, id.Quotes, id.Resolution })
        {
            var position = view.Position;
            await foreach (var stored in store.ReadStreamAsync(stream, 0, cancellationToken).ConfigureAwait(false))
            {
                if (!until(stored))
                {
                    break;
                }

                view = view.Apply(catalog.Decode(stored));
            }

            view = view with { Position = Math.Max(position, view.Position) };
        }

        return view;
    }

    private static Func<StoredEvent, bool>? Until(string at) =>
        long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out var position) ? stored => stored.Position <= position
        : InstantPattern.ExtendedIso.Parse(at) is { Success: true } instant ? stored => stored.At <= instant.Value
        : null;

    private static ProblemHttpResult BadAt { get; } = Problems.Make(
        400, "request.invalid", "at is a position or a UTC instant.", new FieldError("at", "Is a position (a whole number) or an instant such as 2026-12-31T23:59:59Z."));
}

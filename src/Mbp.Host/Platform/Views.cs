using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Pricing;
using Mbp.Domain.Resolution;
using Mbp.Domain.Settlement;
using Mbp.Domain.Trading;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Host.Platform;

/// <summary>Everything about one market that the API shows, folded from its three streams.</summary>
public sealed record MarketView(
    Market Market, Pool Pool, PriceTrack Prices, MarketResolution Resolution, MarketSettlement Settlement, TwapLog Twap, long Version, long Position)
{
    public static MarketView Empty { get; } = new(
        Domain.Markets.Market.Initial, Pool.Fold.Initial, PriceFolds.Track.Initial, MarketResolution.Initial, MarketSettlement.Initial, TwapLog.Initial, 0, 0);

    [JsonIgnore]
    public MarketTerms? Terms => Market.Terms();

    public MarketView Apply(Recorded recorded)
    {
        ArgumentNullException.ThrowIfNull(recorded);
        var next = recorded.Stream.Category switch
        {
            "market" => this with
            {
                Market = Domain.Markets.Market.Fold.Apply(Market, recorded.Data),
                Pool = Pool.Fold.Apply(Pool, recorded.Data),
                Prices = PriceFolds.Track.Apply(Prices, recorded.Data),
                Version = recorded.Version,
            },
            "quotes" => this with { Twap = TwapLog.Fold.Apply(Twap, recorded.Data) },
            "resolution" => this with
            {
                Resolution = MarketResolution.Fold.Apply(Resolution, recorded.Data),
                Settlement = MarketSettlement.Fold.Apply(Settlement, recorded.Data),
            },
            _ => this,
        };
        return next with { Position = recorded.Position };
    }

    /// <summary>The instant from which the host's clock has something to do here; null = nothing. Work that is under way is due at once.</summary>
    [JsonIgnore]
    public Instant? DueAt => (Market, Resolution, Settlement) switch
    {
        (_, _, MarketSettlement.Settled) => null,
        (_, MarketResolution.Finished or MarketResolution.Voided, _) => Instant.MinValue,
        (_, MarketResolution.Determined determined, _) => determined.Decision.DisputableUntil,
        (Domain.Markets.Market.Open or Domain.Markets.Market.Halted, _, _) => Terms!.ClosesAt,
        _ => null,
    };
}

/// <summary>An account and the markets that it has something in.</summary>
public sealed record AccountView(Account Account, ImmutableSortedSet<string> Markets, long Position)
{
    public static AccountView Empty { get; } = new(Domain.Accounts.Account.Initial, ImmutableSortedSet.Create<string>(StringComparer.Ordinal), 0);
}

/// <summary>A key that an account's owner was given.</summary>
public sealed record IssuedKey(string KeyId, AccountId Account, ImmutableArray<ApiScope> Scopes);

/// <summary>
/// All read models at one position: immutable, and replaced as a whole after each commit, so a reader never sees half a command.
/// </summary>
/// <param name="Position">The last event that is in it.</param>
/// <param name="At">That event's time.</param>
/// <param name="GrantedUnits">All credits ever granted, in units of 1e-8.</param>
/// <param name="Markets">By id.</param>
/// <param name="MarketsInOrder">Ids, oldest first.</param>
/// <param name="Accounts">By id.</param>
/// <param name="KeysByHash">API keys in force, by their SHA-256.</param>
/// <param name="Templates">The newest version of each.</param>
/// <param name="Due">What the market clock has to do, and when.</param>
public sealed record LedgerView(
    long Position,
    Instant At,
    Int128 GrantedUnits,
    ImmutableDictionary<string, MarketView> Markets,
    ImmutableList<string> MarketsInOrder,
    ImmutableDictionary<AccountId, AccountView> Accounts,
    ImmutableDictionary<string, IssuedKey> KeysByHash,
    ImmutableSortedDictionary<string, Template> Templates,
    ImmutableSortedSet<(Instant At, string Market)> Due)
{
    public static LedgerView Empty { get; } = new(
        0,
        Instant.MinValue,
        0,
        ImmutableDictionary.Create<string, MarketView>(StringComparer.Ordinal),
        [],
        ImmutableDictionary<AccountId, AccountView>.Empty,
        ImmutableDictionary.Create<string, IssuedKey>(StringComparer.Ordinal),
        ImmutableSortedDictionary.Create<string, Template>(StringComparer.Ordinal),
        ImmutableSortedSet.Create<(Instant At, string Market)>());

    public MarketView? Find(MarketId market) => Markets.GetValueOrDefault(market.Value) is { Market: not Market.Unknown } view ? view : null;

    public Account? Find(AccountId account) => Accounts.GetValueOrDefault(account)?.Account;

    /// <summary>The view after some events, which must be whole commands and follow <see cref="Position"/>.</summary>
    public LedgerView Apply(IEnumerable<Recorded> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        var (markets, accounts, keys, templates, due, order) =
            (Markets.ToBuilder(), Accounts.ToBuilder(), KeysByHash.ToBuilder(), Templates.ToBuilder(), Due.ToBuilder(), MarketsInOrder);
        var (position, at, granted) = (Position, At, GrantedUnits);
        foreach (var recorded in events)
        {
            // A position may be missing where somebody else appended (a rolled back foreign transaction uses a number up); none may come back.
            if (recorded.Position <= position)
            {
                throw new InvalidOperationException($"Position {recorded.Position} cannot follow {position}.");
            }

            (position, at) = (recorded.Position, recorded.At);
            switch (recorded.Stream.Category)
            {
                case "market" or "quotes" or "resolution":
                    ApplyToMarket(recorded);
                    break;
                case "account":
                    ApplyToAccount(recorded);
                    break;
                case "template" when recorded.Data is TemplatePublished published:
                    templates[published.Template.Id] = published.Template;
                    break;
            }
        }

        return new LedgerView(
            position, at, granted, markets.ToImmutable(), order, accounts.ToImmutable(), keys.ToImmutable(), templates.ToImmutable(), due.ToImmutable());

        void ApplyToMarket(Recorded recorded)
        {
            var id = recorded.Stream.Key;
            var before = markets.GetValueOrDefault(id) ?? MarketView.Empty;
            var after = markets[id] = before.Apply(recorded);
            if (recorded.Data is MarketCreated)
            {
                order = order.Add(id);
            }

            if (before.DueAt != after.DueAt)
            {
                if (before.DueAt is { } was)
                {
                    due.Remove((was, id));
                }

                if (after.DueAt is { } next)
                {
                    due.Add((next, id));
                }
            }

            if (recorded.Data is PoolEvent { Account: var trader })
            {
                var account = accounts.GetValueOrDefault(trader) ?? AccountView.Empty;
                accounts[trader] = account with { Markets = account.Markets.Add(id) };
            }
        }

        void ApplyToAccount(Recorded recorded)
        {
            var id = new AccountId(recorded.Stream.Key);
            var account = accounts.GetValueOrDefault(id) ?? AccountView.Empty;
            accounts[id] = account with { Account = Domain.Accounts.Account.Fold.Apply(account.Account, recorded.Data), Position = recorded.Position };
            switch (recorded.Data)
            {
                case CreditsGranted e:
                    granted += e.Amount.Units;
                    break;
                case ApiKeyIssued e:
                    keys[e.KeySha256] = new IssuedKey(e.KeyId, id, [.. e.Scopes]);
                    break;
                case ApiKeyRevoked e when keys.FirstOrDefault(k => k.Value.KeyId == e.KeyId && k.Value.Account == id) is { Key: not null } revoked:
                    keys.Remove(revoked.Key);
                    break;
            }
        }
    }
}

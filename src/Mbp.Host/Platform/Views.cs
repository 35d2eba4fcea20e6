using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Mbp.Domain.Abuse;
using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Custody;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Governance.Slo;
using Mbp.Domain.Markets;
using Mbp.Domain.Pricing;
using Mbp.Domain.Resolution;
using Mbp.Domain.Resolution.Oracle;
using Mbp.Domain.Settlement;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Host.Markets;
using Mbp.Host.Payments;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Host.Platform;

/// <summary>Everything about one market that the API shows, folded from its four streams.</summary>
/// <param name="Market">The life cycle.</param>
/// <param name="Pool">The pool and its holders.</param>
/// <param name="Prices">Quotes, for averages at ticks.</param>
/// <param name="Resolution">What came true.</param>
/// <param name="Settlement">What is paid.</param>
/// <param name="Twap">The last recomputation.</param>
/// <param name="Tape">The newest trades, minutes and steps.</param>
/// <param name="Version">The version of the market's own stream.</param>
/// <param name="ResolutionVersion">The version of its resolution's stream; 0 = not begun.</param>
/// <param name="Position">The last event of the four.</param>
public sealed record MarketView(
    Market Market,
    Pool Pool,
    PriceTrack Prices,
    MarketResolution Resolution,
    MarketSettlement Settlement,
    TwapLog Twap,
    MarketTape Tape,
    long Version,
    long ResolutionVersion,
    long Position)
{
    public static MarketView Empty { get; } = new(
        Domain.Markets.Market.Initial, Pool.Fold.Initial, PriceFolds.Track.Initial, MarketResolution.Initial, MarketSettlement.Initial, TwapLog.Initial,
        MarketTape.Empty, 0, 0, 0);

    /// <summary>What moderators did.</summary>
    public Moderation Moderation { get; init; } = Moderation.None;

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
                Tape = Tape.After(recorded),
                Version = recorded.Version,
            },
            "abuse" => this with { Moderation = Moderation.Fold.Apply(Moderation, recorded.Data) },
            "quotes" => this with { Twap = TwapLog.Fold.Apply(Twap, recorded.Data) },
            "resolution" => this with
            {
                Resolution = MarketResolution.Fold.Apply(Resolution, recorded.Data),
                Settlement = MarketSettlement.Fold.Apply(Settlement, recorded.Data),
                Tape = Tape.After(recorded),
                ResolutionVersion = recorded.Version,
            },
            _ => this,
        };
        return next with { Position = recorded.Position };
    }

    /// <summary>With an event as it is stored now, its texts erased, in the place of what it was; the same object where none of them shows.</summary>
    public MarketView Erased(Recorded erased)
    {
        ArgumentNullException.ThrowIfNull(erased);
        var market = (Market, erased.Data) switch
        {
            (Domain.Markets.Market.Halted halted, MarketHalted e) when halted.Since == e.At && halted.Reason != e.Reason => halted with { Reason = e.Reason },
            (Domain.Markets.Market.Closed closed, MarketClosed e) when closed.Reason != e.Reason => closed with { Reason = e.Reason },
            _ => Market,
        };
        var tape = Tape.Erased(erased);
        return ReferenceEquals(market, Market) && ReferenceEquals(tape, Tape) ? this : this with { Market = market, Tape = tape };
    }

    /// <summary>The instant from which the host's clock has something to do here; null = nothing. Work that is under way is due at once.</summary>
    [JsonIgnore]
    public Instant? DueAt => (Market, Resolution, Settlement) switch
    {
        (_, _, MarketSettlement.Settled settled) => settled.Posting is null ? null : Instant.MinValue,
        (_, { IsFinal: true }, _) => Instant.MinValue,
        (Domain.Markets.Market.Open or Domain.Markets.Market.Halted, _, _) => Terms!.ClosesAt,
        (Domain.Markets.Market.Closed closed, _, _) => ResolutionDeadlines.NextAt(closed, Resolution),
        _ => null,
    };
}

/// <summary>What an account put into a market and got out of it.</summary>
/// <param name="Paid">Credits that went in, in units.</param>
/// <param name="Received">Credits that came back.</param>
/// <param name="Costs">What the shares of each outcome that it holds now cost; empty = no shares yet.</param>
public sealed record AccountMarket(Int128 Paid, Int128 Received, EquatableArray<Int128> Costs)
{
    public static AccountMarket None { get; } = new(0, 0, []);

    /// <summary>The market that an event of an account is about, if it is about one.</summary>
    public static MarketId? Of(AccountEvent @event) => @event switch
    {
        AccountDebited e => e.Market,
        AccountCredited e => e.Market,
        _ => null,
    };

    /// <summary>After credits moved.</summary>
    public AccountMarket After(AccountEvent @event) => @event switch
    {
        AccountDebited e => this with { Paid = Paid + e.Amount.Units },
        AccountCredited e => this with { Received = Received + e.Amount.Units },
        _ => this,
    };
}

/// <summary>An account and the markets that it has, or had, something in.</summary>
/// <param name="Account">Its cash.</param>
/// <param name="Markets">By the market's id.</param>
/// <param name="Version">The version of its stream.</param>
/// <param name="Position">The last event of its stream.</param>
public sealed record AccountView(Account Account, ImmutableSortedDictionary<string, AccountMarket> Markets, long Version, long Position)
{
    public static AccountView Empty { get; } = new(
        Domain.Accounts.Account.Initial, ImmutableSortedDictionary.Create<string, AccountMarket>(StringComparer.Ordinal), 0, 0);
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
/// <param name="Rulesets">Every published version of each.</param>
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
    ImmutableSortedDictionary<string, RulesetLibrary> Rulesets,
    ImmutableSortedSet<(Instant At, string Market)> Due)
{
    public static LedgerView Empty { get; } = new(
        0,
        Instant.MinValue,
        0,
        // A value that is put in is new: comparing it with the one before, pool and all, would be most of the cost of an event.
        ImmutableDictionary.Create<string, MarketView>(StringComparer.Ordinal, ReferenceEqualityComparer.Instance),
        [],
        ImmutableDictionary<AccountId, AccountView>.Empty,
        ImmutableDictionary.Create<string, IssuedKey>(StringComparer.Ordinal),
        ImmutableSortedDictionary.Create<string, Template>(StringComparer.Ordinal),
        ImmutableSortedDictionary.Create<string, RulesetLibrary>(StringComparer.Ordinal),
        ImmutableSortedSet.Create<(Instant At, string Market)>());

    public MarketView? Find(MarketId market) => Markets.GetValueOrDefault(market.Value) is { Market: not Market.Unknown } view ? view : null;

    /// <summary>What the error budget has to do with trading.</summary>
    public SloPolicy Slo { get; init; } = SloPolicy.Fold.Initial;

    /// <summary>The feeds of rule sets' sources, by the rule set.</summary>
    public ImmutableSortedDictionary<string, OracleFeed> Oracles { get; init; } = ImmutableSortedDictionary.Create<string, OracleFeed>(StringComparer.Ordinal);

    /// <summary>Credits on their way out.</summary>
    public PayoutView Payouts { get; init; } = PayoutView.Empty;

    /// <summary>The position of the last erasure that was announced since this process began; 0 = none.</summary>
    public long LastErasure { get; init; }

    /// <summary>With an event as it is stored now, its texts erased; the same object where none of them shows.</summary>
    public LedgerView Erased(Recorded erased)
    {
        ArgumentNullException.ThrowIfNull(erased);
        return erased.Stream.Category == "market" && Markets.TryGetValue(erased.Stream.Key, out var market) && market.Erased(erased) is var now && !ReferenceEquals(market, now)
            ? this with { Markets = Markets.SetItem(erased.Stream.Key, now) }
            : this;
    }

    public Account? Find(AccountId account) => Accounts.GetValueOrDefault(account)?.Account;

    /// <summary>The view after some events, which must be whole commands and follow <see cref="Position"/>.</summary>
    public LedgerView Apply(IEnumerable<Recorded> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        var (markets, accounts, keys, templates, rulesets, due, order) = (
            Markets.ToBuilder(), Accounts.ToBuilder(), KeysByHash.ToBuilder(), Templates.ToBuilder(), Rulesets.ToBuilder(), Due.ToBuilder(), MarketsInOrder);
        var (position, at, granted, lastErasure, slo, oracles, payouts) = (Position, At, GrantedUnits, LastErasure, Slo, Oracles, Payouts);
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
                case "market" or "quotes" or "resolution" or "abuse":
                    ApplyToMarket(recorded);
                    break;
                case "account":
                    ApplyToAccount(recorded);
                    break;
                case "template" when recorded.Data is TemplatePublished published:
                    templates[published.Template.Id] = published.Template;
                    break;
                case "ruleset":
                    rulesets[recorded.Stream.Key] = RulesetLibrary.Fold.Apply(rulesets.GetValueOrDefault(recorded.Stream.Key) ?? RulesetLibrary.Fold.Initial, recorded.Data);
                    break;
                case "withdrawal":
                    payouts = payouts.Apply(recorded);
                    break;
                case "watcher":
                    slo = SloPolicy.Fold.Apply(slo, recorded.Data);
                    break;
                case "oracle":
                    oracles = oracles.SetItem(recorded.Stream.Key, OracleFeed.Fold.Apply(oracles.GetValueOrDefault(recorded.Stream.Key) ?? OracleFeed.Initial, recorded.Data));
                    break;
                case "custody" when recorded.Data is PayloadErased:
                    lastErasure = recorded.Position;
                    break;
            }
        }

        return new LedgerView(
            position, at, granted, markets.ToImmutable(), order, accounts.ToImmutable(), keys.ToImmutable(), templates.ToImmutable(), rulesets.ToImmutable(), due.ToImmutable())
        {
            LastErasure = lastErasure,
            Slo = slo,
            Oracles = oracles,
            Payouts = payouts,
        };

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

            if (recorded.Data is PoolEvent { Account: var trader } change)
            {
                var account = accounts.GetValueOrDefault(trader) ?? AccountView.Empty;
                var part = account.Markets.GetValueOrDefault(id) ?? AccountMarket.None;
                var costs = CostBasis.After(part.Costs, before.Pool.HolderOf(trader).Shares, after.Pool.Outcomes, change);
                accounts[trader] = account with { Markets = account.Markets.SetItem(id, part with { Costs = costs }) };
            }
        }

        void ApplyToAccount(Recorded recorded)
        {
            var id = new AccountId(recorded.Stream.Key);
            var account = accounts.GetValueOrDefault(id) ?? AccountView.Empty;
            var parts = recorded.Data is AccountEvent moved && AccountMarket.Of(moved) is { } market
                ? account.Markets.SetItem(market.Value, (account.Markets.GetValueOrDefault(market.Value) ?? AccountMarket.None).After(moved))
                : account.Markets;
            accounts[id] = new AccountView(Domain.Accounts.Account.Fold.Apply(account.Account, recorded.Data), parts, recorded.Version, recorded.Position);
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

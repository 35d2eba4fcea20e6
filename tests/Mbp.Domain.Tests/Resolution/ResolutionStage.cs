using System.Text;
using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution;
using Mbp.Domain.Resolution.Oracle;
using Mbp.Domain.Settlement;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using Mbp.Ledger.Log;
using Mbp.Policies;
using NodaTime;
using static Mbp.Domain.Tests.Markets.Terms;

namespace Mbp.Domain.Tests.Resolution;

/// <summary>Keys made from names, so that runs are the same everywhere.</summary>
internal static class Signers
{
    private static readonly System.Collections.Concurrent.ConcurrentDictionary<string, Ed25519PrivateKey> Keys = new(StringComparer.Ordinal);
    private static readonly System.Collections.Concurrent.ConcurrentDictionary<(string, string), string> Signatures = new();

    public static Voter Voter(string id, string group, int weight = 1) => new(id, Convert.ToBase64String(KeyOf(id).PublicKey.Span), weight, group);

    /// <summary>Signs; what was signed before is not signed again.</summary>
    public static string Sign(string id, string statement) =>
        Signatures.GetOrAdd((id, statement), static asked => Convert.ToBase64String(KeyOf(asked.Item1).Sign(Encoding.UTF8.GetBytes(asked.Item2))));

    private static Ed25519PrivateKey KeyOf(string id) => Keys.GetOrAdd(id, name =>
        Ed25519PrivateKey.FromSeed(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes($"a test's key of {name}"))));
}

/// <summary>A closed market in virtual time, with everything that its resolution is decided over. The clock takes every step that is due.</summary>
internal sealed class ResolutionStage
{
    public static readonly AccountId Bob = new("bob");

    private readonly Dictionary<AccountId, Account> _accounts = new()
    {
        [Ana] = new Account.Open(Ce(1_000), []),
        [Bob] = new Account.Open(Ce(1_000), []),
        [AccountId.ResolutionDesk] = Account.Initial,
        [AccountId.Insurance] = Account.Initial,
    };

    private readonly Pool _pool;
    private decimal _granted = 2_000;

    private ResolutionStage(Market.Closed market, Pool pool, Instant now) => (Market, _pool, Now) = (market, pool, now);

    public Market Market { get; private set; }

    public MarketResolution Resolution { get; private set; } = MarketResolution.Initial;

    public MarketSettlement Settlement { get; private set; } = MarketSettlement.Initial;

    public OracleFeed Oracle { get; private set; } = OracleFeed.Initial;

    public Instant Now { get; private set; }

    public List<StreamEvent> Events { get; private init; } = [];

    public Ruleset Rules => Market.Policy()!.Rules;

    /// <summary>Five sources of five groups, a panel of three, three arbitrators.</summary>
    public static Ruleset WithOracle(params IEnumerable<Voter> sources) => BuiltInPolicies.Default.Rules with
    {
        Oracle = new OracleRules(
            [.. sources is { } given && given.Any() ? given : Enumerable.Range(1, 5).Select(i => Signers.Voter($"s{i}", $"g{i}"))],
            [15, 30, 60, 120], LateSeconds: 2, StaleSeconds: 300, ToleranceBps: 50, new FailoverRules(2, 3, 300), new ReputationRules(10_000, 100_000, 500_000, 100_000)),
        Disputes = BuiltInPolicies.Default.Rules.Disputes! with
        {
            Panel = [.. Enumerable.Range(1, 3).Select(i => Signers.Voter($"p{i}", $"pg{i}"))],
            Arbitrators = [.. Enumerable.Range(1, 3).Select(i => Signers.Voter($"a{i}", $"ag{i}"))],
        },
    };

    public static ResolutionStage Closed(Ruleset rules, MarketKind kind = MarketKind.Binary, params (string Name, string Value)[] parameters)
    {
        (string, string)[] all = [.. parameters, .. rules.Oracle is null ? Array.Empty<(string, string)>() : [("truthSource", "oracle")]];
        var created = CreateMarketDecider.Decide(
            Create(parameters: all), Published(kind), new RulesetLibrary([Policy.Of(rules)]), Market.Initial, Pool.Fold.Initial, Rich).Events.Where(e => e.Stream == Rain.Stream).ToList();
        var market = created.Aggregate(Market.Fold.Initial, (state, e) => Market.Fold.Apply(state, e.Event));
        var pool = created.Aggregate(Pool.Fold.Initial, (state, e) => Pool.Fold.Apply(state, e.Event));
        return new ResolutionStage((Market.Closed)Market.Fold.Apply(market, new MarketClosed("done", pool.Prices, Noon)), pool, Noon);
    }

    /// <summary>With a feed that other markets were reported by before.</summary>
    public ResolutionStage After(OracleFeed feed)
    {
        Oracle = feed;
        return this;
    }

    public ResolutionStage Copy()
    {
        var copy = new ResolutionStage((Market.Closed)Market, _pool, Now)
        {
            Market = Market, Resolution = Resolution, Settlement = Settlement, Oracle = Oracle, _granted = _granted, Events = [.. Events],
        };
        foreach (var (id, account) in _accounts)
        {
            copy._accounts[id] = account;
        }

        return copy;
    }

    public Credits BalanceOf(AccountId id) => _accounts[id] is Account.Open open ? open.Balance : Credits.Zero;

    /// <summary>The answer to a command, which is not written.</summary>
    public Decision<StreamEvent> Ask(ResolutionCommand command)
    {
        var disputer = command is OpenDispute open ? open.By : Resolution.OpenDispute?.By;
        return ResolutionDecider.Decide(command, new ResolutionBooks(Market, Resolution, _pool)
        {
            Settlement = Settlement, Oracle = Oracle, OracleOf = Rules.Name, Disputer = disputer, DisputerAccount = disputer is { } by ? _accounts.GetValueOrDefault(by, Account.Initial) : Account.Initial,
            Desk = _accounts[AccountId.ResolutionDesk], Insurance = _accounts[AccountId.Insurance],
        });
    }

    /// <summary>A command at the stage's time: its events are folded, and every credit is still there.</summary>
    public Decision<StreamEvent> Send(Func<Instant, ResolutionCommand> command) => Take(Ask(command(Now)));

    public Decision<StreamEvent> Report(string source, string value, int? round = null, Duration? age = null, string? signature = null) => Send(at =>
    {
        var (number, seen) = (round ?? (Resolution as MarketResolution.Collecting)?.Round?.Number ?? 1, at - (age ?? Duration.FromSeconds(10)));
        return new SubmitReport(Rain, number, source, value, seen, "sha256:00", signature ?? Signers.Sign(source, Statement.Report(Rain, number, value, seen, "sha256:00")), at);
    });

    public Decision<StreamEvent> Rule(string judge, string value)
    {
        var number = Resolution.OpenDispute?.Number ?? 1;
        return Send(at => new RecordRuling(Rain, number, judge, value, "urn:ruling", Signers.Sign(judge, Statement.Ruling(Rain, number, value, "urn:ruling")), at));
    }

    public Decision<StreamEvent> Dispute(AccountId by, string value) => Send(at => new OpenDispute(Rain, by, value, "urn:doubt", "it is not so", at));

    /// <summary>Lets time pass; the clock takes each step at the instant that it is due.</summary>
    public void Wait(Duration time)
    {
        var until = Now + time;
        // The first step due may have been due before.
        for (var steps = 0; Market is Market.Closed closed && ResolutionDeadlines.NextAt(closed, Resolution) is { } next && next <= until; steps++)
        {
            Assert.True(steps < 100, $"the clock does not move on from {Resolution}");
            Now = Instant.Max(Now, next);
            Take(ResolutionDeadlines.OverdueAt(Market, Resolution) is { } due && due <= Now ? MarketDecider.Freeze(new FreezeOverdue(Now), Market, Resolution) : Ask(new AdvanceResolution(Rain, Now)));
        }

        Now = until;
    }

    public void Plan() => Take(SettlementDecider.Plan(new PlanSettlement(Rain, null, Now), Resolution, Settlement, _pool).On(Rain.Resolution));

    private Decision<StreamEvent> Take(Decision<StreamEvent> decision)
    {
        foreach (var written in decision.Events)
        {
            Events.Add(written);
            switch (written.Event)
            {
                case AccountEvent e:
                    var id = new AccountId(written.Stream.Key);
                    _accounts[id] = Account.Evolve(_accounts[id], e);
                    _granted += e is CreditsGranted grant ? (decimal)grant.Amount.Units / Decimal8.One : 0;
                    break;
                case MarketEvent e:
                    Market = Market.Evolve(Market, e);
                    break;
                case OracleEvent e:
                    Oracle = OracleFeed.Evolve(Oracle, e);
                    break;
                default:
                    Resolution = MarketResolution.Fold.Apply(Resolution, written.Event);
                    Settlement = MarketSettlement.Fold.Apply(Settlement, written.Event);
                    break;
            }
        }

        var held = _accounts.Values.OfType<Account.Open>().Sum(account => (decimal)account.Balance.Units) + Resolution.BondUnits;
        Assert.Equal(_granted, held / Decimal8.One);
        return decision;
    }
}

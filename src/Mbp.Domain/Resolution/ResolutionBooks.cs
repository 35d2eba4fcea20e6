using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution.Oracle;
using Mbp.Domain.Settlement;
using Mbp.Domain.Trading;
using Mbp.Ledger;
using Mbp.Ledger.Writing;
using NodaTime;

namespace Mbp.Domain.Resolution;

/// <summary>Everything that a step of a resolution is decided over.</summary>
/// <param name="Market">The market.</param>
/// <param name="Resolution">How far it is.</param>
/// <param name="Pool">Who holds a position in it.</param>
public sealed record ResolutionBooks(Market Market, MarketResolution Resolution, Pool Pool)
{
    public MarketSettlement Settlement { get; init; } = MarketSettlement.Initial;

    /// <summary>The truth table that the market names.</summary>
    public TruthTable Truth { get; init; } = TruthTable.Initial;

    /// <summary>The sources' feed, and whose it is.</summary>
    public OracleFeed Oracle { get; init; } = OracleFeed.Initial;

    /// <summary>The rule set whose feed that is; the caller chose it before the decision.</summary>
    public string OracleOf { get; init; } = "";

    /// <summary>Who has a bond in an open dispute, or wants to; null = nobody that the caller knew of.</summary>
    public AccountId? Disputer { get; init; }

    public Account DisputerAccount { get; init; } = Account.Initial;

    /// <summary>The platform's resolution account, which defends a value.</summary>
    public Account Desk { get; init; } = Account.Initial;

    public Account Insurance { get; init; } = Account.Initial;

    /// <summary>The rules in force; the first ones for a market from before there were any.</summary>
    public Ruleset Rules => (Market.Policy() ?? FirstRulesets.Default).Rules;

    /// <summary>How long a determined value can be disputed.</summary>
    public Duration DisputeWindow => Duration.FromMinutes(Rules.Resolution.DisputeWindowMinutes);
}

/// <summary>The operation behind a step of a resolution: everything that <see cref="ResolutionDecider"/> reads.</summary>
public static class ResolutionOperation
{
    private static readonly StateRef<Account> Desk = Account.Fold.Of(AccountId.ResolutionDesk.Stream);
    private static readonly StateRef<Account> Insurance = Account.Fold.Of(AccountId.Insurance.Stream);

    /// <param name="id">The market.</param>
    /// <param name="market">What is known of it by now: where its truth is, and whose rules hold.</param>
    /// <param name="disputer">Whose bond may move; null = nobody's.</param>
    /// <param name="command">The command at the ledger's time.</param>
    public static Operation Of(MarketId id, Market market, AccountId? disputer, Func<Instant, ResolutionCommand> command)
    {
        var rules = market.Policy()?.Rules.Name ?? "none";
        var (lifecycle, pool, resolution, settlement) = (
            Market.Fold.Of(id.Stream), Pool.Fold.Of(id.Stream), MarketResolution.Fold.Of(id.Resolution), MarketSettlement.Fold.Of(id.Resolution));
        var (truth, oracle) = (TruthTable.Fold.Of(TruthTable.StreamOf(TruthTable.NameIn(market.Terms()?.TruthRef) ?? "none")), OracleFeed.Fold.Of(OracleFeed.StreamOf(rules)));
        var account = disputer is { } by ? Account.Fold.Of(by.Stream) : Desk;
        return Operation.On(
            [lifecycle, pool, resolution, settlement, truth, oracle, account, Desk, Insurance],
            (read, at) => ResolutionDecider.Decide(
                command(at),
                new ResolutionBooks(read.Get(lifecycle), read.Get(resolution), read.Get(pool))
                {
                    Settlement = read.Get(settlement), Truth = read.Get(truth), Oracle = read.Get(oracle), OracleOf = rules,
                    Disputer = disputer, DisputerAccount = read.Get(account), Desk = read.Get(Desk), Insurance = read.Get(Insurance),
                }));
    }
}

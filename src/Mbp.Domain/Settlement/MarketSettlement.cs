using System.Text.Json.Serialization;
using Mbp.Domain.Units;
using Mbp.Ledger;

namespace Mbp.Domain.Settlement;

/// <summary>How far a finished market is paid out. It reads the same stream as the resolution, from its end on.</summary>
[JsonDerivedType(typeof(NotPlanned), "not_planned")]
[JsonDerivedType(typeof(Paying), "paying")]
[JsonDerivedType(typeof(Settled), "settled")]
public abstract record MarketSettlement
{
    private MarketSettlement()
    {
    }

    public static MarketSettlement Initial { get; } = new NotPlanned();

    public static readonly Fold<MarketSettlement> Fold = new(
        "settlement", 1, Initial, (settlement, @event) => @event is SettlementEvent e ? Evolve(settlement, e) : settlement, snapshotEvery: 1_000);

    public sealed record NotPlanned : MarketSettlement;

    /// <param name="Plan">What is to be paid.</param>
    /// <param name="Done">How many payouts are made; they go in the plan's order.</param>
    /// <param name="Paid">Their sum.</param>
    public sealed record Paying(SettlementPlanned Plan, int Done, Credits Paid) : MarketSettlement;

    public sealed record Settled(MarketSettled Result) : MarketSettlement;

    public static MarketSettlement Evolve(MarketSettlement settlement, SettlementEvent @event) => (settlement, @event) switch
    {
        (NotPlanned, SettlementPlanned e) => new Paying(e, Done: 0, Credits.Zero),
        (Paying paying, PayoutRecorded e) => paying with { Done = paying.Done + 1, Paid = paying.Paid + e.Amount },
        (Paying, MarketSettled e) => new Settled(e),
        _ => throw new InvalidOperationException($"{@event.GetType().Name} cannot follow {settlement.GetType().Name}."),
    };
}

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

    /// <param name="Result">What was paid first.</param>
    /// <param name="Corrections">What was made of it since; null = nothing.</param>
    public sealed record Settled(MarketSettled Result, Corrections? Corrections = null) : MarketSettlement
    {
        /// <summary>What the market has paid, less what it got back.</summary>
        [JsonIgnore]
        public Credits Paid => Corrections?.Paid ?? Result.Paid;

        /// <summary>What rounding leaves of the locked cash, by the last plan that was paid to the end.</summary>
        [JsonIgnore]
        public Credits Dust => Corrections?.Rest?.Dust ?? Result.Dust;

        /// <summary>What rounding leaves of the fees by it.</summary>
        [JsonIgnore]
        public Credits FeeDust => Corrections?.Rest?.FeeDust ?? Result.FeeDust;

        /// <summary>The cash that the market still holds, in units: dust, and in the middle of a correction what was given back and not paid out yet.</summary>
        [JsonIgnore]
        public long HeldUnits => Result.Locked.Units + Result.Fees.Units - Paid.Units;

        /// <summary>A correction that is approved and not posted to the end.</summary>
        [JsonIgnore]
        public CorrectionStep.Posting? Posting => Corrections?.Step as CorrectionStep.Posting;
    }

    public static MarketSettlement Evolve(MarketSettlement settlement, SettlementEvent @event) => (settlement, @event) switch
    {
        (NotPlanned, SettlementPlanned e) => new Paying(e, Done: 0, Credits.Zero),
        (Paying paying, PayoutRecorded e) => paying with { Done = paying.Done + 1, Paid = paying.Paid + e.Amount },
        (Paying, MarketSettled e) => new Settled(e),
        (Settled settled, SettlementCorrectionProposed or SettlementCorrected or PayoutCorrected or SettlementCorrectionDone) =>
            settled with { Corrections = Corrections.Evolve(settled.Corrections ?? Corrections.None(settled.Result), @event) },
        _ => throw new InvalidOperationException($"{@event.GetType().Name} cannot follow {settlement.GetType().Name}."),
    };
}

using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Policies.Golden;

/// <summary>Kinds <c>dispute</c> and <c>sla</c>: what can be done how long after a market closed, or its value was determined. Every step is asked by itself.</summary>
internal static class TimeCases
{
    public static string? Dispute(GoldenCase test, Policy policy)
    {
        var ledger = Closed(policy);
        foreach (var command in (ResolutionCommand[])
        [
            new StartResolution(GoldenLedger.Id, "op-1", GoldenCase.Start),
            new ProposeManually(GoldenLedger.Id, "YES", "https://example.org/evidence", "op-1", GoldenCase.Start),
            new ApproveManually(GoldenLedger.Id, "op-2", GoldenCase.Start),
        ])
        {
            ledger.Take(Decide(ledger, command));
        }

        return FirstDifference(test, at => ledger.Market.Resolution is MarketResolution.Finished
            ? "final"
            : Decide(ledger, new AdvanceResolution(GoldenLedger.Id, at)).Events.Any(e => e.Event is ResolutionFinished) ? "final" : "not_yet");
    }

    public static string? Sla(GoldenCase test, Policy policy)
    {
        var ledger = Closed(policy);
        return FirstDifference(test, at =>
            MarketDecider.Freeze(new FreezeOverdue(at), ledger.Market.Market, ledger.Market.Resolution).Events.IsEmpty ? "not_yet" : "frozen");
    }

    private static GoldenLedger Closed(Policy policy)
    {
        var ledger = new GoldenLedger(policy, "binary", Credits.FromUnits(1_000 * Decimal8.One), []);
        ledger.Take(MarketDecider.Close(new CloseMarket("golden", GoldenCase.Start), ledger.Market.Market, ledger.Market.LastDay).On(GoldenLedger.Id.Stream));
        return ledger;
    }

    private static Mbp.Ledger.Decision<Mbp.Ledger.StreamEvent> Decide(GoldenLedger ledger, ResolutionCommand command) =>
        ResolutionDecider.Decide(command, new ResolutionBooks(ledger.Market.Market, ledger.Market.Resolution, ledger.Market.Pool));

    private static string? FirstDifference(GoldenCase test, Func<Instant, string> answer)
    {
        foreach (var step in test.Rows("steps", 2))
        {
            if (answer(step.At(0)) is var found && found != step[1])
            {
                return $"line {step.Line}: expected {step[1]}, got {found}";
            }
        }

        return null;
    }
}

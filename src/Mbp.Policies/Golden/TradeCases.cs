using System.Globalization;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Units;

namespace Mbp.Policies.Golden;

/// <summary>Kind <c>trades</c>: trades and changes of liquidity in a market, one after another, and the answer to each.</summary>
internal static class TradeCases
{
    private const string Accepted = "accept";

    public static string? Difference(GoldenCase test, Policy policy)
    {
        var prices = test.OptionalText("probabilities") is { } several ? several.Split(',', StringSplitOptions.TrimEntries)
            : test.OptionalText("probability") is { } first ? [first, (1 - decimal.Parse(first, CultureInfo.InvariantCulture)).ToString(CultureInfo.InvariantCulture)]
            : [];
        var (kind, liquidity, refused) = (test.Text("market"), Parse<Credits>(test.Text("liquidity")), test.OptionalText("opening"));
        if (refused is not null)
        {
            var found = GoldenLedger.Opening(policy, kind, liquidity, [.. prices.Select(Parse<Price>)]);
            return found == refused ? null : $"line {test.Line}: expected the opening to be refused with {refused}, got {found ?? Accepted}";
        }

        var ledger = new GoldenLedger(policy, kind, liquidity, [.. prices.Select(Parse<Price>)]);
        if (test.OptionalText("halted") is { } level)
        {
            ledger.Take(MarketDecider.Decider.Decide(
                new HaltMarket(Enum.Parse<HaltLevel>(level, ignoreCase: true), "golden", GoldenCase.Start), ledger.Market.Market).On(GoldenLedger.Id.Stream));
        }

        foreach (var step in test.Rows("steps", 6, most: 7))
        {
            // The seventh value: the same step so many times.
            for (var left = step.Values.Count > 6 ? step.Times(6) : 1; left > 0; left--)
            {
                var answer = ledger.Trade(step[1], step[2], step[3], step.Units(4), step.At(0)).Rejection?.Code ?? Accepted;
                if (answer != step[5])
                {
                    return $"line {step.Line}: expected {step[5]}, got {answer}{(left > 1 ? $" with {left - 1} more to go" : "")}";
                }
            }
        }

        return null;
    }

    private static TUnits Parse<TUnits>(string text)
        where TUnits : struct, IUnits<TUnits> =>
        Decimal8.TryParse(text, out var units, out var rule) ? TUnits.FromUnits(units) : throw new FormatException($"'{text}' {rule}");
}

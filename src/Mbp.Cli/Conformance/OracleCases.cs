using System.Globalization;
using System.Numerics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Resolution.Disputes;
using Mbp.Domain.Resolution.Oracle;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Cli.Conformance;

/// <summary>Kinds consensus, failover and bonds (spec D14 to D16).</summary>
internal static class OracleCases
{
    public static JsonObject Vote(JsonObject given)
    {
        var weights = Given.Object(given["weights"], "weights").Select(pair => new VoterWeight(pair.Key, Whole(pair.Value), Whole(pair.Value))).ToList();
        var votes = Given.Array(given, "reports").Select(report => Given.Array(report, "a report")).Select(report => new Vote(Given.Text(report, 0), Given.Text(report, 1)));
        var rule = Given.Text(given, "kind") switch
        {
            "cat" => VoteRule.Words,
            "num" => new VoteRule(text => BigInteger.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture), Given.Whole(given, "tolerance")),
            var other => throw new JsonException($"'{other}' is neither cat nor num"),
        };
        var tally = Consensus.Of(weights, votes, rule);
        return new JsonObject
        {
            ["W"] = Text(tally.Registered),
            ["W_valid"] = Text(tally.Valid),
            ["n_valid"] = Given.Json(tally.Voters),
            ["equivocators"] = new JsonArray([.. tally.Equivocators.Select(id => JsonValue.Create(id))]),
            ["W_agree"] = tally.Agreeing is { } agreeing ? Text(agreeing) : null,
            ["decision"] = tally.Value is null ? "NO_QUORUM" : "DECIDED",
            ["value"] = tally.Value,
            ["reason"] = tally.Reason,
        };
    }

    public static JsonObject Failovers(JsonObject given)
    {
        // The values of the specification (D15).
        var rules = new FailoverRules(FailedRounds: 2, GoodRounds: 3, DwellSeconds: 300);
        var (failover, at, period) = (Failover.Initial, Instant.FromUnixTimeTicks(0), Duration.FromMilliseconds(Given.Units(given, "period_ms")));
        var modes = new JsonArray();
        foreach (var round in Given.Text(given, "rounds"))
        {
            failover = failover.After(round switch { 'O' => true, 'F' => false, _ => throw new JsonException($"round '{round}' is neither O nor F") }, at, rules);
            modes.Add(failover.Mode.ToString());
            at += period;
        }

        return new JsonObject { ["modes"] = modes };
    }

    public static JsonObject Stakes(JsonObject given)
    {
        var first = Credits.FromUnits(Given.Units(given, "base_bond"));
        return new JsonObject
        {
            ["rows"] = new JsonArray([.. Enumerable.Range(1, Given.Count(given, "rounds")).Select(round =>
            {
                var bond = Bonds.OfRound(first, round);
                var (toInsurance, toWinner) = Bonds.Split(bond);
                return new JsonObject
                {
                    ["round"] = Given.Json(round), ["bond_each"] = Given.Json(bond.Units), ["to_insurance"] = Given.Json(toInsurance.Units), ["winner_receives"] = Given.Json(toWinner.Units),
                };
            })]),
        };
    }

    private static BigInteger Whole(JsonNode? node) => node is JsonValue value
        ? BigInteger.Parse(value.ToString(), NumberStyles.None, CultureInfo.InvariantCulture)
        : throw new JsonException("a weight is missing");

    private static JsonValue Text(BigInteger value) => JsonValue.Create(value.ToString(CultureInfo.InvariantCulture));
}

using System.Text.Json;
using System.Text.Json.Nodes;
using Mbp.Domain.Settlement;
using Mbp.Domain.Units;

namespace Mbp.Cli.Conformance;

/// <summary>Kinds settlement and scalar_vector (spec D7).</summary>
internal static class SettlementCases
{
    public static JsonObject Settle(JsonObject given)
    {
        var pool = PoolCases.Run(given, out var result);
        if (!pool.IsOpen)
        {
            throw new JsonException($"the pool cannot be opened: {result["rejected"]}");
        }

        var plan = SettlementPlan.From(pool, new PayoutVector([.. Given.List(given, "vector").Select(units => new Price(units))]));
        result["vector"] = Vector(plan.Vector);
        result["locked"] = Given.Json(plan.Locked.Units);
        result["pool_value"] = Given.Json(plan.PoolValue.Units);
        result["dust"] = Given.Json(plan.Dust.Units);
        result["fee_dust"] = Given.Json(plan.FeeDust.Units);
        var (traders, lp, fees) = (new JsonObject(), new JsonObject(), new JsonObject());
        foreach (var line in plan.Lines)
        {
            traders[line.Account.Value] = Given.Json(line.ForShares.Units);
            if (line is { ForLiquidity: { } liquidity, Fees: { } claim })
            {
                lp[line.Account.Value] = Given.Json(liquidity.Units);
                fees[line.Account.Value] = Given.Json(claim.Units);
            }
        }

        (result["traders"], result["lp"], result["lp_fees"]) = (traders, lp, fees);
        return result;
    }

    public static JsonObject ScalarVector(JsonObject given) => new()
    {
        ["vector"] = Vector(PayoutVector.Scalar(Given.Whole(given, "lower"), Given.Whole(given, "upper"), Given.Whole(given, "value"))),
    };

    private static JsonArray Vector(PayoutVector vector) => Given.Json(vector.Shares, share => share.Units);
}

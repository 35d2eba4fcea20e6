using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Mbp.Domain.Accounts;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using NodaTime;

namespace Mbp.Cli.Conformance;

/// <summary>Cases that open a pool and run operations on it (kinds amm, amm_categorical, and the base of settlement and spread).</summary>
internal static class PoolCases
{
    private static readonly AccountId House = new("house");

    public static JsonObject Amm(JsonObject given)
    {
        var pool = Run(given, out var result);
        result["shares"] = new JsonObject(pool.Holders.Select(pair =>
            KeyValuePair.Create(pair.Key.Value, (JsonNode?)Given.Json(pair.Value.Shares, shares => shares.Units))));
        result["lp"] = new JsonObject(pool.Holders.Where(pair => pair.Value.FeeEntry is not null).Select(pair =>
            KeyValuePair.Create(pair.Key.Value, (JsonNode?)Given.Json(pair.Value.LpShares.Units))));
        return result;
    }

    /// <summary>The pool after all operations, and what each of them did.</summary>
    public static Pool Run(JsonObject given, out JsonObject result)
    {
        result = [];
        var pool = Open(given, out var opened);
        result["init"] = opened;
        if (!pool.IsOpen)
        {
            result["rejected"] = opened["rejected"]?.DeepClone();
            return pool;
        }

        var steps = new JsonArray();
        foreach (var op in Given.Array(given, "ops"))
        {
            var (step, next) = Step(pool, Given.Array(op, "an operation"));
            pool = next;
            steps.Add(step);
        }

        result["steps"] = steps;
        return pool;
    }

    public static Pool Open(JsonObject given, out JsonObject result)
    {
        var names = Enumerable.Range(0, Given.Count(given, "n")).Select(i => i.ToString(CultureInfo.InvariantCulture));
        var empty = Pool.Empty([.. names], Given.Count(given, "fee_ppm"));
        var decision = LiquidityRules.Open(empty, House, new Credits(Given.Units(given, "amount")), [.. Given.List(given, "hint")], default);
        (result, var pool) = Apply(empty, decision);
        return pool;
    }

    private static (JsonObject Step, Pool Pool) Step(Pool pool, JsonArray op)
    {
        var (verb, account) = (Given.Text(op, 0), new AccountId(Given.Text(op, 1)));
        var at = default(Instant);
        switch (verb)
        {
            case "buy":
                return Apply(pool, PoolRules.Buy(pool, "case", account, Given.Text(op, 2), new Credits(Given.Units(op, 3)), MinShares(op), at));
            case "sell":
                // The rules keep a record of everyone who tried to sell, which the ledger, where a refusal is no event, does not.
                var known = pool with { Holders = pool.Holders.SetItem(account, pool.HolderOf(account)) };
                return Apply(known, PoolRules.Sell(known, "case", account, Given.Text(op, 2), new Shares(Given.Units(op, 3)), MinReturn(op), at));
            case "add":
                return Apply(pool, LiquidityRules.Add(pool, account, new Credits(Given.Units(op, 2)), at));
            case "remove":
                return Apply(pool, LiquidityRules.Remove(pool, account, new LpShares(Given.Units(op, 2)), at));
            default:
                throw new JsonException($"the operation '{verb}' is none of buy, sell, add, remove");
        }
    }

    private static Shares? MinShares(JsonArray op) => op.Count > 4 ? new Shares(Given.Units(op, 4)) : null;

    private static Credits? MinReturn(JsonArray op) => op.Count > 4 ? new Credits(Given.Units(op, 4)) : null;

    private static (JsonObject Step, Pool Pool) Apply(Pool pool, Decision<PoolEvent> decision)
    {
        if (decision.Rejection is { } rejection)
        {
            return (new JsonObject { ["rejected"] = Code(rejection), ["state"] = State(pool) }, pool);
        }

        var @event = decision.Events[0];
        var next = Pool.Evolve(pool, @event);
        var step = Fields(@event);
        step["state"] = State(next);
        return (step, next);
    }

    /// <summary><c>trading.reserve_below_min</c> is RESERVE_BELOW_MIN in the rules.</summary>
    internal static string Code(Rejection rejection) => rejection.Code[(rejection.Code.IndexOf('.', StringComparison.Ordinal) + 1)..].ToUpperInvariant();

    private static JsonObject Fields(PoolEvent @event) => @event switch
    {
        TradeExecuted { Side: TradeSide.Buy } e => WithSlippage(e, new JsonObject
        {
            ["fee"] = Given.Json(e.Fee.Units), ["net"] = Given.Json(e.Net.Units), ["shares"] = Given.Json(e.Shares.Units),
        }),
        TradeExecuted e => WithSlippage(e, new JsonObject
        {
            ["gross"] = Given.Json(e.Net.Units), ["fee"] = Given.Json(e.Fee.Units), ["net"] = Given.Json(e.Amount.Units),
        }),
        LiquidityAdded e => new JsonObject
        {
            ["minted"] = Given.Json(e.Minted.Units),
            ["kept"] = Given.Json(e.Kept, shares => shares.Units),
            ["back"] = Given.Json(e.Back, shares => shares.Units),
            ["claimed"] = Given.Json(e.Claimed.Units),
        },
        LiquidityRemoved e => new JsonObject
        {
            ["out"] = Given.Json(e.Out, shares => shares.Units),
            ["merged"] = Given.Json(e.Merged.Units),
            ["left"] = Given.Json(e.Left, shares => shares.Units),
            ["claimed"] = Given.Json(e.Claimed.Units),
        },
        _ => throw new InvalidOperationException($"{@event.GetType().Name} has no fields in a case."),
    };

    private static JsonObject WithSlippage(TradeExecuted e, JsonObject fields)
    {
        if (e.SlippagePpm is { } slippage)
        {
            fields["slippage_ppm"] = Given.Json(slippage);
        }

        return fields;
    }

    private static JsonObject State(Pool pool) => new()
    {
        ["R"] = Given.Json(pool.Reserves, shares => shares.Units),
        ["S"] = Given.Json(pool.Locked.Units),
        ["L"] = Given.Json(pool.LpSupply.Units),
        ["F"] = Given.Json(pool.FeePool.Units),
        ["price_e8"] = Given.Json(pool.Prices, price => price.Units),
    };
}

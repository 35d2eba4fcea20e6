using System.Diagnostics;
using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Host.Abuse;
using Mbp.Host.Platform;
using Microsoft.AspNetCore.Http.HttpResults;
using NodaTime;
using NodaTime.Text;

namespace Mbp.Host.Trading;

internal static class TradeEndpoints
{
    private const int LongestOutcome = 60;

    public static void Map(RouteGroupBuilder v2)
    {
        v2.MapPost("/markets/{id}/trades", TradeAsync).WithName("trade").WithSummary("Buy or sell shares of an outcome");
        v2.MapPost("/markets/{id}/liquidity", LiquidityAsync).WithName("changeLiquidity").WithSummary("Add or remove liquidity");
        v2.MapGet("/markets/{id}/quote", QuoteAsync).WithName("quote").WithSummary("What a trade would do now, or would have done at a past position or time");
    }

    private static async Task<Results<Ok<TradeResponse>, ProblemHttpResult>> TradeAsync(
        string id, TradeRequest request, HttpContext http, Commands commands, RefusalMeter refusals, CancellationToken cancellationToken)
    {
        var (account, denied) = Principal.Of(http).AccountFor(request.Account);
        if (denied is not null)
        {
            return denied;
        }

        var tradeId = Guid.CreateVersion7().ToString("N");
        var (command, problem) = Read(id, request, account, tradeId);
        if (problem is not null)
        {
            return problem;
        }

        using var span = Telemetry.Source.StartActivity("amm.swap", ActivityKind.Internal);
        span?.SetTag("mbp.market", id);
        var outcome = await commands.SendAsync(http, TradeOperation.Of(new MarketId(id), account, command!), request, cancellationToken);
        if (outcome.Rejection is { } rejection)
        {
            Telemetry.Refused(rejection.Code);
            refusals.Count(id, account, rejection);
            return Problems.From(rejection);
        }

        var trade = outcome.Find<TradeExecuted>() ?? throw new InvalidOperationException("A trade was accepted and no trade is there.");
        Telemetry.Trades.Add(1);
        return TypedResults.Ok(new TradeResponse(
            trade.TradeId, outcome.Position, InstantPattern.ExtendedIso.Format(trade.At), Name(trade.Side), trade.Outcome,
            trade.Shares.ToString(), trade.Amount.ToString(), trade.Fee.ToString(), trade.PriceBefore.ToString(), trade.PriceAfter.ToString(), commands.ReceiptOf(outcome)));
    }

    private static async Task<Results<Ok<LiquidityResponse>, ProblemHttpResult>> LiquidityAsync(
        string id, LiquidityRequest request, HttpContext http, Commands commands, RefusalMeter refusals, CancellationToken cancellationToken)
    {
        var (account, denied) = Principal.Of(http).AccountFor(request.Account);
        if (denied is not null)
        {
            return denied;
        }

        var fields = new Fields();
        var market = fields.Market("id", id);
        Func<Instant, TradeCommand> command;
        if (fields.OneOf("op", request.Op, "add", "remove") == "remove")
        {
            fields.Absent("amount", request.Amount, "op 'remove'");
            var lpShares = fields.LpShares("lpShares", request.LpShares);
            command = at => new RemoveLiquidity(market, account, lpShares, at);
        }
        else
        {
            fields.Absent("lpShares", request.LpShares, "op 'add'");
            var amount = fields.Credits("amount", request.Amount);
            command = at => new AddLiquidity(market, account, amount, at);
        }

        if (fields.Problem() is { } problem)
        {
            return problem;
        }

        var outcome = await commands.SendAsync(http, TradeOperation.Of(market, account, command), request, cancellationToken);
        if (outcome.Rejection is { } rejection)
        {
            Telemetry.Refused(rejection.Code);
            refusals.Count(id, account, rejection);
            return Problems.From(rejection);
        }

        return outcome.Find<LiquidityAdded>() is { } added ? TypedResults.Ok(new LiquidityResponse(
                added.Minted.ToString(), Texts(added.Kept), Texts(added.Back), null, null, null, added.Claimed.ToString(), outcome.Position, commands.ReceiptOf(outcome)))
            : outcome.Find<LiquidityRemoved>() is { } removed ? TypedResults.Ok(new LiquidityResponse(
                null, null, null, Texts(removed.Out), removed.Merged.ToString(), Texts(removed.Left), removed.Claimed.ToString(), outcome.Position, commands.ReceiptOf(outcome)))
            : throw new InvalidOperationException("A change of liquidity was accepted and none is there.");
    }

    private static async Task<Results<Ok<QuoteResponse>, ProblemHttpResult>> QuoteAsync(
        string id, HttpContext http, Reads reads, IClock clock, string? side, string? outcome, string? amount, string? shares, CancellationToken cancellationToken)
    {
        using var span = Telemetry.Source.StartActivity("amm.quote", ActivityKind.Internal);
        // The route has one parameter, amount; for a sale it may also be called what it is: shares.
        var request = side == "sell"
            ? new TradeRequest(side, outcome, Shares: shares ?? amount)
            : new TradeRequest(side, outcome, Amount: amount);
        var nobody = new AccountId("quote");
        var (command, problem) = Read(id, request, nobody, tradeId: "quote");
        if (problem is not null)
        {
            return problem;
        }

        var (market, _, missing) = await reads.MarketAsync(http.Request, id, cancellationToken);
        if (missing is not null)
        {
            return missing;
        }

        // A quote holds for anybody, so the seller of the quote holds whatever is asked for.
        var pool = side == "sell" ? WithHolder(market!.Pool, nobody, outcome!) : market!.Pool;
        var change = TradeDecider.Change(command!(clock.GetCurrentInstant()), pool, TradeDecider.Bounds(market.Market.Policy()?.Rules));
        if (change.Rejection is { } rejection)
        {
            return Problems.From(rejection);
        }

        var trade = (TradeExecuted)change.Events[0];
        return TypedResults.Ok(new QuoteResponse(
            side!, trade.Outcome, trade.Shares.ToString(), trade.Amount.ToString(), trade.Fee.ToString(),
            Price.FromUnits((long)((Int128)trade.Net.Units * Decimal8.One / trade.Shares.Units)).ToString(),
            trade.PriceBefore.ToString(), trade.PriceAfter.ToString(), trade.SlippagePpm, market.Position));
    }

    private static Pool WithHolder(Pool pool, AccountId nobody, string outcome)
    {
        if (pool.IndexOf(outcome) is not (>= 0 and var index))
        {
            return pool;
        }

        // As much as can be out there of this outcome: more than that nobody could sell.
        var holder = Holder.None(pool.Outcomes.Count);
        var most = pool.Locked.AsCompleteSets() - pool.Reserves[index];
        return pool with { Holders = pool.Holders.SetItem(nobody, holder with { Shares = holder.Shares.SetItem(index, most) }) };
    }

    private static (Func<Instant, TradeCommand>? Command, ProblemHttpResult? Problem) Read(
        string id, TradeRequest request, AccountId account, string tradeId)
    {
        var fields = new Fields();
        var market = fields.Market("id", id);
        var outcome = fields.Text("outcome", request.Outcome, LongestOutcome);
        Func<Instant, TradeCommand> command;
        if (fields.OneOf("side", request.Side, "buy", "sell") == "sell")
        {
            fields.Absent("amount", request.Amount, "side 'sell'");
            fields.Absent("minShares", request.MinShares, "side 'sell'");
            var shares = fields.Shares("shares", request.Shares);
            var minReturn = fields.OptionalCredits("minReturn", request.MinReturn);
            command = at => new SellShares(market, account, tradeId, outcome, shares, minReturn, at);
        }
        else
        {
            fields.Absent("shares", request.Shares, "side 'buy'");
            fields.Absent("minReturn", request.MinReturn, "side 'buy'");
            var amount = fields.Credits("amount", request.Amount);
            var minShares = fields.OptionalShares("minShares", request.MinShares);
            command = at => new BuyShares(market, account, tradeId, outcome, amount, minShares, at);
        }

        return fields.Problem() is { } problem ? (null, problem) : (command, null);
    }

    private static string Name(TradeSide side) => side == TradeSide.Buy ? "buy" : "sell";

    private static IReadOnlyList<string> Texts(EquatableArray<Shares> shares) => [.. shares.Select(s => s.ToString())];
}

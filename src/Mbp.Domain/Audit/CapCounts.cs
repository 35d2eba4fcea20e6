using System.Numerics;
using Mbp.Domain.Accounts;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Audit;

/// <summary>
/// What the caps of one market rest on (D17), counted from its events alone: the folds that the deciders read could be wrong together with them.
/// </summary>
internal sealed class CapCounts
{
    private static readonly Duration Minute = Duration.FromMinutes(1);

    private readonly Queue<(Instant At, AccountId Account, bool IsTrade)> _recent = [];
    private readonly Dictionary<AccountId, (int Trades, int Changes)> _rates = [];
    private readonly Dictionary<AccountId, (Int128 Traded, Int128 FromLiquidity)> _stakes = [];

    /// <summary>Takes an event, and says where its account stands after it.</summary>
    public CapCount Take(PoolEvent change)
    {
        for (; _recent.TryPeek(out var oldest) && oldest.At <= change.At - Minute; _recent.Dequeue())
        {
            Count(oldest.Account, oldest.IsTrade, -1);
        }

        _recent.Enqueue((change.At, change.Account, change is TradeExecuted));
        var (trades, changes) = Count(change.Account, change is TradeExecuted, 1);
        var (traded, liquid) = _stakes.GetValueOrDefault(change.Account);
        var added = change switch
        {
            LiquidityAdded e => Worth(e.Back, e.Prices),
            LiquidityRemoved e => Worth(e.Left, e.Prices),
            _ => Int128.Zero,
        };
        traded += change switch
        {
            TradeExecuted { Side: TradeSide.Buy } e => e.Amount.Units,
            TradeExecuted e => -e.Amount.Units,
            _ => 0,
        };
        _stakes[change.Account] = (traded, liquid + added);
        return new CapCount(traded, liquid + added, added, trades, changes);
    }

    private (int Trades, int Changes) Count(AccountId account, bool isTrade, int by)
    {
        var (trades, changes) = _rates.GetValueOrDefault(account);
        var now = isTrade ? (trades + by, changes) : (trades, changes + by);
        if (now == (0, 0))
        {
            _rates.Remove(account);
        }
        else
        {
            _rates[account] = now;
        }

        return now;
    }

    private static Int128 Worth(EquatableArray<Shares> shares, EquatableArray<Price> prices)
    {
        var sum = BigInteger.Zero;
        for (var o = 0; o < shares.Count; o++)
        {
            sum += (BigInteger)shares[o].Units * prices[o].Units;
        }

        return (Int128)((sum + Decimal8.One - 1) / Decimal8.One);
    }
}

/// <summary>Where an account stands after an event.</summary>
/// <param name="Traded">Cash paid less cash received by trades.</param>
/// <param name="FromLiquidity">What its shares from liquidity were worth.</param>
/// <param name="Added">What this event added to that.</param>
/// <param name="Trades">Its trades within a minute, this one included.</param>
/// <param name="Changes">Its changes of liquidity.</param>
internal readonly record struct CapCount(Int128 Traded, Int128 FromLiquidity, Int128 Added, int Trades, int Changes);

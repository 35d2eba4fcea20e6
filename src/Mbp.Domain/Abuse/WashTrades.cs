using Mbp.Domain.Accounts;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;

namespace Mbp.Domain.Abuse;

/// <summary>Trades that were paired with opposite ones.</summary>
/// <param name="Pairs">How many pairs.</param>
/// <param name="Accounts">Who traded in them, the most active first.</param>
/// <param name="Turnover">The cash of the paired trades.</param>
/// <param name="AllTurnover">The cash of all trades in the window.</param>
/// <param name="FirstVersion">The version of the first paired trade in the market's stream.</param>
/// <param name="LastVersion">Of the last.</param>
internal sealed record WashFinding(int Pairs, IReadOnlyList<AccountId> Accounts, Credits Turnover, Credits AllTurnover, long FirstVersion, long LastVersion)
{
    /// <summary>Whether they are half of everything that was traded.</summary>
    public bool IsMost => (Int128)Turnover.Units * 2 >= AllTurnover.Units;
}

/// <summary>
/// Looks for wash trades, by one account or in a ring: only accounts count whose buys and sales of an outcome nearly cancel out within the window,
/// and among their trades those pairs whose shares are nearly the same. Honest traders who change their mind are few and do not meet one another's
/// sizes; the number of pairs tells them from a ring.
/// </summary>
internal static class WashTrades
{
    // What is left of a position may be a fifth of what was traded.
    private const int NetPerTurnover = 5;

    private const int BasisPoints = 10_000;

    public static WashFinding? In(IReadOnlyList<TradeMark> marks, WashRule rule)
    {
        var (pairs, paired, turnover) = (0, new Dictionary<AccountId, int>(), (Int128)0);
        var (first, last) = (long.MaxValue, 0L);
        foreach (var outcome in marks.GroupBy(mark => mark.Outcome, StringComparer.Ordinal))
        {
            var turning = outcome.GroupBy(mark => mark.Account).Where(CancelsOut).Select(own => own.Key).ToHashSet();
            var open = new LinkedList<TradeMark>();
            foreach (var mark in outcome.Where(mark => turning.Contains(mark.Account)))
            {
                if (Opposite(open, mark, rule) is not { } other)
                {
                    open.AddLast(mark);
                    continue;
                }

                open.Remove(other);
                pairs++;
                turnover += (Int128)mark.Amount.Units + other.Value.Amount.Units;
                (first, last) = (Math.Min(first, other.Value.Version), Math.Max(last, mark.Version));
                foreach (var account in new[] { mark.Account, other.Value.Account })
                {
                    paired[account] = paired.GetValueOrDefault(account) + 1;
                }
            }
        }

        return pairs < rule.Pairs
            ? null
            : new WashFinding(
                pairs, [.. paired.OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key.Value, StringComparer.Ordinal).Select(pair => pair.Key)],
                Cash(turnover), Cash(marks.Aggregate((Int128)0, (sum, mark) => sum + mark.Amount.Units)), first, last);
    }

    private static bool CancelsOut(IEnumerable<TradeMark> own)
    {
        var (bought, sold) = ((Int128)0, (Int128)0);
        foreach (var mark in own)
        {
            var shares = mark.Shares.Units;
            (bought, sold) = mark.Side == TradeSide.Buy ? (bought + shares, sold) : (bought, sold + shares);
        }

        return bought > 0 && sold > 0 && Int128.Abs(bought - sold) * NetPerTurnover <= bought + sold;
    }

    private static LinkedListNode<TradeMark>? Opposite(LinkedList<TradeMark> open, TradeMark mark, WashRule rule)
    {
        for (var node = open.First; node is not null; node = node.Next)
        {
            var other = node.Value;
            var larger = Math.Max(other.Shares.Units, mark.Shares.Units);
            if (other.Side != mark.Side && Int128.Abs((Int128)other.Shares.Units - mark.Shares.Units) * BasisPoints <= (Int128)larger * rule.ToleranceBps)
            {
                return node;
            }
        }

        return null;
    }

    private static Credits Cash(Int128 units) => new((long)Int128.Min(units, Decimal8.Max));
}

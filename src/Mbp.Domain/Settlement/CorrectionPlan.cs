using Mbp.Domain.Accounts;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;

namespace Mbp.Domain.Settlement;

/// <summary>An account that was paid something else than it is due.</summary>
public readonly record struct CorrectionLine(AccountId Account, Credits Before, Credits Due)
{
    public bool GivesBack => Due < Before;

    public Credits Difference => GivesBack ? Before - Due : Due - Before;
}

/// <summary>
/// What has to be posted so that a settled market has paid by another value: the difference of two plans of one pool. Those who give back come first,
/// so that nothing is paid that the market does not hold; within each half in ordinal order of ids.
/// </summary>
public sealed class CorrectionPlan
{
    private CorrectionPlan(SettlementPlan before, SettlementPlan after, CorrectionLine[] lines)
    {
        (Before, After, Lines) = (before, after, lines);
        foreach (var line in lines)
        {
            (Back, More) = line.GivesBack ? (Back + line.Difference, More) : (Back, More + line.Difference);
        }
    }

    /// <summary>The plan that was paid.</summary>
    public SettlementPlan Before { get; }

    /// <summary>The plan that should have been.</summary>
    public SettlementPlan After { get; }

    public IReadOnlyList<CorrectionLine> Lines { get; }

    /// <summary>What those who were paid too much owe together.</summary>
    public Credits Back { get; }

    /// <summary>What those who were paid too little are due together.</summary>
    public Credits More { get; }

    public static CorrectionPlan From(Pool pool, PayoutVector before, PayoutVector after)
    {
        var (was, now) = (SettlementPlan.From(pool, before), SettlementPlan.From(pool, after));
        // Both have a line for every holder of the one pool, in the same order.
        var lines = was.Lines.Zip(now.Lines, (a, b) => new CorrectionLine(a.Account, a.Total(), b.Total())).Where(line => line.Before != line.Due).ToList();
        return new CorrectionPlan(was, now, [.. lines.Where(line => line.GivesBack), .. lines.Where(line => !line.GivesBack)]);
    }

    /// <summary>How much of what is owed the debtors do not have.</summary>
    /// <param name="balance">What an account has at its disposal.</param>
    public Credits ShortfallBy(Func<AccountId, Credits> balance)
    {
        ArgumentNullException.ThrowIfNull(balance);
        var sum = Credits.Zero;
        foreach (var line in Lines)
        {
            if (line.GivesBack && balance(line.Account) is var has && has < line.Difference)
            {
                sum = sum + line.Difference - has;
            }
        }

        return sum;
    }
}

using System.Numerics;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Units;

namespace Mbp.Domain.Resolution.Disputes;

/// <summary>What each side of a dispute puts at stake, and where it goes (spec D16). Exact: what goes in comes out.</summary>
public static class Bonds
{
    /// <summary>The first round's: the least bond, or a share of the market's complete sets, rounded up.</summary>
    public static Credits Base(Credits locked, DisputeRules rules)
    {
        ArgumentNullException.ThrowIfNull(rules);
        return Credits.FromUnits(Math.Max(rules.MinBond.Units, (long)(((Int128)locked.Units * rules.BondPpm + 999_999) / 1_000_000)));
    }

    /// <summary>Round r: 2^(r-1) times the first one's, from each side.</summary>
    /// <exception cref="OverflowException">It outgrows what an account can hold.</exception>
    public static Credits OfRound(Credits @base, int round)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(round, 1);
        return Credits.FromUnits((long)((BigInteger)@base.Units << (round - 1)));
    }

    /// <summary>Half of the loser's bond, rounded down, insures the platform; the rest goes to the winner, who also gets the own bond back.</summary>
    public static (Credits ToInsurance, Credits ToWinner) Split(Credits bond)
    {
        var insurance = Credits.FromUnits(bond.Units / 2);
        return (insurance, bond + (bond - insurance));
    }
}

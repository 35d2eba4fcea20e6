using System.Numerics;
using Mbp.Domain.Units;

namespace Mbp.Domain.Resolution.Oracle;

/// <summary>Somebody's weight in a vote.</summary>
/// <param name="Id">Who.</param>
/// <param name="Registered">What a quorum is measured against.</param>
/// <param name="Counts">What its word counts now: at most as much.</param>
public readonly record struct VoterWeight(string Id, BigInteger Registered, BigInteger Counts);

/// <summary>One thing that somebody said.</summary>
public readonly record struct Vote(string Id, string Value);

/// <summary>How values are compared: as words, or as numbers that agree within a tolerance.</summary>
/// <param name="Number">Reads a number in units; null for words, and in a vote on numbers for what is none.</param>
/// <param name="Tolerance">Numbers that are no further apart agree.</param>
public sealed record VoteRule(Func<string, BigInteger?> Number, BigInteger Tolerance)
{
    /// <summary>Values agree where they are the same word.</summary>
    public static VoteRule Words { get; } = new(_ => null, BigInteger.Zero);
}

/// <summary>What a vote came to (spec part 2, D14).</summary>
/// <param name="Registered">W: all registered weight.</param>
/// <param name="Valid">W_valid: the weight of those whose word counts.</param>
/// <param name="Voters">n_valid: how many they are.</param>
/// <param name="Equivocators">Who said two different things, in ordinal order: none of it counts.</param>
/// <param name="Agreeing">W_agree: the weight behind the value that has most; null where too few took part.</param>
/// <param name="Value">The value, where there is a quorum.</param>
/// <param name="Reason">Why there is none: <c>participation</c> or <c>agreement</c>.</param>
public sealed record Tally(
    BigInteger Registered, BigInteger Valid, int Voters, EquatableArray<string> Equivocators, BigInteger? Agreeing, string? Value, string? Reason)
{
    /// <summary>Whether nothing that others may still say can change it: two thirds of all weight agree.</summary>
    public bool IsCertain => Value is not null && 3 * Agreeing >= 2 * Registered;
}

/// <summary>
/// Quorum by weight (spec part 2, D14): at least three voters with two thirds of all weight took part, and more than half of all weight and two thirds
/// of what took part agree.
/// </summary>
public static class Consensus
{
    private const int LeastVoters = 3;

    /// <param name="weights">Everybody who may vote.</param>
    /// <param name="votes">What was said, in order. Of one voter the first counts, a repeat is dropped, and a different one takes the voter's word away.</param>
    /// <param name="rule">How values are compared.</param>
    public static Tally Of(IReadOnlyList<VoterWeight> weights, IEnumerable<Vote> votes, VoteRule rule)
    {
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(votes);
        ArgumentNullException.ThrowIfNull(rule);
        var all = Sum(weights.Select(weight => weight.Registered));
        var known = weights.ToDictionary(weight => weight.Id, StringComparer.Ordinal);
        var (said, equivocators) = (new Dictionary<string, string>(StringComparer.Ordinal), new SortedSet<string>(StringComparer.Ordinal));
        foreach (var vote in votes.Where(vote => known.ContainsKey(vote.Id)))
        {
            if (!said.TryAdd(vote.Id, vote.Value) && said[vote.Id] != vote.Value)
            {
                equivocators.Add(vote.Id);
            }
        }

        var valid = said.Where(pair => !equivocators.Contains(pair.Key)).Select(pair => new Weighed(pair.Key, pair.Value, rule.Number(pair.Value), known[pair.Key].Counts)).ToList();
        var weight = Sum(valid.Select(one => one.Weight));
        var tally = new Tally(all, weight, valid.Count, [.. equivocators], null, null, null);
        if (valid.Count < LeastVoters || 3 * weight < 2 * all)
        {
            return tally with { Reason = "participation" };
        }

        var (value, agreeing) = Heaviest(valid, rule.Tolerance);
        var isDecided = 2 * agreeing > all && 3 * agreeing >= 2 * weight;
        return tally with { Agreeing = agreeing, Value = isDecided ? value : null, Reason = isDecided ? null : "agreement" };
    }

    /// <summary>
    /// Words: the one with the greatest weight, ties to the ordinally lowest. Numbers: the lower weighted median, and who is near it. In a vote on numbers a
    /// word such as INVALID stands against the median: the heavier of the two leads.
    /// </summary>
    private static (string Value, BigInteger Agreeing) Heaviest(List<Weighed> valid, BigInteger tolerance)
    {
        (string Value, BigInteger Agreeing)? word = null;
        foreach (var group in valid.Where(one => one.Number is null).GroupBy(one => one.Value, StringComparer.Ordinal).OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            var weight = Sum(group.Select(one => one.Weight));
            word = word is { } best && best.Agreeing >= weight ? best : (group.Key, weight);
        }

        var numbers = valid.Where(one => one.Number is not null).OrderBy(one => one.Number).ThenBy(one => one.Id, StringComparer.Ordinal).ToList();
        if (numbers.Count == 0)
        {
            return word!.Value;
        }

        var (all, cumulated) = (Sum(numbers.Select(one => one.Weight)), BigInteger.Zero);
        var median = numbers.First(one => 2 * (cumulated += one.Weight) >= all);
        var near = Sum(numbers.Where(one => BigInteger.Abs(one.Number!.Value - median.Number!.Value) <= tolerance).Select(one => one.Weight));
        return word is { } said && said.Agreeing > near ? said : (median.Value, near);
    }

    private static BigInteger Sum(IEnumerable<BigInteger> weights) => weights.Aggregate(BigInteger.Zero, (sum, weight) => sum + weight);

    private sealed record Weighed(string Id, string Value, BigInteger? Number, BigInteger Weight);
}

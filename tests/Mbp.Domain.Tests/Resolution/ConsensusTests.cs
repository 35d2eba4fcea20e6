using System.Numerics;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Resolution.Disputes;
using Mbp.Domain.Resolution.Oracle;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Tests.Resolution;

/// <summary>D14 to D16, each limit on both sides.</summary>
public sealed class ConsensusTests
{
    private static readonly VoteRule Numbers = new(text => BigInteger.TryParse(text, out var number) ? number : null, 2);

    private static Tally Of(VoteRule rule, params (string Id, int Weight, string? Said)[] voters) => Consensus.Of(
        [.. voters.Select(v => new VoterWeight(v.Id, v.Weight, v.Weight))], voters.Where(v => v.Said is not null).Select(v => new Vote(v.Id, v.Said!)), rule);

    [Fact]
    public void Two_thirds_must_take_part_and_three_at_least()
    {
        Assert.Equal("participation", Of(VoteRule.Words, ("a", 3, "YES"), ("b", 3, "YES")).Reason);
        Assert.Equal("participation", Of(VoteRule.Words, ("a", 1, "YES"), ("b", 1, "YES"), ("c", 1, "YES"), ("d", 2, null)).Reason);
        Assert.Equal("YES", Of(VoteRule.Words, ("a", 1, "YES"), ("b", 1, "YES"), ("c", 2, "YES"), ("d", 2, null)).Value);
    }

    [Fact]
    public void More_than_half_of_all_and_two_thirds_of_those_who_took_part_must_agree()
    {
        // 4 of 8 is not more than half, though two thirds of the six that took part.
        Assert.Equal("agreement", Of(VoteRule.Words, ("a", 2, "YES"), ("b", 2, "YES"), ("c", 2, "NO"), ("d", 2, null)).Reason);
        Assert.Equal("YES", Of(VoteRule.Words, ("a", 2, "YES"), ("b", 2, "YES"), ("c", 2, "NO")).Value);
        Assert.Equal("agreement", Of(VoteRule.Words, ("a", 2, "YES"), ("b", 2, "YES"), ("c", 2, "NO"), ("d", 1, "NO")).Reason);
        var even = Of(VoteRule.Words, ("a", 1, "YES"), ("b", 1, "NO"), ("c", 1, "MAYBE"));
        Assert.Equal((BigInteger.One, null), (even.Agreeing, even.Value));
    }

    [Fact]
    public void Numbers_meet_at_the_lower_weighted_median_within_the_tolerance()
    {
        Assert.Equal("10", Of(Numbers, ("a", 1, "10"), ("b", 1, "12"), ("c", 1, "90"), ("d", 1, "9")).Value);
        Assert.Equal("agreement", Of(Numbers, ("a", 1, "10"), ("b", 1, "13"), ("c", 1, "90")).Reason);
        // A word stands against the numbers.
        Assert.Equal("INVALID", Of(Numbers, ("a", 2, "INVALID"), ("b", 2, "INVALID"), ("c", 1, "10")).Value);
        Assert.Equal("10", Of(Numbers, ("a", 2, "10"), ("b", 2, "10"), ("c", 1, "INVALID")).Value);
    }

    [Fact]
    public void Who_says_two_things_says_nothing_and_a_stranger_does_not_count()
    {
        var tally = Consensus.Of(
            [new("a", 1, 1), new("b", 1, 1), new("c", 1, 1), new("d", 1, 1)],
            [new("b", "NO"), new("a", "YES"), new("b", "YES"), new("b", "NO"), new("c", "YES"), new("x", "NO"), new("d", "YES"), new("a", "YES")], VoteRule.Words);
        Assert.Equal(("YES", 3, true), (tally.Value, tally.Voters, tally.Equivocators == ["b"]));
        Assert.True(tally.IsCertain);
    }

    [Fact]
    public void A_lost_reputation_takes_away_from_what_counts_and_never_adds()
    {
        VoterWeight[] weights = [new("a", 4, 1), new("b", 4, 4), new("c", 4, 4)];
        var tally = Consensus.Of(weights, [new("a", "YES"), new("b", "YES"), new("c", "NO")], VoteRule.Words);
        Assert.Equal(("agreement", (BigInteger)12, (BigInteger)9, (BigInteger)5), (tally.Reason, tally.Registered, tally.Valid, tally.Agreeing!.Value));

        var (rules, round) = (new ReputationRules(10_000, 400_000, 500_000, 300_000), OracleRound.Open(1, Instant.FromUnixTimeTicks(0)) with
        {
            Reports = [.. new[] { ("a", "YES"), ("b", "NO"), ("c", "YES") }.Select(said => new Mbp.Domain.Resolution.ReportAccepted(1, said.Item1, said.Item2, default, "", "", default))],
            Equivocators = ["c"],
        });
        var feed = OracleFeed.Initial;
        for (var i = 0; i < 3; i++)
        {
            feed = feed.After(new("m"), round, said => said == "YES", rules, default).Aggregate(feed, OracleFeed.Evolve);
        }

        Assert.Equal((OracleFeed.Full, 300_000, 300_000), (feed.ReputationOf("a"), feed.ReputationOf("b"), feed.ReputationOf("c")));
        Assert.Empty(feed.After(new("m"), round with { Reports = [round.Reports[0]] }, said => said == "YES", rules, default));
    }

    [Theory]
    [InlineData("FF", "CF")]
    [InlineData("FOFOF", "CCCCC")]
    [InlineData("FFOOO", "CFFFF")] // Three good rounds, and not yet five minutes.
    [InlineData("FFOOOOOO", "CFFFFFCC")]
    [InlineData("FFOOFOOOOOF", "CFFFFFFCCCC")]
    public void A_feed_fails_over_and_comes_back_with_hysteresis(string rounds, string modes)
    {
        var (failover, seen) = (Failover.Initial, "");
        for (var i = 0; i < rounds.Length; i++)
        {
            failover = failover.After(rounds[i] == 'O', Instant.FromUnixTimeSeconds(i * 60), new FailoverRules(2, 3, 300));
            seen += failover.Mode == FeedMode.Consensus ? 'C' : 'F';
        }

        Assert.Equal(modes, seen);
    }

    [Fact]
    public void Bonds_double_and_nothing_of_them_is_lost()
    {
        var rules = new DisputeRules(Credits.FromUnits(100), 5_000, 4, 6, [], []);
        Assert.Equal(100, Bonds.Base(Credits.FromUnits(20_000), rules).Units);
        Assert.Equal(101, Bonds.Base(Credits.FromUnits(20_001), rules).Units);
        Assert.Equal([101L, 202, 404], Enumerable.Range(1, 3).Select(round => Bonds.OfRound(Credits.FromUnits(101), round).Units));
        Assert.Equal((50L, 152L), (Bonds.Split(Credits.FromUnits(101)).ToInsurance.Units, Bonds.Split(Credits.FromUnits(101)).ToWinner.Units));
        Assert.Throws<OverflowException>(() => Bonds.OfRound(Credits.FromUnits(1L << 40), 30));
    }
}

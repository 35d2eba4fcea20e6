using System.CommandLine;
using System.Globalization;
using Mbp.Cli.Pricing;

namespace Mbp.Domain.Tests.Conformance;

/// <summary><c>mbp twap freeze-check --ruleset</c>: every halt rule over a file of prices.</summary>
public sealed class FreezeLevelsTests
{
    private const string Trades = "data/trades/polymarket-midterms-2022-trades.csv.gz";
    private const string Ticks = "data/prices/btcusd-oracle-ticks-2026-07-24.csv.gz";

    private static readonly DateTimeOffset Noon = new(2025, 9, 10, 12, 0, 0, TimeSpan.Zero);

    /// <summary>Five calm minutes, three samples 3 % away and back; an hour later the price is what a freeze would have left.</summary>
    private static readonly string Spike = Csv((0, "0.5"), (300, "0.515"), (420, "0.5"), (3_600, "0.515"));

    [Fact]
    public void Every_change_of_level_is_written_with_its_rule_and_evidence()
    {
        var (code, rows) = RunOn(Spike, "--ruleset", "default", "--levels", "-");
        Assert.Equal(1, code);
        Assert.Equal(
            [
                "stream,t,from,to,rule,price,twap_5m,divergence,count,held,reopens_at",
                "x,2025-09-10T12:05:00.000Z,none,soft,window,0.51500000,0.50000000,0.03000000,1,false,",
                "x,2025-09-10T12:06:30.000Z,soft,hard,band,0.51500000,0.50450000,0.02081200,3,false,2025-09-10T12:11:30.000Z",
                // The quote back at 12:07 was refused: the price stood at 0.515, and the average came to it.
                "x,2025-09-10T12:11:30.000Z,hard,soft,,0.51500000,0.51500000,0.00000000,,false,",
                "x,2025-09-10T12:20:00.000Z,soft,warn,,0.51500000,0.51500000,0.00000000,,false,",
                "x,2025-09-10T12:25:00.000Z,warn,none,,0.51500000,0.51500000,0.00000000,,false,",
            ],
            rows[..6]);
        Assert.Equal("stream,from,to,days,quotes,refused,warn,soft,hard,r1,r2,hard_per_day,warn_s,soft_s,hard_s,hard_share,reopened,held,frozen_at_end", rows[6]);
        Assert.Equal("x,2025-09-10T12:00:00.000Z,2025-09-10T13:00:00.000Z,0.0416,3,1,0,1,1,0,1,24.0000,300,600,300,0.0833,1,0,0", rows[7]);
    }

    [Fact]
    public void A_rule_set_for_thin_markets_lets_a_step_pass_that_default_freezes()
    {
        Assert.Equal(1, RunOn(Spike, "--ruleset", "default").Code);
        var (code, rows) = RunOn(Spike, "--ruleset", "thin-binary");
        Assert.Equal((0, "0"), (code, rows[1].Split(',')[8]));
        // The two minutes of the requirements' exercise are seen where the move is large.
        Assert.Equal(1, RunOn(Csv((0, "0.5"), (300, "0.65"), (420, "0.5"), (3_600, "0.5")), "--ruleset", "thin-binary").Code);
    }

    [Fact]
    public void A_file_is_a_rule_set_and_its_faults_are_named()
    {
        var file = Path.Combine(Repository.Root, "specs", "policies", "thin-binary", "v1.0.0.yml");
        Assert.Equal(RunOn(Spike, "--ruleset", "thin-binary").Rows, RunOn(Spike, "--ruleset", file).Rows);

        var faulty = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.yml");
        File.WriteAllText(faulty, File.ReadAllText(file).Replace("max_bps: 500", "max_bps: 0", StringComparison.Ordinal));
        var (code, rows) = RunOn(Spike, "--ruleset", faulty);
        File.Delete(faulty);
        Assert.Equal(2, code);
        Assert.Contains("freeze.divergence.max_bps is a whole number from 1 to 10000", Assert.Single(rows), StringComparison.Ordinal);
    }

    [Fact]
    public void A_fifth_freeze_within_24_hours_is_held_until_a_person_comes()
    {
        var spikes = Csv([(0, "0.5"), .. Enumerable.Range(1, 6).Select(i => (i * 7_200, i % 2 == 0 ? "0.5" : "0.52")), (86_000, "0.5")]);
        var (_, rows) = RunOn(spikes, "--ruleset", "default", "--levels", "-");
        var held = Assert.Single(rows, row => row.Contains(",hard,", StringComparison.Ordinal) && row.EndsWith(",true,", StringComparison.Ordinal));
        Assert.Contains("T22:0", held, StringComparison.Ordinal);
        Assert.EndsWith(",4,1,1", rows[^1], StringComparison.Ordinal);

        (_, rows) = RunOn(spikes, "--ruleset", "default", "--levels", "-", "--person-after", "30m");
        // The sixth comes within 24 hours of the first five: held again, and resumed again.
        Assert.Equal(2, rows.Count(row => row.Contains(",hard,none,person,", StringComparison.Ordinal)));
        Assert.EndsWith(",4,2,0", rows[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Each_market_of_a_file_of_trades_is_judged_by_itself_and_each_day_can_be_seen()
    {
        const string Text = "market_id,ts,outcome,price\n"
            + "b,2025-09-10T23:50:00Z,Yes,0.5\na,2025-09-10T23:50:00Z,No,0.4\nb,2025-09-10T23:57:00Z,No,0.4\na,2025-09-11T00:30:00Z,Yes,0.6\nb,2025-09-11T00:30:00Z,Yes,0.6\n";
        var (code, rows) = RunOn(Text, "--ruleset", "default", "--outcome", "Yes", "--by-day");
        Assert.Equal(1, code);
        Assert.Equal(["stream", "a", "a", "a", "b", "b", "b", "all"], rows.Select(row => row.Split(',')[0]));
        // 1 - 0.4 is 0.6: market a never moved.
        Assert.Equal(["0", "0", "0", "1", "1", "0", "1"], rows.Skip(1).Select(row => row.Split(',')[8]));
        Assert.Equal(["2400", "600", "1800"], rows.Skip(4).Take(3).Select(Seconds));
        var hard = rows.Select(row => row.Split(',')[14]).ToArray();
        Assert.Equal(int.Parse(hard[4], CultureInfo.InvariantCulture), int.Parse(hard[5], CultureInfo.InvariantCulture) + int.Parse(hard[6], CultureInfo.InvariantCulture));

        string Seconds(string row) =>
            ((int)(DateTimeOffset.Parse(row.Split(',')[2], CultureInfo.InvariantCulture) - DateTimeOffset.Parse(row.Split(',')[1], CultureInfo.InvariantCulture)).TotalSeconds)
            .ToString(CultureInfo.InvariantCulture);
    }

    [Fact]
    public void A_market_that_rests_for_weeks_is_judged_as_if_every_tick_were_looked_at()
    {
        // The second step comes 30 days and some seconds later, between two ticks.
        var (code, rows) = RunOn(Csv((7, "0.5"), (600, "0.52"), (2_592_041, "0.5")), "--ruleset", "default", "--levels", "-", "--to", "2025-10-10T13:00:00Z");
        Assert.Equal(1, code);
        Assert.Equal(
            ["2025-09-10T12:11:30.000Z", "2025-10-10T12:02:00.000Z"],
            rows.Where(row => row.Contains(",hard,band,", StringComparison.Ordinal)).Select(row => row.Split(',')[1]));
    }

    [Fact]
    public void Prices_of_any_size_are_judged_alike()
    {
        static string[] Levels(string text) => [.. RunOn(text, "--ruleset", "default", "--levels", "-").Rows.Where(row => row.Split(',').Length == 11).Select(row => string.Join(',', row.Split(',')[..5]))];
        var expected = Levels(Spike);
        Assert.Equal(6, expected.Length);
        Assert.Equal(expected, Levels(Csv((0, "500000000000000000000"), (300, "515000000000000000000"), (420, "500000000000000000000"), (3_600, "515000000000000000000"))));
        Assert.Equal(expected, Levels(Csv((0, "65000.123456789012345678"), (300, "66950.127160493"), (420, "65000.1"), (3_600, "66950.127160493"))));
    }

    [Theory]
    [InlineData("--levels", "-")]
    [InlineData("--by-day")]
    [InlineData("--ruleset", "default", "--bps", "50")]
    public void Options_that_do_not_go_together_are_a_usage_error(params string[] arguments) => Assert.NotEqual(0, RunOn(Spike, arguments).Code);

    [Theory]
    [InlineData("ts,price\n2025-09-10T12:00:00Z,-1\n", "default", "is negative")]
    [InlineData("ts,price\n2025-09-10T12:00:00Z,1\n", "nobody", "no built-in rule set 'nobody'")]
    [InlineData("ts,price\n2025-09-10T12:00:00Z,1\n", "replay", "has no halts")]
    [InlineData("ts,price\n2025-09-10T12:00:00Z,1\n", "there/is/none.yml", "none.yml")]
    public void What_cannot_be_judged_is_a_usage_error(string text, string ruleset, string expected)
    {
        var (code, rows) = RunOn(text, "--ruleset", ruleset);
        Assert.Equal(2, code);
        Assert.Contains(expected, Assert.Single(rows), StringComparison.Ordinal);
    }

    /// <summary>docs/freezes.md: the bitcoin feed never froze, the election did, and the thin rule set is what makes the difference bearable.</summary>
    [SharedFileFact(Trades)]
    public void The_figures_of_the_study_are_what_the_data_give()
    {
        string[] election = [Repository.Shared(Trades), "--markets", Repository.Shared("data/trades/polymarket-midterms-2022-markets.csv"), "--person-after", "30m"];
        Assert.Equal(0, Run([Repository.Shared(Ticks), "--ruleset", "default"]).Code);
        Assert.Equal("4654", Run([.. election, "--ruleset", "default"]).Rows[^1].Split(',')[8]);
        Assert.Equal("358", Run([.. election, "--ruleset", "thin-binary"]).Rows[^1].Split(',')[8]);
        Assert.Equal("98", Run([.. election, "--ruleset", "thin-binary", "--to", "2022-11-08T12:00:00Z"]).Rows[^1].Split(',')[8]);
    }

    private static string Csv(params (int Second, string Price)[] quotes) => "ts,price\n" + string.Concat(
        quotes.Select(quote => string.Create(CultureInfo.InvariantCulture, $"{Noon.AddSeconds(quote.Second):yyyy-MM-dd'T'HH:mm:ss'Z'},{quote.Price}\n")));

    private static (int Code, string[] Rows) RunOn(string text, params string[] arguments)
    {
        var folder = Directory.CreateTempSubdirectory();
        var file = Path.Combine(folder.FullName, "x.csv");
        File.WriteAllText(file, text);
        try
        {
            return Run([file, .. arguments]);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static (int Code, string[] Rows) Run(string[] arguments)
    {
        using var output = new StringWriter();
        var code = new RootCommand { TwapVerb.Create() }.Parse(["twap", "freeze-check", .. arguments])
            .Invoke(new InvocationConfiguration { Output = output, Error = output });
        return (code, output.ToString().ReplaceLineEndings("\n").Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }
}

using System.CommandLine;
using Mbp.Cli.Pricing;

namespace Mbp.Domain.Tests.Conformance;

public sealed class TwapVerbTests
{
    private const string Trades = "data/trades/polymarket-midterms-2022-trades.csv.gz";

    private static readonly string[] Nevada =
    [
        Repository.Shared(Trades), "--market", "nevada_senate", "--markets", Repository.Shared("data/trades/polymarket-midterms-2022-markets.csv"),
        "--stream", "pm:nevada_senate", "--from", "2022-11-09T00:00:00Z",
    ];

    [SharedFileFact(Trades)]
    public void The_averages_of_a_real_market_agree_with_the_worked_example()
    {
        var (_, made) = Run("compute", [Nevada[0], "-", .. Nevada[1..], "--to", "2022-11-09T02:00:00Z"]);
        AssertAgree("data/prices/twap-example.csv", 363, made);
    }

    [SharedFileFact(Trades)]
    public void The_freezes_of_a_real_market_agree_with_the_worked_example()
    {
        var (code, made) = Run("freeze-check", [.. Nevada, "--to", "2022-11-09T06:00:00Z"]);
        Assert.Equal(1, code);
        AssertAgree("data/prices/twap-freeze-example.csv", 73, made);
    }

    [Fact]
    public void Decimals_beyond_eight_count_and_the_last_of_equal_times_holds()
    {
        var (code, rows) = RunOn(
            "ts,ignored,price\n2025-09-10T12:00:00Z,x,5\n2025-09-10T12:00:00Z,x,0.000000000006\n2025-09-10T12:00:30.000Z,x,0.000000029994\n2025-09-10T09:01:00-03:00,x,1\n",
            "compute", "-", "--window", "1m");
        Assert.Equal(0, code);
        // (0.000000000006 + 0.000000029994) / 2 is 0.000000015 exactly: one unit and a half.
        Assert.EndsWith(",2025-09-10T12:01:00.000Z,1,0.00000001,1.00000000,60.000,2,true,66666665.66666666", rows[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void One_percent_is_no_breach_and_two_breaches_in_a_row_freeze()
    {
        const string Calm = "ts,price\n2025-09-10T12:00:00Z,100\n2025-09-10T12:01:00Z,101\n2025-09-10T12:02:00Z,100\n2025-09-10T12:03:00Z,99\n2025-09-10T12:04:00Z,100\n2025-09-10T12:05:00Z,101\n";
        var (code, rows) = RunOn(Calm, "freeze-check");
        Assert.Equal(0, code);
        Assert.EndsWith("101.00000000,100.00000000,0.01000000,false,0,1,open", Assert.Single(rows.Skip(1)), StringComparison.Ordinal);

        const string Wild = Calm + "2025-09-10T12:05:00Z,101.0001\n2025-09-10T12:10:00Z,110\n2025-09-10T12:15:00Z,110\n2025-09-10T12:20:00Z,110\n";
        (code, rows) = RunOn(Wild, "freeze-check");
        Assert.Equal(1, code);
        Assert.Equal(["true,1,0,open", "true,2,0,frozen", "false,0,1,frozen", "false,0,2,open"], rows.Skip(1).Select(row => string.Join(',', row.Split(',')[5..])));
        Assert.Equal(0, RunOn(Wild, "freeze-check", "--bps", "1000").Code);
    }

    [Fact]
    public void What_compute_wrote_can_be_judged()
    {
        const string Computed = "stream,t,window_min,twap,last_price,covered_s,points_in_window,carry_in,divergence\n"
            + "x,2025-09-10T12:05:00.000Z,5,100,101,300.000,1,true,0.01\nx,2025-09-10T12:05:00.000Z,1,50,101,60.000,1,true,1\n"
            + "x,2025-09-10T12:10:00.000Z,5,100,101.00000001,300.000,1,true,0.01\nx,2025-09-10T12:15:00.000Z,5,100,98,300.000,1,true,0.02\n";
        var (code, rows) = RunOn(Computed, "freeze-check");
        Assert.Equal(1, code);
        Assert.Equal(["open", "open", "frozen"], rows.Skip(1).Select(row => row.Split(',')[^1]));
    }

    [Theory]
    [InlineData("when,price\n2025-09-10T12:00:00Z,1\n", "has no column 'ts'")]
    [InlineData("ts,price\nyesterday,1\n", "line 2: 'yesterday' is no RFC 3339 time")]
    [InlineData("ts,price\n2025-09-10T12:00:00Z,NaN\n", "line 2: 'NaN' is no decimal number")]
    [InlineData("ts,price\n", "has no such prices")]
    [InlineData("ts,price,market_id\n2025-09-10T12:00:00Z,1,m\n", "--market")]
    public void A_file_that_cannot_be_judged_is_a_usage_error(string text, string expected)
    {
        var (code, rows) = RunOn(text, "freeze-check");
        Assert.Equal(2, code);
        Assert.Contains(expected, Assert.Single(rows), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("freeze-check")]
    [InlineData("freeze-check", "--ruleset", "default")]
    [InlineData("compute", "-")]
    public void A_time_at_the_end_of_all_times_is_a_usage_error(string verb, params string[] options)
    {
        var (code, rows) = RunOn("ts,price\n2025-09-10T12:00:00Z,1\n9999-12-31T23:59:59Z,1\n", verb, options);
        Assert.Equal(2, code);
        Assert.Contains("line 3: '9999-12-31T23:59:59Z' is later than the year 9998", Assert.Single(rows), StringComparison.Ordinal);
        (code, rows) = RunOn("ts,price\n2025-09-10T12:00:00Z,1\n", verb, [.. options, "--to", "9999-12-31T23:59:59Z"]);
        Assert.Equal(2, code);
        Assert.Contains("--to: '9999-12-31T23:59:59Z' is later than the year 9998", Assert.Single(rows), StringComparison.Ordinal);
    }

    private static void AssertAgree(string example, int count, string[] made)
    {
        var expected = File.ReadAllLines(Repository.Shared(example));
        Assert.Equal((count + 1, count + 1), (expected.Length, made.Length));
        // The example has 12 decimals where the product floors to 8.
        Assert.Equal(expected.Select(Cut), made.Select(Cut));
    }

    private static string Cut(string row) => string.Join(',', row.Split(',').Select(field =>
        field.IndexOf('.', StringComparison.Ordinal) is var point and > 0 && field.Length > point + 9 && !field.EndsWith('Z') ? field[..(point + 9)] : field));

    private static (int Code, string[] Rows) RunOn(string text, string verb, params string[] arguments)
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, text);
            return Run(verb, [file, .. arguments]);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static (int Code, string[] Rows) Run(string verb, string[] arguments)
    {
        using var output = new StringWriter();
        var code = new RootCommand { TwapVerb.Create() }.Parse(["twap", verb, .. arguments])
            .Invoke(new InvocationConfiguration { Output = output, Error = output });
        return (code, output.ToString().ReplaceLineEndings("\n").Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }
}

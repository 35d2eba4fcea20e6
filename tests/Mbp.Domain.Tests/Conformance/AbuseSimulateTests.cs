using System.CommandLine;
using System.Text.Json.Nodes;
using Mbp.Cli.Abuse;

namespace Mbp.Domain.Tests.Conformance;

public sealed class AbuseSimulateTests
{
    private static readonly string Sample = Path.Combine(Repository.Root, "docs", "samples", "orders_sample.json");

    [Fact]
    public void The_sample_shows_a_flag_of_every_kind_and_the_refusals_by_rule()
    {
        var (code, text) = Run(Sample, "-");
        Assert.Equal(0, code);
        var report = JsonNode.Parse(text)!;
        Assert.Equal(64, report["policy_hash"]!.GetValue<string>().Length);
        Assert.Equal(
            ["manipulation high limited 2025-09-10T12:11:00Z ring-a,ring-b", "burst high limited 2025-09-10T12:20:30Z ", "rate_limit low alert_only 2025-09-10T12:23:00Z robot"],
            report["flags"]!.AsArray().Select(flag => $"{flag!["kind"]} {flag["severity"]} {flag["action_taken"]} {flag["ts"]} {string.Join(',', flag["accounts"]!.AsArray())}"));
        Assert.Equal(
            ["trading.cooling_down abuse.cooldown 1", "trading.max_trade_rate caps.binary.max_trade_rate 55"],
            report["refusals"]!.AsArray().Select(refusal => $"{refusal!["code"]} {refusal["rule"]} {refusal["count"]}"));
        Assert.Equal(report["orders"]!.GetValue<int>() - 56, report["accepted"]!.GetValue<int>());
        Assert.Equal(text, Run(Sample, "-").Text);
    }

    [Fact]
    public void Names_numbers_and_times_may_be_spelled_in_either_way()
    {
        const string One = """[{"ts":"2025-09-10T12:00:00Z","market":"m","account":"a","side":"buy","outcome":"YES","shares":"10","amount":"5"}]""";
        const string Other = """{"orders":[{"ts":1757505600000,"market_id":"m","user":"a","side":"buy","qty":10,"price":0.5,"note":[1]}]}""";
        Assert.Equal(RunOn(One).Text, RunOn(Other).Text);
    }

    [Fact]
    public void What_happened_counts_even_where_the_rules_refuse_it()
    {
        var orders = "[" + string.Join(',', Enumerable.Range(0, 40).Select(i => $$"""{"ts":{{i * 1000}},"market":"m","account":"a","side":"buy","shares":1,"amount":1}""")) + "]";
        var (refused, happened) = (JsonNode.Parse(RunOn(orders).Text)!, JsonNode.Parse(RunOn(orders, "--happened").Text)!);
        Assert.Equal((30, 40), (refused["accepted"]!.GetValue<int>(), happened["accepted"]!.GetValue<int>()));
        Assert.Equal("10", refused["refusals"]![0]!["count"]!.ToString());
        Assert.Equal("10", happened["refusals"]![0]!["count"]!.ToString());
    }

    [Fact]
    public void Refusals_are_counted_by_the_minute()
    {
        // 30 trades are accepted, then 29 are refused in one minute and 31 in the next: only these are more than 30.
        var orders = Enumerable.Range(0, 30).Select(_ => 59_000).Concat(Enumerable.Repeat(59_999, 29)).Concat(Enumerable.Repeat(60_000, 31))
            .Select(ms => $$"""{"ts":{{ms}},"market":"m","account":"a","side":"buy","shares":1,"amount":1}""");
        var flag = Assert.Single(JsonNode.Parse(RunOn($"[{string.Join(',', orders)}]").Text)!["flags"]!.AsArray());
        Assert.Equal("rate_limit 1970-01-01T00:02:00Z 31 commands refused in the minute, more than 30.", $"{flag!["kind"]} {flag["ts"]} {flag["details"]}");
    }

    [Theory]
    [InlineData("""[{"market":"m"}]""", "order 1: ts is missing")]
    [InlineData("""[{"ts":1,"market":"m","account":"a","side":"buy","shares":1,"amount":1},{"ts":"noon"}]""", "order 2: ts 'noon' is neither")]
    [InlineData("""[{"ts":1,"account":"a","side":"buy","shares":1,"amount":1}]""", "order 1: market is missing")]
    [InlineData("""[{"ts":1,"market":"m","trader":"a b","side":"buy","shares":1,"amount":1}]""", "order 1: account 'a b' is not 1 to 64")]
    [InlineData("""[{"ts":1,"market":"m","account":"a","side":"hold","shares":1,"amount":1}]""", "order 1: side 'hold' is neither buy nor sell")]
    [InlineData("""[{"ts":1,"market":"m","account":"a","side":"buy","qty":-1,"amount":1}]""", "order 1: qty '-1': ")]
    [InlineData("""[{"ts":1,"market":"m","account":"a","side":"buy","qty":1}]""", "order 1: amount is missing, and so is price")]
    [InlineData("""[{"ts":"9999-12-31T23:59:59Z","market":"m","account":"a","side":"buy","shares":1,"amount":1}]""", "order 1: ts '9999-12-31T23:59:59Z' is later than the year 9998")]
    [InlineData("""[{"ts":253402300799999,"market":"m","account":"a","side":"buy","shares":1,"amount":1}]""", "order 1: ts '253402300799999' is later than the year 9998")]
    [InlineData("""[7]""", "order 1: it is no object")]
    [InlineData("""{"trades":[]}""", "is neither a list of orders nor an object")]
    [InlineData("""[""", "is no JSON")]
    public void What_is_wrong_is_named_by_entry_and_field(string text, string expected)
    {
        var (code, said) = RunOn(text);
        Assert.Equal(2, code);
        Assert.Contains(expected, said, StringComparison.Ordinal);
    }

    [Fact]
    public void No_orders_are_no_flags() => Assert.Equal("[]", JsonNode.Parse(RunOn("[]").Text)!["flags"]!.ToJsonString());

    [SharedFileFact("data/trades/polymarket-midterms-2022-trades.csv.gz")]
    public void Ten_months_of_real_trades_raise_few_flags()
    {
        var (code, text) = Run(Repository.Shared("data/trades/polymarket-midterms-2022-trades.csv.gz"), "-", "--happened");
        Assert.Equal(0, code);
        Assert.InRange(JsonNode.Parse(text)!["flags"]!.AsArray().Count, 0, 20);
    }

    private static (int Code, string Text) RunOn(string text, params string[] options)
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, text);
            return Run([file, "-", .. options]);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static (int Code, string Text) Run(params string[] arguments)
    {
        using var output = new StringWriter();
        var code = new RootCommand { AbuseVerb.Create() }.Parse(["abuse", "simulate", .. arguments])
            .Invoke(new InvocationConfiguration { Output = output, Error = output });
        return (code, output.ToString());
    }
}

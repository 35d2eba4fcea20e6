using Mbp.Cli.Conformance;

namespace Mbp.Domain.Tests.Conformance;

public sealed class ConformanceTests
{
    private static readonly string[] Built = ["amm", "settlement", "scalar_vector", "depth", "spread", "twap", "halts", "rate", "rfc6962"];

    [Fact]
    public void The_domain_agrees_with_the_independent_reference()
    {
        var (code, lines) = Run(Path.Combine(Repository.Root, "tests", "Mbp.Domain.Tests", "Reference", "cases.json"));
        Assert.Equal([], lines.Where(line => line.StartsWith("FAIL", StringComparison.Ordinal)));
        Assert.Equal("490 passed, 0 failed", lines[^1]);
        Assert.Equal(0, code);
    }

    [SharedFileFact("spec/conformance-sample.json")]
    public void The_domain_agrees_with_the_sample_of_every_kind_that_is_built_here()
    {
        var (_, lines) = Run(Repository.Shared("spec/conformance-sample.json"));
        Assert.Equal([], lines.Where(line => line.StartsWith("FAIL", StringComparison.Ordinal) && Built.Any(kind => line.StartsWith($"FAIL {kind}", StringComparison.Ordinal))));
        Assert.Equal(20, lines.Count(line => line.StartsWith("ok ", StringComparison.Ordinal) && Built.Any(kind => line.StartsWith($"ok {kind}", StringComparison.Ordinal))));
    }

    [Theory]
    [InlineData("""{"id":"a","kind":"rfc6962","given":{"entries_utf8":[]},"expect":{"root_hex":"00"}}""", "FAIL a: root_hex: expected \"00\", got \"e3b0")]
    [InlineData("""{"id":"a","kind":"prophecy","given":{},"expect":{"x":"1"}}""", "FAIL a: kind 'prophecy' is not built yet")]
    [InlineData("""{"id":"a","kind":"rfc6962","given":{},"expect":{"root_hex":"00"}}""", "FAIL a: malformed case: 'entries_utf8' is not a list")]
    [InlineData("""{"id":"a","kind":"rfc6962","given":{"entries_utf8":[]},"expect":{}}""", "FAIL a: expect is empty")]
    [InlineData("""{"id":"a","kind":"rfc6962","given":{"entries_utf8":[]},"expect":{"height":"0"}}""", "FAIL a: height: expected \"0\", got nothing")]
    [InlineData("""{"id":"a","kind":"depth","given":{"R":["x","1"],"outcome":"0"},"expect":{"up_ce":"0"}}""", "FAIL a: malformed case: ")]
    [InlineData("""{"id":"a","kind":"depth","given":{"R":["0","0"],"outcome":"0"},"expect":{"up_ce":"0"}}""", "FAIL a: malformed case: ")]
    [InlineData("""17""", "FAIL case 1: malformed case: the case is not an object")]
    public void A_wrong_or_malformed_case_fails_with_the_reason(string test, string expected)
    {
        var (code, lines) = RunText($$"""{"version":1,"cases":[{{test}}]}""");
        Assert.StartsWith(expected, lines[0], StringComparison.Ordinal);
        Assert.Equal(("0 passed, 1 failed", 1), (lines[1], code));
    }

    [Fact]
    public void A_user_too_many_or_too_few_is_a_difference()
    {
        const string Pool = """
            {"version":1,"cases":[{"id":"a","kind":"amm","given":{"n":"2","fee_ppm":"0","amount":"100000000000","hint":["1","1"],"ops":[["sell","ana","0","1"]]},
            "expect":{"steps":[{"rejected":"INSUFFICIENT_SHARES"}],"shares":{USERS}}}]}
            """;
        Assert.Equal(0, RunText(Pool.Replace("USERS", """ "house":["0","0"],"ana":["0","0"] """, StringComparison.Ordinal)).Code);
        Assert.StartsWith("FAIL a: shares.ana: expected nothing", RunText(Pool.Replace("USERS", """ "house":["0","0"] """, StringComparison.Ordinal)).Lines[0], StringComparison.Ordinal);
        Assert.StartsWith("FAIL a: shares.bob: expected", RunText(Pool.Replace("USERS", """ "bob":["0","0"] """, StringComparison.Ordinal)).Lines[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("""{"version":2,"cases":[]}""")]
    [InlineData("""{"version":1}""")]
    public void What_is_no_conformance_file_is_unreadable(string text) => Assert.Equal(2, RunText(text).Code);

    [Fact]
    public void A_missing_file_is_unreadable() => Assert.Equal(2, Run("there/is/no/such.json").Code);

    private static (int Code, string[] Lines) RunText(string text)
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, text);
            return Run(file);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static (int Code, string[] Lines) Run(string file)
    {
        using var output = new StringWriter();
        var code = ConformanceFile.Run(file, output);
        return (code, output.ToString().Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries));
    }
}

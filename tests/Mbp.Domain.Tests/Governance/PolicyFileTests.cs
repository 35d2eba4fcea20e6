using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Tests.Conformance;
using Mbp.Policies;
using Mbp.Policies.Golden;

namespace Mbp.Domain.Tests.Governance;

/// <summary>Rule sets as files: read strictly, hashed in one spelling, and tested by the cases beside them (C20).</summary>
public sealed class PolicyFileTests
{
    private static readonly string Folder = Path.Combine(Repository.Root, "specs", "policies");

    private static readonly string[] Names = [.. Directory.GetFiles(Folder, "v*.yml", SearchOption.AllDirectories)
        .Where(file => !file.EndsWith(".golden.yml", StringComparison.Ordinal)).Select(file => Path.GetRelativePath(Folder, file).Replace('\\', '/')).Order(StringComparer.Ordinal)];

    public static TheoryData<string> Files => [.. Names];

    [Theory, MemberData(nameof(Files))]
    public void A_rule_set_decides_its_golden_cases(string file)
    {
        var path = Path.Combine(Folder, file);
        var results = GoldenFile.Run(PolicyFile.Read(File.ReadAllText(path)).Policy!, File.ReadAllText(Path.ChangeExtension(path, ".golden.yml")));
        Assert.All(results, result => Assert.True(result.Difference is null, result.ToString()));
    }

    [Fact]
    public void A_version_that_was_published_never_changes() => Assert.Equal(
        File.ReadAllLines(Path.Combine(Folder, "policy_hash.txt")),
        Names.Select(file => $"{Of(file).Hash}  {file}"));

    [Fact]
    public void What_is_built_in_is_what_is_in_the_folder() => Assert.Equal(Names.Select(Of), BuiltInPolicies.All);

    [Fact]
    public void A_file_is_named_after_its_rule_set() => Assert.All(
        Names, file => Assert.Equal(file, $"{Of(file).Rules.Name}/{Of(file).Rules.Version}.yml"));

    [Fact]
    public void Two_spellings_of_the_same_rules_have_one_hash() => Assert.Equal(
        PolicyFile.Read(Minimal).Policy!.Hash,
        PolicyFile.Read("resolution: {dispute_window_minutes: 5}\ntrading:\n  max_price: 0.990\n  min_price: \"0.01\"\n  seed_locked: true # stays\noperators_only: false\nversion: v1.0.0\nname: small\n").Policy!.Hash);

    [Theory]
    [InlineData("seed_locked: true", "seed_locked: yes", 7, "trading.seed_locked", "is true or false")]
    [InlineData("  seed_locked: true\n", "", 5, "trading.seed_locked", "is missing")]
    [InlineData("min_price: 0.01", "min_prise: 0.01", 5, "trading.min_prise", "is no field here; there are min_price, max_price, seed_locked")]
    [InlineData("max_price: 0.99", "max_price: 1", 6, "trading.max_price", "is greater than min_price, and both are between 0 and 1")]
    [InlineData("max_price: 0.99", "max_price: 0.01", 6, "trading.max_price", "is greater than min_price, and both are between 0 and 1")]
    [InlineData("version: v1.0.0", "version: v1.0", 2, "version", "is vMAJOR.MINOR.PATCH, such as v1.2.0, each of them at most 999999")]
    [InlineData("dispute_window_minutes: 5", "dispute_window_minutes: 10081", 9, "resolution.dispute_window_minutes", "is a whole number from 0 to 10080")]
    [InlineData("dispute_window_minutes: 5", "dispute_window_minutes: -1", 9, "resolution.dispute_window_minutes", "is a whole number")]
    [InlineData("trading:\n", "trading: 5\ntradings:\n", 4, "trading", "is a mapping; leave it out to switch it off")]
    public void A_fault_is_told_with_its_line_and_rule(string right, string wrong, long line, string field, string rule)
    {
        var reading = PolicyFile.Read(Minimal.Replace(right, wrong, StringComparison.Ordinal));
        Assert.Null(reading.Policy);
        Assert.Contains(new PolicyFault(line, field, rule), reading.Faults);
    }

    [Fact]
    public void Every_fault_is_told() => Assert.Equal(
        ["version", "trading.max_price", "resolution.dispute_window_minutes"],
        PolicyFile.Read(Minimal.Replace("v1.0.0", "1", StringComparison.Ordinal).Replace("0.99", "2", StringComparison.Ordinal).Replace("minutes: 5", "minutes: 99999", StringComparison.Ordinal))
            .Faults.Select(fault => fault.Field));

    [Fact]
    public void What_is_no_yaml_is_refused_at_its_line()
    {
        var reading = PolicyFile.Read("name: a\nversion: [\n");
        Assert.True(reading.Policy is null && reading.Faults is [{ Line: >= 2, Field: "" }], string.Join("; ", reading.Faults));
    }

    [Fact]
    public void A_text_in_another_spelling_is_no_policy()
    {
        var text = Of("default/v1.1.0.yml").Text;
        Assert.Equal(RulesetText.Of(RulesetText.Parse(text)), text);
        Assert.Throws<FormatException>(() => RulesetText.Parse(text.Replace("{\"abuse\"", "{ \"abuse\"", StringComparison.Ordinal)));
        Assert.Throws<FormatException>(() => RulesetText.Parse(text.Replace("\"name\"", "\"more\":1,\"name\"", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_case_that_expects_something_else_fails_with_its_line()
    {
        var policy = Of("default/v1.1.0.yml");
        var cases = File.ReadAllText(Path.Combine(Folder, "default", "v1.1.0.golden.yml"));
        var tight = PolicyFile.Read(File.ReadAllText(Path.Combine(Folder, "default", "v1.1.0.yml")).Replace("max_exposure_per_user: 1000\n", "max_exposure_per_user: 999.99999999\n", StringComparison.Ordinal)).Policy!;
        Assert.Contains(GoldenFile.Run(tight, cases), result => result.Difference == "line 10: expected accept, got trading.max_exposure_per_user");
        Assert.Throws<FormatException>(() => GoldenFile.Run(policy, cases.Replace("ruleset: default v1.1.0", "ruleset: default v1.0.0", StringComparison.Ordinal)));
        Assert.Throws<FormatException>(() => GoldenFile.Run(policy, "ruleset: default v1.1.0\ncases: []\n"));
    }

    [Theory]
    [InlineData("{id: a, kind: unheard}", "there is no kind 'unheard'; there are trades, halts, dispute, sla")]
    [InlineData("{id: a, kind: sla, steps: [[0]]}", "line 2: an entry of 'steps' has 2 values")]
    [InlineData("{id: a, kind: sla, steps: [[0, not_yet]], more: 1}", "line 2: 'more' is no field here; there are id, kind, steps")]
    [InlineData("{id: a, kind: trades, market: binary, liquidity: 1, steps: []}", "the case cannot begin: markets.invalid: liquidity: is at least 100 CE$ for TPL-YESNO-01.")]
    public void A_case_in_a_wrong_shape_fails(string test, string why) =>
        Assert.Equal(why, GoldenFile.Run(Of("default/v1.1.0.yml"), $"ruleset: default v1.1.0\ncases: [{test}]\n")[0].Difference);

    private const string Minimal =
        "name: small\nversion: v1.0.0\noperators_only: false\ntrading:\n  min_price: 0.01\n  max_price: 0.99\n  seed_locked: true\nresolution:\n  dispute_window_minutes: 5\n";

    private static Policy Of(string file) => PolicyFile.Read(File.ReadAllText(Path.Combine(Folder, file))).Policy!;
}

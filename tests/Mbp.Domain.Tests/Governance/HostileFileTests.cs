using System.Text;
using Mbp.Domain.Tests.Conformance;
using Mbp.Policies;
using Mbp.Policies.Golden;

namespace Mbp.Domain.Tests.Governance;

/// <summary>Files that are made to hurt: what reads them has not asked yet who sent them.</summary>
public sealed class HostileFileTests
{
    private const string Head = "name: small\nversion: v1.0.0\n";

    private static readonly string Folder = Path.Combine(Repository.Root, "specs", "policies");

    private static readonly string Default = File.ReadAllText(Path.Combine(Folder, "default", "v1.1.0.yml"));

    [Theory]
    [InlineData("name: &a small\nversion: *a\n", 1, "has no anchors (&a)")]
    [InlineData("? &a [1]\n: 1\n", 1, "has no anchors (&a)")]
    [InlineData(Head + "operators_only: *b\n", 3, "has no aliases (*b): write the value out")]
    [InlineData(Head + "? [a, b]\n: 1\n", 3, "a key is a plain name, no list and no mapping")]
    [InlineData(Head + "? {a: 1}\n: 1\n", 3, "a key is a plain name, no list and no mapping")]
    [InlineData(Head + "operators_only: true\n!!str operators_only: false\n", 4, "has no tags (tag:yaml.org,2002:str)")]
    [InlineData(Head + "operators_only: !mine true\n", 3, "has no tags (!mine)")]
    [InlineData(Head + "deep: [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\n", 3, "the file is at most 12 levels deep")]
    public void What_is_more_than_plain_values_is_refused_at_its_line(string yaml, long line, string rule)
    {
        Assert.Equal([new PolicyFault(line, "", rule)], PolicyFile.Read(yaml).Faults);
        var thrown = Assert.Throws<FormatException>(() => GoldenFile.Run(BuiltInPolicies.Default, yaml));
        Assert.Equal($"line {line}: {rule}", thrown.Message);
    }

    [Fact]
    public void A_key_that_contains_itself_is_refused() => Assert.Single(PolicyFile.Read("? &a [*a]\n: 1\n").Faults);

    [Fact]
    public void Aliases_that_multiply_are_refused()
    {
        var bomb = new StringBuilder("a0: &a0 [x, x]\n");
        for (var i = 1; i < 60; i++)
        {
            bomb.Append(System.Globalization.CultureInfo.InvariantCulture, $"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n");
        }

        Assert.Equal(1, Assert.Single(PolicyFile.Read(bomb + "? *a59\n: 1\n").Faults).Line);
    }

    [Fact]
    public void An_alias_of_nothing_is_named_at_its_line()
    {
        var lines = Default.Split('\n');
        lines[44] = "  depth_floor: *nothing";
        Assert.Equal(45, Assert.Single(PolicyFile.Read(string.Join('\n', lines)).Faults).Line);
    }

    [Fact]
    public void A_tab_is_named_at_its_line()
    {
        var lines = Default.Split('\n');
        lines[8] = "\tmin_price: 0.01";
        var fault = Assert.Single(PolicyFile.Read(string.Join('\n', lines)).Faults);
        Assert.True(fault.Line is 9, fault.ToString());
    }

    [Fact]
    public void A_version_ends_with_its_number() =>
        Assert.Contains(PolicyFile.Read(Default.Replace("version: v1.1.0", "version: \"v1.1.0\\n\"", StringComparison.Ordinal)).Faults, fault => fault.Field == "version");

    [Fact]
    public void A_freeze_does_not_end_at_a_distance_that_begins_one() =>
        Assert.Contains(
            PolicyFile.Read(Default.Replace("ease_hard_bps: 50", "ease_hard_bps: 101", StringComparison.Ordinal)).Faults,
            fault => fault is { Field: "halts.ease_hard_bps", Rule: "is at most freeze.divergence.max_bps: a freeze would end where one begins" });

    [Fact]
    public void A_fault_reads_as_a_sentence() => Assert.Contains(
        ": caps.binary.max_exposure_per_user: An amount ",
        PolicyFile.Read(Default.Replace("max_exposure_per_user: 1000", "max_exposure_per_user: 0.123456789", StringComparison.Ordinal)).Faults[0].ToString().Replace("line ", ": ", StringComparison.Ordinal), StringComparison.Ordinal);

    [Theory]
    [InlineData("{id: a, kind: halts, quotes: [[0, 1]], until: 99999999999, levels: []}", "line 2: '99999999999' is no number of seconds from 0 to 2592000, with at most 7 decimals")]
    [InlineData("{id: a, kind: halts, quotes: [[0, 1]], until: 99999999999999999999999, levels: []}", "line 2: '99999999999999999999999' is no number of seconds from 0 to 2592000, with at most 7 decimals")]
    [InlineData("{id: a, kind: trades, market: binary, liquidity: 1000, steps: [[0, ana, buy, YES, 1, accept, 2000000000]]}", "line 2: '2000000000' is no number of times from 1 to 10000")]
    public void A_case_has_an_end(string test, string why) =>
        Assert.Equal(why, GoldenFile.Run(BuiltInPolicies.All[0], $"ruleset: {BuiltInPolicies.All[0]}\ncases: [{test}]\n")[0].Difference);

    [Fact]
    public void Only_what_is_pinned_is_built_in_in_the_order_of_versions()
    {
        string Version(string version) => Default.Replace("version: v1.1.0", $"version: {version}", StringComparison.Ordinal);
        string Pin(string version) => $"{PolicyFile.Read(Version(version)).Policy!.Hash}  default/{version}.yml";
        var files = new[] { "v1.9.0", "v1.10.0", "v1.11.0" }.ToDictionary(version => $"default/{version}", Version);
        var found = BuiltInPolicies.Pinned(string.Join('\n', Pin("v1.10.0"), Pin("v1.9.0"), ""), files.GetValueOrDefault);
        Assert.Equal(["v1.9.0", "v1.10.0"], found.Select(policy => policy.Rules.Version));

        var wrong = Assert.Throws<InvalidDataException>(() => BuiltInPolicies.Pinned($"{new string('0', 64)}  default/v1.9.0.yml", files.GetValueOrDefault));
        Assert.Contains("default/v1.9.0.yml", wrong.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidDataException>(() => BuiltInPolicies.Pinned($"{new string('0', 64)}  default/v2.0.0.yml", files.GetValueOrDefault));
        Assert.Throws<InvalidDataException>(() => BuiltInPolicies.Pinned("nonsense", files.GetValueOrDefault));
    }
}

using Mbp.Domain.Governance.Rulesets;
using YamlDotNet.RepresentationModel;

namespace Mbp.Policies.Golden;

/// <param name="Id">The case.</param>
/// <param name="Line">Where it is in the file.</param>
/// <param name="Difference">What the rule set decides differently; null = nothing.</param>
public sealed record GoldenResult(string Id, long Line, string? Difference)
{
    public override string ToString() => Difference is null ? $"ok {Id}" : $"FAIL {Id} (line {Line}): {Difference}";
}

/// <summary>
/// The cases beside a rule set (<c>vX.Y.Z.golden.yml</c>): what somebody wants it to decide, asked of the product's own deciders. Whoever changes
/// a number in a rule set changes a case, or finds out here whom it concerns. The format is in specs/policies/README.md.
/// </summary>
public static class GoldenFile
{
    /// <summary>The cases of a rule set are some pages; a larger file is somebody's mistake.</summary>
    public const int LargestFile = 1024 * 1024;

    /// <summary>Every kind of case. One that is missing here fails, and never counts as passed.</summary>
    private static readonly Dictionary<string, Func<GoldenCase, Policy, string?>> Kinds = new(StringComparer.Ordinal)
    {
        ["trades"] = TradeCases.Difference,
        ["halts"] = HaltCases.Difference,
        ["dispute"] = TimeCases.Dispute,
        ["sla"] = TimeCases.Sla,
    };

    /// <summary>Decides every case under a rule set.</summary>
    /// <exception cref="FormatException">It is no file of cases, or one for another rule set.</exception>
    public static IReadOnlyList<GoldenResult> Run(Policy policy, string yaml)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(yaml);
        var file = new GoldenCase(Load(yaml));
        // A copy that was made for the next version, and not looked at, would otherwise pass for tested.
        if (file.Text("ruleset") is var named && named != policy.ToString())
        {
            throw new FormatException($"The cases are for {named}, not for {policy}.");
        }

        var results = file.Cases("cases").Select(test => Run(test, policy)).ToList();
        file.Close();
        return results.Count > 0 ? results : throw new FormatException("There are no cases in it.");
    }

    private static GoldenResult Run(GoldenCase test, Policy policy)
    {
        var id = "?";
        try
        {
            id = test.Text("id");
            var kind = test.Text("kind");
            var difference = Kinds.TryGetValue(kind, out var run) ? run(test, policy) : $"there is no kind '{kind}'; there are {string.Join(", ", Kinds.Keys)}";
            if (difference is null)
            {
                test.Close();
            }

            return new GoldenResult(id, test.Line, difference);
        }
        // A case with a wrong shape is a failed case; the cases after it still run.
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentException or InvalidOperationException)
        {
            return new GoldenResult(id, test.Line, e.Message);
        }
    }

    private static YamlMappingNode Load(string yaml) => yaml.Length > LargestFile
        ? throw new FormatException($"The file has at most {LargestFile} characters.")
        : PlainYaml.Load(yaml, out var fault) ?? throw new FormatException(fault!.ToString());
}

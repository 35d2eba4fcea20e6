using Mbp.Domain.Governance.Rulesets;

namespace Mbp.Policies;

/// <summary>The rule sets of <c>specs/policies</c>, which every new ledger begins with.</summary>
public static class BuiltInPolicies
{
    /// <summary>All of them, in the order of names and versions.</summary>
    public static IReadOnlyList<Policy> All { get; } =
        [.. Resources.Select(Load)];

    /// <summary>The newest <c>default</c>.</summary>
    public static Policy Default { get; } = Newest(RulesetLibrary.DefaultName);

    /// <summary>The newest <c>replay</c>.</summary>
    public static Policy Replay { get; } = Newest(RulesetLibrary.ReplayName);

    /// <summary>The file of the newest version of a name, as it is written.</summary>
    public static string Yaml(string name) => Text(Resources.Last(resource => resource.StartsWith($"{name}/", StringComparison.Ordinal)));

    private static IEnumerable<string> Resources => typeof(BuiltInPolicies).Assembly.GetManifestResourceNames().Order(StringComparer.Ordinal);

    private static Policy Newest(string name) => All.Last(policy => policy.Rules.Name == name);

    private static Policy Load(string resource)
    {
        var reading = PolicyFile.Read(Text(resource));
        return reading.Policy ?? throw new InvalidDataException($"The built-in rule set {resource} is faulty: {string.Join("; ", reading.Faults)}");
    }

    private static string Text(string resource)
    {
        using var reader = new StreamReader(typeof(BuiltInPolicies).Assembly.GetManifestResourceStream(resource)!);
        return reader.ReadToEnd();
    }
}

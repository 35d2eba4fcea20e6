using Mbp.Domain.Governance.Rulesets;

namespace Mbp.Policies;

/// <summary>The rule sets of <c>specs/policies</c>, which every new ledger begins with.</summary>
public static class BuiltInPolicies
{
    /// <summary>All of them, in the order of names and versions.</summary>
    public static IReadOnlyList<Policy> All { get; } =
        [.. typeof(BuiltInPolicies).Assembly.GetManifestResourceNames().Order(StringComparer.Ordinal).Select(Load)];

    /// <summary>The newest <c>default</c>.</summary>
    public static Policy Default { get; } = Newest(RulesetLibrary.DefaultName);

    /// <summary>The newest <c>replay</c>.</summary>
    public static Policy Replay { get; } = Newest(RulesetLibrary.ReplayName);

    private static Policy Newest(string name) => All.Last(policy => policy.Rules.Name == name);

    private static Policy Load(string resource)
    {
        using var reader = new StreamReader(typeof(BuiltInPolicies).Assembly.GetManifestResourceStream(resource)!);
        var reading = PolicyFile.Read(reader.ReadToEnd());
        return reading.Policy ?? throw new InvalidDataException($"The built-in rule set {resource} is faulty: {string.Join("; ", reading.Faults)}");
    }
}

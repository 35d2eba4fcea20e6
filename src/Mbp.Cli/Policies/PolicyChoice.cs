using Mbp.Cli.Files;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Policies;

namespace Mbp.Cli.Policies;

/// <summary>A rule set as an offline verb is given it: the name of a built-in one, of which the newest version is meant, or a YAML file.</summary>
internal static class PolicyChoice
{
    public static Policy Read(string nameOrFile)
    {
        if (!nameOrFile.EndsWith(".yml", StringComparison.OrdinalIgnoreCase) && !nameOrFile.EndsWith(".yaml", StringComparison.OrdinalIgnoreCase))
        {
            return BuiltInPolicies.All.LastOrDefault(policy => policy.Rules.Name == nameOrFile) ?? throw new EnvironmentException(
                $"There is no built-in rule set '{nameOrFile}'; there are {string.Join(", ", BuiltInPolicies.All.Select(policy => policy.Rules.Name).Distinct())}. A file ends in .yml.");
        }

        var reading = PolicyFile.Read(File.ReadAllText(nameOrFile));
        return reading.Policy ?? throw new EnvironmentException($"{nameOrFile} is no rule set: {string.Join("; ", reading.Faults)}");
    }
}

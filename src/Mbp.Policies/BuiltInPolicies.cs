using Mbp.Domain.Governance.Rulesets;

namespace Mbp.Policies;

/// <summary>
/// The rule sets of <c>specs/policies</c>, which every new ledger begins with: those that <c>policy_hash.txt</c> pins, and no others. A file that lies
/// beside them is nobody's decision to publish it.
/// </summary>
public static class BuiltInPolicies
{
    private const string Pins = "policy_hash.txt";

    // An exception in a static initializer hides what it is about; this one is told as it is, each time.
    private static readonly Lazy<IReadOnlyList<Policy>> Loaded = new(() => Pinned(Resource(Pins) ?? "", Resource));

    /// <summary>All of them, by name and then from the oldest version to the newest.</summary>
    /// <exception cref="InvalidDataException">One is faulty, or is not what is pinned.</exception>
    public static IReadOnlyList<Policy> All => Loaded.Value;

    /// <summary>The newest <c>default</c>.</summary>
    public static Policy Default => Newest(RulesetLibrary.DefaultName);

    /// <summary>The newest <c>replay</c>.</summary>
    public static Policy Replay => Newest(RulesetLibrary.ReplayName);

    /// <summary>The file of a built-in version, as it is written.</summary>
    public static string Yaml(Policy policy)
    {
        ArgumentNullException.ThrowIfNull(policy);
        return Resource(policy.Rules.Name + "/" + policy.Rules.Version) ?? throw new ArgumentException($"{policy} is not built in.", nameof(policy));
    }

    /// <summary>The rule sets that are pinned.</summary>
    /// <param name="pins">Lines of a hash, two spaces and <c>name/version.yml</c>.</param>
    /// <param name="text">The file of a <c>name/version</c>; null = there is none.</param>
    /// <exception cref="InvalidDataException">One is missing, faulty, or has another hash.</exception>
    public static IReadOnlyList<Policy> Pinned(string pins, Func<string, string?> text)
    {
        ArgumentNullException.ThrowIfNull(pins);
        ArgumentNullException.ThrowIfNull(text);
        return
        [
            .. pins.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(line => Load(line, text))
                .OrderBy(policy => policy.Rules.Name, StringComparer.Ordinal).ThenBy(policy => RulesetLibrary.Order(policy)),
        ];
    }

    private static Policy Newest(string name) => All.Last(policy => policy.Rules.Name == name);

    private static Policy Load(string pin, Func<string, string?> text)
    {
        if (pin.Split("  ") is not [var hash, var file] || !file.EndsWith(".yml", StringComparison.Ordinal))
        {
            throw new InvalidDataException($"specs/policies/{Pins}: '{pin}' is not a hash, two spaces and NAME/VERSION.yml.");
        }

        var reading = PolicyFile.Read(text(file[..^4]) ?? throw new InvalidDataException($"specs/policies/{file} is pinned in {Pins}, and is not there."));
        return reading.Policy is not { } policy ? throw new InvalidDataException($"The built-in rule set specs/policies/{file} is faulty: {string.Join("; ", reading.Faults)}")
            : policy.Hash != hash ? throw new InvalidDataException($"The built-in rule set specs/policies/{file} has the hash {policy.Hash}, and {Pins} pins {hash}: a version never changes.")
            : policy;
    }

    private static string? Resource(string name)
    {
        if (typeof(BuiltInPolicies).Assembly.GetManifestResourceStream(name) is not { } stream)
        {
            return null;
        }

        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}

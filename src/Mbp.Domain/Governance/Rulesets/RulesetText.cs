using System.Buffers;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Mbp.Domain.Units;
using Mbp.Ledger.Json;
using Mbp.Ledger.Merkle;

namespace Mbp.Domain.Governance.Rulesets;

/// <summary>A rule set in its one spelling: canonical JSON (RFC 8785) without absent fields. Two people who wrote the same rules hash the same bytes.</summary>
public static class RulesetText
{
    private static readonly JsonSerializerOptions Strict = new(LedgerJson.Options)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        AllowDuplicateProperties = false,
    };

    public static string Of(Ruleset ruleset)
    {
        var canonical = new ArrayBufferWriter<byte>();
        CanonicalJson.Write(JsonSerializer.SerializeToUtf8Bytes(ruleset, Strict), canonical);
        return Encoding.UTF8.GetString(canonical.WrittenSpan);
    }

    /// <summary>SHA-256 of the text, hex: the policy hash that decisions carry.</summary>
    public static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    /// <exception cref="FormatException">It is no rule set, or not in its one spelling.</exception>
    public static Ruleset Parse(string text)
    {
        try
        {
            var ruleset = JsonSerializer.Deserialize<Ruleset>(text, Strict) ?? throw new FormatException("A rule set is no null.");
            return Of(ruleset) == text ? ruleset : throw new FormatException("The rule set is not in its canonical spelling.");
        }
        catch (JsonException e)
        {
            throw new FormatException($"It is no rule set: {e.Message}", e);
        }
    }
}

/// <summary>A rule set as it is in force: the text, and what the text says. Equal texts are equal policies.</summary>
[JsonConverter(typeof(PolicyConverter))]
public sealed record Policy
{
    // Markets share a handful of rule sets, and each text is read once. A bound keeps strangers from growing this.
    private const int Kept = 1_000;

    private static readonly ConcurrentDictionary<string, Policy> Known = new(StringComparer.Ordinal);

    private Policy(string text)
    {
        (Text, Hash) = (text, RulesetText.Hash(text));
        Rules = FirstRulesets.Find(text) ?? RulesetText.Parse(text);
    }

    /// <summary>Its one spelling. What was written before there was one has the spelling of then.</summary>
    public string Text { get; }

    /// <summary>What it says.</summary>
    public Ruleset Rules { get; }

    /// <summary>The hash of the text, which decisions carry.</summary>
    public string Hash { get; }

    /// <summary>The policy of a text.</summary>
    /// <exception cref="FormatException">It is no rule set.</exception>
    public static Policy Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (Known.TryGetValue(text, out var known))
        {
            return known;
        }

        var policy = new Policy(text);
        if (Known.Count < Kept)
        {
            Known.TryAdd(text, policy);
        }

        return policy;
    }

    public static Policy Of(Ruleset ruleset) => Parse(RulesetText.Of(ruleset));

    public bool Equals(Policy? other) => other?.Text == Text;

    public override int GetHashCode() => Text.GetHashCode(StringComparison.Ordinal);

    public override string ToString() => $"{Rules.Name} {Rules.Version}";
}

internal sealed class PolicyConverter : JsonConverter<Policy>
{
    public override Policy Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Policy.Parse(reader.GetString() ?? throw new JsonException("A policy is a text."));

    public override void Write(Utf8JsonWriter writer, Policy value, JsonSerializerOptions options) => writer.WriteStringValue(value.Text);
}

/// <summary>
/// The two rule sets that were in code before rule sets were data. Ledgers of that time name them by hash, and what was decided under them stays
/// decided: they are never offered again.
/// </summary>
public static class FirstRulesets
{
    public static Policy Default { get; } = Policy.Parse("default\nv1.0.0\nminPrice=0.01\nmaxPrice=0.99\nseedLocked=True\ndisputeWindowMs=7200000\noperatorsOnly=False\n");

    public static Policy Replay { get; } = Policy.Parse("replay\nv1.0.0\nminPrice=\nmaxPrice=\nseedLocked=False\ndisputeWindowMs=0\noperatorsOnly=True\n");

    /// <summary>The rule set of a market whose first event has no more than its hash; null for one of today.</summary>
    public static Policy? ByHash(string hash) => hash == Default.Hash ? Default : hash == Replay.Hash ? Replay : null;

    internal static Ruleset? Find(string text) => text switch
    {
        _ when text.StartsWith("default\nv1.0.0\n", StringComparison.Ordinal) => new Ruleset(
            "default", "v1.0.0", OperatorsOnly: false, new TradingRules(Price.FromUnits(1_000_000), Price.FromUnits(99_000_000), SeedLocked: true),
            new ResolutionTimes(120, SlaHours: null), [], Freeze: null, Halts: null, Abuse: null, Slo: null),
        _ when text.StartsWith("replay\nv1.0.0\n", StringComparison.Ordinal) => new Ruleset(
            "replay", "v1.0.0", OperatorsOnly: true, new TradingRules(MinPrice: null, MaxPrice: null, SeedLocked: false),
            new ResolutionTimes(0, SlaHours: null), [], Freeze: null, Halts: null, Abuse: null, Slo: null),
        _ => null,
    };
}

/// <summary>A rule set as a stranger is given it: with the text that is hashed, so that the hash that decisions carry can be made again.</summary>
public sealed record RulesetFile(string Name, string Version, string Hash, string Text)
{
    public static RulesetFile Of(Policy policy)
    {
        ArgumentNullException.ThrowIfNull(policy);
        return new RulesetFile(policy.Rules.Name, policy.Rules.Version, policy.Hash, policy.Text);
    }

    /// <summary>Whether the hash is the text's.</summary>
    public bool Holds => Hash == RulesetText.Hash(Text);
}

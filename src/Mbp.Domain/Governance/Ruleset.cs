using System.Security.Cryptography;
using System.Text;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Governance;

/// <summary>The rules that a market names when it opens. Its hash goes into the market's first event, so nobody can change them afterwards unseen.</summary>
/// <param name="Name">As in the API.</param>
/// <param name="Version">vMAJOR.MINOR.PATCH.</param>
/// <param name="MinPrice">No trade pushes a price below it; null = only the pool's own bounds (3.3, "price kept in 1-99 %").</param>
/// <param name="MaxPrice">Nor above it.</param>
/// <param name="SeedLocked">Whether the opening liquidity stays in the pool until the settlement (3.3 guards).</param>
/// <param name="DisputeWindow">How long a determined value can be disputed before it is final.</param>
/// <param name="OperatorsOnly">Only an operator may open a market under it.</param>
public sealed record Ruleset(string Name, string Version, Price? MinPrice, Price? MaxPrice, bool SeedLocked, Duration DisputeWindow, bool OperatorsOnly)
{
    /// <summary>Every rule in one spelling: what is hashed, and what a stranger is given to hash again.</summary>
    public string CanonicalText =>
        $"{Name}\n{Version}\nminPrice={MinPrice}\nmaxPrice={MaxPrice}\nseedLocked={SeedLocked}\ndisputeWindowMs={(long)DisputeWindow.TotalMilliseconds}\noperatorsOnly={OperatorsOnly}\n";

    /// <summary>SHA-256 of the canonical text, hex.</summary>
    public string Hash => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(CanonicalText)));
}

/// <summary>A rule set as a stranger is given it: with the text that is hashed, so that the hash in a market's first event can be made again.</summary>
public sealed record RulesetFile(string Name, string Version, string Hash, string Text)
{
    public static RulesetFile Of(Ruleset ruleset)
    {
        ArgumentNullException.ThrowIfNull(ruleset);
        return new RulesetFile(ruleset.Name, ruleset.Version, ruleset.Hash, ruleset.CanonicalText);
    }

    /// <summary>Whether the hash is the text's.</summary>
    public bool Holds => Hash == Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Text)));
}

/// <summary>The rule sets that this build knows.</summary>
public static class Rulesets
{
    public const string DefaultName = "default";

    public static Ruleset Default { get; } = new(
        DefaultName, "v1.0.0", Price.FromUnits(1_000_000), Price.FromUnits(99_000_000), SeedLocked: true, Duration.FromHours(2), OperatorsOnly: false);

    /// <summary>For histories that already happened: no bounds but the pool's own, and no window to dispute in.</summary>
    public static Ruleset Replay { get; } = new("replay", "v1.0.0", MinPrice: null, MaxPrice: null, SeedLocked: false, Duration.Zero, OperatorsOnly: true);

    public static Ruleset? Find(string name) => name switch
    {
        DefaultName => Default,
        "replay" => Replay,
        _ => null,
    };
}

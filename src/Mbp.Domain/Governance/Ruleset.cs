using System.Security.Cryptography;
using System.Text;
using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Governance;

/// <summary>The rules that a market names when it opens. Its hash goes into the market's first event, so nobody can change them afterwards unseen.</summary>
/// <param name="Name">As in the API.</param>
/// <param name="Version">vMAJOR.MINOR.PATCH.</param>
/// <param name="MinPrice">The traded outcome's price may not fall below by a sale; null = only the pool's own bounds (3.3, "price kept in 1-99 %").</param>
/// <param name="MaxPrice">Nor rise above it by a purchase.</param>
/// <param name="DisputeWindow">How long a determined value can be disputed before it is final.</param>
/// <param name="OperatorsOnly">Only an operator may open a market under it.</param>
public sealed record Ruleset(string Name, string Version, Price? MinPrice, Price? MaxPrice, Duration DisputeWindow, bool OperatorsOnly)
{
    /// <summary>SHA-256 of the canonical text, hex.</summary>
    public string Hash { get; } = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(
        $"{Name}\n{Version}\nminPrice={MinPrice}\nmaxPrice={MaxPrice}\ndisputeWindowMs={(long)DisputeWindow.TotalMilliseconds}\noperatorsOnly={OperatorsOnly}\n")));
}

/// <summary>The rule sets that this build knows.</summary>
public static class Rulesets
{
    public const string DefaultName = "default";

    public static Ruleset Default { get; } = new(
        DefaultName, "v1.0.0", Price.FromUnits(1_000_000), Price.FromUnits(99_000_000), Duration.FromHours(2), OperatorsOnly: false);

    /// <summary>For histories that already happened: no bounds but the pool's own, and no window to dispute in.</summary>
    public static Ruleset Replay { get; } = new("replay", "v1.0.0", MinPrice: null, MaxPrice: null, Duration.Zero, OperatorsOnly: true);

    public static Ruleset? Find(string name) => name switch
    {
        DefaultName => Default,
        "replay" => Replay,
        _ => null,
    };
}

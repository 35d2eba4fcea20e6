using Mbp.Domain.Units;
using NodaTime;

namespace Mbp.Domain.Markets;

/// <summary>The templates that every ledger starts with; operators publish their next versions.</summary>
public static class TemplateCatalogue
{
    // 100 CE$ is the least that any pool of two outcomes needs (D3, Rmin); a market that people should trade in wants 12,500 or more (3.5).
    private static readonly Credits LeastLiquidity = Credits.FromUnits(100_00000000);

    public static IReadOnlyList<Template> BuiltIn { get; } =
    [
        new("TPL-YESNO-01", 1, "Yes or no", "general", MarketKind.Binary, TruthSource.Manual, LeastLiquidity, FeePpm: 5_000, MaxFeePpm: 100_000,
            Duration.FromDays(30), Duration.FromHours(24), MinQuestion: 3, MaxQuestion: 300, MaxOutcomes: 2),
        new("TPL-SCALAR-01", 1, "A number between two bounds", "general", MarketKind.Scalar, TruthSource.Manual, LeastLiquidity, FeePpm: 5_000, MaxFeePpm: 100_000,
            Duration.FromDays(30), Duration.FromHours(24), MinQuestion: 3, MaxQuestion: 300, MaxOutcomes: 2),
        new("TPL-CATEGORICAL-01", 1, "One of several outcomes", "general", MarketKind.Categorical, TruthSource.Manual, LeastLiquidity, FeePpm: 5_000, MaxFeePpm: 100_000,
            Duration.FromDays(30), Duration.FromHours(24), MinQuestion: 3, MaxQuestion: 300, MaxOutcomes: 16),
    ];
}

namespace Mbp.Benchmarks.Write;

/// <summary>
/// How a budget of seconds is spread. Each cycle has three rounds; a round measures the headline scenario on both systems and the append path
/// beside COPY, then a third of the other scenarios, again both systems side by side. Slices get longer with the budget and never shorter than
/// the least; what a small budget has no room for is left out, and said.
/// </summary>
/// <param name="Slice">How long each slice takes.</param>
/// <param name="Rounds">For each round, the scenarios beside the headline.</param>
/// <param name="Skipped">Scenarios that there is no time for.</param>
internal sealed record Plan(TimeSpan Slice, IReadOnlyList<IReadOnlyList<Scenario>> Rounds, IReadOnlyList<Scenario> Skipped)
{
    private const double LeastSlice = 1.5;
    private const double LongSlice = 4;
    private const int RoundsInCycle = 3;

    // Product, naive, append, COPY.
    private const int HeadlineSlices = 4;

    public static Plan For(double seconds)
    {
        var others = Scenario.All.Skip(1).ToList();
        var room = (int)((seconds / LeastSlice - RoundsInCycle * HeadlineSlices) / 2);
        var taken = others.Take(Math.Max(0, room)).ToList();
        var slices = RoundsInCycle * HeadlineSlices + 2 * taken.Count;
        var cycles = Math.Max(1, (int)(seconds / (slices * LongSlice)));
        var rounds = Enumerable.Range(0, cycles * RoundsInCycle)
            .Select(round => (IReadOnlyList<Scenario>)[.. taken.Where((_, i) => i % RoundsInCycle == round % RoundsInCycle)]).ToList();
        return new Plan(TimeSpan.FromSeconds(Math.Max(LeastSlice, seconds / (slices * cycles))), rounds, [.. others.Skip(taken.Count)]);
    }
}

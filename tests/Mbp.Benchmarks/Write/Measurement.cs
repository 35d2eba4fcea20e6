using Mbp.Benchmarks.Load;
using Mbp.Benchmarks.Systems;

namespace Mbp.Benchmarks.Write;

/// <summary>One way of asking: closed loop over so many connections, or open loop at so many requests a second.</summary>
internal sealed record Scenario(string Load, string Markets, int? Connections, int? Rate)
{
    public static Scenario Headline { get; } = new("closed", "hot", 64, null);

    /// <summary>Everything that is asked for, the headline first.</summary>
    public static IReadOnlyList<Scenario> All { get; } =
    [
        Headline,
        .. new[] { "hot", "cold" }.SelectMany(markets => new[] { 64, 256, 16, 1 }.Select(connections => new Scenario("closed", markets, connections, null))
            .Concat(new[] { 1_000, 5_000, 120 }.Select(rate => new Scenario("open", markets, null, rate)))).Where(s => s != Headline),
    ];

    public MarketRange Range => Markets == "hot" ? Place.Hot : Place.Cold;

    public Task<LoadResult> RunAsync(Generator generator, TimeSpan duration) => Connections is { } connections
        ? generator.ClosedAsync(connections, Range, duration)
        : generator.OpenAsync(Rate!.Value, Range, duration);
}

/// <summary>One slice of one scenario on one system.</summary>
internal sealed record Measurement(
    LoadResult Result, double HostCpuMs, double PostgresCpuMs, double GeneratorCpuMs, double? AllocatedBytes, long? HeapBytes, long WorkingSetBytes)
{
    public double P50 => Ms(0.5);

    public double P95 => Ms(0.95);

    public double P99 => Ms(0.99);

    public double Max => Result.Tally.Latency.Longest.TotalMilliseconds;

    /// <summary>Runs the slice and reads all books before and after it. Processor time and allocation are for each trade.</summary>
    public static async Task<Measurement> TakeAsync(TradingSystem system, Scenario scenario, TimeSpan duration)
    {
        var isProduct = system.Name != "naive";
        var before = (Cpu: system.Cpu(), Memory: isProduct ? await system.MetricsAsync().ConfigureAwait(false) : null);
        var result = await scenario.RunAsync(system.Generator, duration).ConfigureAwait(false);
        var cpu = system.Cpu();
        var memory = isProduct ? await system.MetricsAsync().ConfigureAwait(false) : null;
        var trades = Math.Max(1, result.Tally.Accepted);
        return new Measurement(
            result, (cpu.Host - before.Cpu.Host) * 1_000 / trades, (cpu.Postgres - before.Cpu.Postgres) * 1_000 / trades, (cpu.Generator - before.Cpu.Generator) * 1_000 / trades,
            memory is null ? null : (double)(memory.AllocatedBytes - before.Memory!.AllocatedBytes) / trades, memory?.HeapBytes, system.WorkingSet());
    }

    private double Ms(double share) => Result.Tally.Latency.Percentile(share).TotalMilliseconds;
}

using System.Globalization;
using System.Text.Json.Nodes;
using Mbp.Benchmarks.Append;
using Mbp.Benchmarks.Load;
using Mbp.Benchmarks.Systems;

namespace Mbp.Benchmarks.Write;

/// <summary>
/// <c>write</c>: the product, the naive way and the append path beside COPY, all running at once and measured in turns, so that a mood of the
/// machine meets all of them. Figures are medians over rounds; ratios are taken within a round, and the median of those is given.
/// </summary>
internal static class WriteBenchmark
{
    // The compiler is done with what is hot after some ten seconds of it; before that a fifth of the host's time is its.
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(10);

    // A trade writes the account's event and the market's.
    private const int EventsPerTrade = 2;

    public static async Task<JsonObject> RunAsync(double seconds)
    {
        var plan = Plan.For(seconds);
        Say($"{plan.Rounds.Count} rounds, slices of {plan.Slice.TotalSeconds:0.0} s; starting the product, the naive way, and a database for append and COPY");
        await using var product = await TradingSystem.ProductAsync().ConfigureAwait(false);
        await using var naive = await TradingSystem.NaiveAsync().ConfigureAwait(false);
        await using var append = await AppendComparison.StartAsync().ConfigureAwait(false);
        TradingSystem[] systems = [product, naive];
        foreach (var system in systems)
        {
            Say($"{system.Name}: {Place.Accounts} accounts, {Place.Cold.End} markets, warm-up");
            await system.SetUpAsync(Place.Cold.End).ConfigureAwait(false);
            await system.Generator.ClosedAsync(64, Place.Hot, WarmUp).ConfigureAwait(false);
            await system.Generator.ClosedAsync(64, Place.Cold, WarmUp).ConfigureAwait(false);
        }

        await append.RunAsync(WarmUp).ConfigureAwait(false);
        var taken = new Dictionary<(string System, Scenario Scenario), List<Measurement>>();
        var appends = new List<AppendSlice>();
        for (var round = 0; round < plan.Rounds.Count; round++)
        {
            await BothAsync(Scenario.Headline, round).ConfigureAwait(false);
            appends.Add(await append.RunAsync(2 * plan.Slice).ConfigureAwait(false));
            Say($"round {round + 1}: append {appends[^1].AppendEventsPerSecond:0} events/s, COPY {appends[^1].CopyEventsPerSecond:0} events/s");
            foreach (var scenario in plan.Rounds[round])
            {
                await BothAsync(scenario, round).ConfigureAwait(false);
            }
        }

        return Report(plan, taken, appends);

        // Side by side, and each first in turn.
        async Task BothAsync(Scenario scenario, int round)
        {
            foreach (var system in round % 2 == 0 ? systems : [.. systems.Reverse()])
            {
                var measurement = await Measurement.TakeAsync(system, scenario, plan.Slice).ConfigureAwait(false);
                if (!taken.TryGetValue((system.Name, scenario), out var all))
                {
                    taken[(system.Name, scenario)] = all = [];
                }

                all.Add(measurement);
                Say($"round {round + 1}: {system.Name,-7} {scenario.Load} {scenario.Markets} {scenario.Connections ?? scenario.Rate}: {measurement.Result.TradesPerSecond:0} trades/s, p50 {measurement.P50:0.00} ms, p99 {measurement.P99:0.00} ms");
            }
        }
    }

    private static JsonObject Report(Plan plan, Dictionary<(string System, Scenario Scenario), List<Measurement>> taken, List<AppendSlice> appends)
    {
        var (product, naive) = (taken[("product", Scenario.Headline)], taken[("naive", Scenario.Headline)]);
        var ratios = product.Zip(naive, (p, n) => p.Result.TradesPerSecond / n.Result.TradesPerSecond).ToList();
        return new JsonObject
        {
            ["trades_per_s"] = Median(product, m => m.Result.TradesPerSecond),
            ["p50_ms"] = Median(product, m => m.P50),
            ["p99_ms"] = Median(product, m => m.P99),
            ["connections"] = Scenario.Headline.Connections,
            ["markets"] = Place.Hot.Count,
            ["events_per_trade"] = EventsPerTrade,
            ["naive_trades_per_s"] = Median(naive, m => m.Result.TradesPerSecond),
            ["naive_p50_ms"] = Median(naive, m => m.P50),
            ["naive_p99_ms"] = Median(naive, m => m.P99),
            ["ratio_naive"] = Statistics.Round(Statistics.Median(ratios)),
            ["ratio_p99_to_naive"] = Statistics.Round(Statistics.Median(product.Zip(naive, (p, n) => p.P99 / n.P99))),
            ["ratio_naive_by_scenario"] = new JsonArray([.. Scenario.All.Where(s => s.Load == "closed" && taken.ContainsKey(("naive", s))).Select(s => new JsonObject
            {
                ["markets"] = s.Markets, ["connections"] = s.Connections,
                ["ratio"] = Statistics.Round(Statistics.Median(taken[("product", s)].Zip(taken[("naive", s)], (p, n) => p.Result.TradesPerSecond / n.Result.TradesPerSecond))),
            })]),
            ["append_events_per_s"] = Median(appends, a => a.AppendEventsPerSecond),
            ["copy_events_per_s"] = Median(appends, a => a.CopyEventsPerSecond),
            ["ratio_copy"] = Median(appends, a => a.Ratio),
            ["append_batch_events"] = TradeBatches.Events,
            ["rounds"] = plan.Rounds.Count,
            ["slice_s"] = Statistics.Round(plan.Slice.TotalSeconds),
            ["spread"] = new JsonObject
            {
                ["trades_per_s"] = Spread(product.Select(m => m.Result.TradesPerSecond)),
                ["naive_trades_per_s"] = Spread(naive.Select(m => m.Result.TradesPerSecond)),
                ["ratio_naive"] = Spread(ratios),
                ["append_events_per_s"] = Spread(appends.Select(a => a.AppendEventsPerSecond)),
                ["copy_events_per_s"] = Spread(appends.Select(a => a.CopyEventsPerSecond)),
                ["ratio_copy"] = Spread(appends.Select(a => a.Ratio)),
            },
            ["runs"] = new JsonArray([.. taken.Select(pair => Run(pair.Key.System, pair.Key.Scenario, pair.Value))]),
            ["skipped"] = new JsonArray([.. plan.Skipped.Select(s => new JsonObject { ["load"] = s.Load, ["markets"] = s.Markets, ["connections"] = s.Connections, ["rate"] = s.Rate })]),
            ["how"] = "Medians over rounds in which all systems took turns; each ratio is the median of the rounds' own ratios; spread = [least, greatest].",
        };
    }

    private static JsonObject Run(string system, Scenario scenario, List<Measurement> measured) => new()
    {
        ["system"] = system,
        ["load"] = scenario.Load,
        ["markets"] = scenario.Markets,
        ["markets_count"] = scenario.Range.Count,
        ["connections"] = scenario.Connections ?? Generator.OpenLoopConnections,
        ["rate"] = scenario.Rate,
        ["slices"] = measured.Count,
        ["trades_per_s"] = Median(measured, m => m.Result.TradesPerSecond),
        ["trades_per_s_spread"] = Spread(measured.Select(m => m.Result.TradesPerSecond)),
        ["p50_ms"] = Median(measured, m => m.P50),
        ["p95_ms"] = Median(measured, m => m.P95),
        ["p99_ms"] = Median(measured, m => m.P99),
        ["max_ms"] = Statistics.Round(measured.Max(m => m.Max)),
        ["accepted"] = measured.Sum(m => m.Result.Tally.Accepted),
        ["rejected"] = measured.Sum(m => m.Result.Tally.Rejected),
        ["errors"] = new JsonObject(measured.SelectMany(m => m.Result.Tally.Errors).GroupBy(e => e.Key).Select(g => KeyValuePair.Create(g.Key, (JsonNode?)g.Sum(e => e.Value)))),
        ["host_cpu_ms_per_trade"] = Median(measured, m => m.HostCpuMs),
        ["postgres_cpu_ms_per_trade"] = Median(measured, m => m.PostgresCpuMs),
        ["generator_cpu_ms_per_trade"] = Median(measured, m => m.GeneratorCpuMs),
        ["allocated_bytes_per_trade"] = measured[0].AllocatedBytes is null ? null : Median(measured, m => m.AllocatedBytes!.Value),
        ["gc_heap_bytes"] = measured[^1].HeapBytes,
        ["working_set_bytes"] = measured[^1].WorkingSetBytes,
    };

    private static double Median<T>(IEnumerable<T> all, Func<T, double> value) => Statistics.Round(Statistics.Median(all.Select(value)));

    private static JsonArray Spread(IEnumerable<double> all) => [Statistics.Round(all.Min()), Statistics.Round(all.Max())];

    private static void Say(FormattableString text) => Console.Error.WriteLine(text.ToString(CultureInfo.InvariantCulture));
}

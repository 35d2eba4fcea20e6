using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Mbp.Benchmarks.Load;
using Mbp.Benchmarks.Systems;
using Mbp.Benchmarks.Write;
using Mbp.Ledger.Log;

namespace Mbp.Benchmarks.Anchor;

/// <summary>
/// <c>anchor</c>: what the public log costs, and what it gives. The product with its keeper and receipts, and the same without, take turns; then trades go in at a
/// fixed rate while some are watched from their answer to the moment at which anybody can have a proof of them; then every stored event is held to its entry.
/// </summary>
internal static class AnchorBenchmark
{
    private const double OpenRate = 2_000;
    private const int Watchers = 4;

    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(5);

    public static async Task<JsonObject> RunAsync(double seconds)
    {
        var rounds = Math.Max(3, (int)(seconds / 6));
        var (slice, watch) = (TimeSpan.FromSeconds(Math.Max(1.5, seconds / rounds / 2)), TimeSpan.FromSeconds(Math.Clamp(seconds / 2, 5, 30)));
        Say($"{rounds} rounds, slices of {slice.TotalSeconds:0.0} s; starting the product with and without its log");
        await using var signing = await TradingSystem.ProductAsync().ConfigureAwait(false);
        await using var bare = await TradingSystem.ProductWithoutLogAsync().ConfigureAwait(false);
        TradingSystem[] systems = [signing, bare];
        foreach (var system in systems)
        {
            await system.SetUpAsync(Place.Hot.Count).ConfigureAwait(false);
            await system.Generator.ClosedAsync(64, Place.Hot, WarmUp).ConfigureAwait(false);
        }

        var (signed, unsigned) = (new List<Measurement>(), new List<Measurement>());
        for (var round = 0; round < rounds; round++)
        {
            // Side by side, and each first in turn.
            foreach (var system in round % 2 == 0 ? systems : [.. systems.Reverse()])
            {
                var taken = await Measurement.TakeAsync(system, Scenario.Headline, slice).ConfigureAwait(false);
                (system == signing ? signed : unsigned).Add(taken);
                Say($"round {round + 1}: {system.Name,-7} {taken.Result.TradesPerSecond:0} trades/s, p50 {taken.P50:0.00} ms, p99 {taken.P99:0.00} ms, host {taken.HostCpuMs:0.000} ms a trade");
            }
        }

        var (open, samples) = await WatchAsync(signing, watch).ConfigureAwait(false);
        Say($"{open.TradesPerSecond:0} trades/s, {samples.Count} watched");
        var deep = (await MbpProcess.RunAsync(signing.Data, "anchor", "deep-check").ConfigureAwait(false)).Report;
        var ratios = signed.Zip(unsigned, (s, u) => s.Result.TradesPerSecond / u.Result.TradesPerSecond).ToList();
        var provable = samples.Select(sample => sample.Seconds).Order().ToList();
        var (ratio, p99) = (Statistics.Median(ratios), At(provable, 0.99));
        return new JsonObject
        {
            ["trades_per_s"] = Median(signed, m => m.Result.TradesPerSecond),
            ["without_trades_per_s"] = Median(unsigned, m => m.Result.TradesPerSecond),
            ["ratio"] = Statistics.Round(ratio),
            ["ratio_spread"] = new JsonArray([Statistics.Round(ratios.Min()), Statistics.Round(ratios.Max())]),
            ["p99_ms"] = Median(signed, m => m.P99),
            ["without_p99_ms"] = Median(unsigned, m => m.P99),
            ["host_cpu_ms_per_trade"] = Median(signed, m => m.HostCpuMs),
            ["without_host_cpu_ms_per_trade"] = Median(unsigned, m => m.HostCpuMs),
            ["postgres_cpu_ms_per_trade"] = Median(signed, m => m.PostgresCpuMs),
            ["without_postgres_cpu_ms_per_trade"] = Median(unsigned, m => m.PostgresCpuMs),
            ["generator_cpu_ms_per_trade"] = Median(signed, m => m.GeneratorCpuMs),
            ["without_generator_cpu_ms_per_trade"] = Median(unsigned, m => m.GeneratorCpuMs),
            ["allocated_bytes_per_trade"] = Median(signed, m => m.AllocatedBytes ?? 0),
            ["without_allocated_bytes_per_trade"] = Median(unsigned, m => m.AllocatedBytes ?? 0),
            ["receipts_checked"] = samples.Count(sample => sample.Holds),
            ["receipts_wrong"] = samples.Count(sample => !sample.Holds),
            ["provable_p50_s"] = Statistics.Round(At(provable, 0.5)),
            ["provable_p99_s"] = Statistics.Round(p99),
            ["provable_max_s"] = Statistics.Round(provable[^1]),
            ["provable_asked_trades_per_s"] = OpenRate,
            ["provable_trades_per_s"] = Statistics.Round(open.TradesPerSecond),
            ["deep_check_events"] = deep["checks"]!.GetValue<long>(),
            ["deep_check_events_per_s"] = deep["eventsPerSecond"]!.GetValue<double>(),
            ["deep_check_holds"] = deep["holds"]!.GetValue<bool>(),
            ["connections"] = Scenario.Headline.Connections,
            ["rounds"] = rounds,
            ["slice_s"] = Statistics.Round(slice.TotalSeconds),
            ["holds"] = ratio >= 0.9 && p99 <= 5 && samples.All(sample => sample.Holds) && deep["holds"]!.GetValue<bool>(),
            ["how"] = "Medians over rounds in which both took turns; the ratio is the median of the rounds' own ratios.",
        };
    }

    private static async Task<(LoadResult Open, IReadOnlyList<Sample> Samples)> WatchAsync(TradingSystem host, TimeSpan duration)
    {
        var keys = (await host.TryGetAsync("/log/vkeys").ConfigureAwait(false))!.TrimEnd('\n').Split('\n').Select(VerifierKey.Parse).ToList();
        await host.Generator.OpenAsync(OpenRate, Place.Hot, TimeSpan.FromSeconds(2)).ConfigureAwait(false);
        using var stop = new CancellationTokenSource();
        var watching = Enumerable.Range(0, Watchers).Select(number => Task.Run(() => WatchAsync(host, number, keys, stop.Token))).ToList();
        var open = await host.Generator.OpenAsync(OpenRate, Place.Hot, duration).ConfigureAwait(false);
        await stop.CancelAsync().ConfigureAwait(false);
        return (open, [.. (await Task.WhenAll(watching).ConfigureAwait(false)).SelectMany(samples => samples)]);
    }

    private static async Task<List<Sample>> WatchAsync(TradingSystem host, int number, IReadOnlyList<VerifierKey> keys, CancellationToken stop)
    {
        var samples = new List<Sample>();
        while (!stop.IsCancellationRequested)
        {
            var answer = await host.TradedAsync(Place.Hot.First + number, Place.Account(number)).ConfigureAwait(false);
            var answered = Stopwatch.GetTimestamp();
            var path = string.Create(CultureInfo.InvariantCulture, $"/log/proof/{answer["position"]!.GetValue<long>()}");
            string? proof;
            while ((proof = await host.TryGetAsync(path).ConfigureAwait(false)) is null)
            {
                await Task.Delay(Pace, CancellationToken.None).ConfigureAwait(false);
            }

            var seconds = Stopwatch.GetElapsedTime(answered).TotalSeconds;
            var receipt = LogReceipt.Parse(Encoding.UTF8.GetBytes(answer["receipt"]!.ToJsonString()));
            var key = keys.First(key => key.KeyId == receipt.KeyId);
            samples.Add(new Sample(seconds, receipt.Verify(key).Holds && TlogProof.Parse(proof).Verify(receipt.LeafHash, key).Holds));
        }

        return samples;
    }

    private static double Median(IEnumerable<Measurement> all, Func<Measurement, double> value) => Statistics.Round(Statistics.Median(all.Select(value)));

    private static double At(List<double> sorted, double share) => sorted[Math.Min(sorted.Count - 1, (int)(sorted.Count * share))];

    private static void Say(FormattableString text) => Console.Error.WriteLine(text.ToString(CultureInfo.InvariantCulture));

    /// <summary>A watched trade: how long from its answer to its proof, and whether receipt and proof bear each other out.</summary>
    private readonly record struct Sample(double Seconds, bool Holds);
}

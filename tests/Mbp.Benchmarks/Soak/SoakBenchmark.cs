using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Mbp.Benchmarks.Load;
using Mbp.Benchmarks.Systems;

namespace Mbp.Benchmarks.Soak;

/// <summary>What one stretch of a soak looked like.</summary>
/// <param name="Start">Since the beginning.</param>
/// <param name="Length">A minute, or less in a short run.</param>
/// <param name="Tally">What came of its requests.</param>
internal sealed record Window(TimeSpan Start, TimeSpan Length, Tally Tally);

/// <summary>The host's memory at one moment.</summary>
internal sealed record MemorySample(TimeSpan At, HostMetrics Host);

/// <summary>
/// <c>soak</c>: a fixed rate over a long time (C71: 120 requests a second for 60 minutes), latency minute by minute and the host's memory every few
/// seconds, as JSON, CSV and a plot.
/// </summary>
internal sealed class SoakBenchmark(double rate, TimeSpan duration, int markets, string folder)
{
    // C71: 95 of 100 answers within 800 ms, and no error of the server.
    private const double LargestP95Ms = 800;

    // The second half of a run: growth below this is noise of the collector, not a leak.
    private const double FlatShare = 0.05;
    private const double FlatMiB = 16;
    private const double LeastMinutesToTell = 2;
    private const double MiB = 1024 * 1024;

    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly List<Window> _windows = [];
    private readonly List<MemorySample> _memory = [];
    private volatile Tally _current = new();

    public async Task<JsonObject> RunAsync()
    {
        Directory.CreateDirectory(folder);
        await using var host = await TradingSystem.ProductAsync().ConfigureAwait(false);
        await host.SetUpAsync(markets).ConfigureAwait(false);
        var range = new MarketRange(0, markets);
        await host.Generator.OpenAsync(rate, range, TimeSpan.FromSeconds(5)).ConfigureAwait(false);

        using var over = new CancellationTokenSource();
        _current = new Tally();
        var watching = WatchAsync(host, over.Token);
        await host.Generator.OpenAsync(rate, range, duration, () => _current, CancellationToken.None).ConfigureAwait(false);
        await over.CancelAsync().ConfigureAwait(false);
        await watching.ConfigureAwait(false);

        await WriteCsvAsync().ConfigureAwait(false);
        await File.WriteAllTextAsync(Path.Combine(folder, "soak.svg"), SoakPlot.Draw(_windows, _memory, rate)).ConfigureAwait(false);
        return Report();
    }

    /// <summary>Ends windows and looks at the memory until the load is over.</summary>
    private async Task WatchAsync(TradingSystem host, CancellationToken over)
    {
        // A short trial run is cut into ten, so that there is something to see.
        var window = duration >= 5 * Minute ? Minute : duration / 10;
        var pace = TimeSpan.FromSeconds(Math.Clamp(window.TotalSeconds / 6, 0.2, 5));
        var (watch, started) = (Stopwatch.StartNew(), TimeSpan.Zero);
        while (!over.IsCancellationRequested)
        {
            _memory.Add(new MemorySample(watch.Elapsed, await host.MetricsAsync().ConfigureAwait(false)));
            var rest = started + window - watch.Elapsed;
            await Task.Delay(rest < pace && rest > TimeSpan.Zero ? rest : pace, over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (watch.Elapsed >= started + window || over.IsCancellationRequested)
            {
                End(watch.Elapsed);
            }
        }

        void End(TimeSpan now)
        {
            var ended = new Window(started, now - started, _current);
            (_current, started) = (new Tally(), now);
            if (ended.Tally.Latency.Count > 0)
            {
                _windows.Add(ended);
                Console.Error.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{now:hh\\:mm\\:ss}: {ended.Tally.Accepted / ended.Length.TotalSeconds:0} trades/s, p95 {Ms(ended.Tally, 0.95):0.0} ms, p99 {Ms(ended.Tally, 0.99):0.0} ms, working set {_memory[^1].Host.WorkingSetBytes / MiB:0} MiB"));
            }
        }
    }

    private JsonObject Report()
    {
        var all = new LatencyHistogram();
        _windows.ForEach(w => all.Add(w.Tally.Latency));
        var (accepted, serverErrors) = (_windows.Sum(w => w.Tally.Accepted), _windows.Sum(w => w.Tally.ServerErrors));
        var p95 = all.Percentile(0.95).TotalMilliseconds;
        return new JsonObject
        {
            ["rate"] = rate,
            ["minutes"] = Statistics.Round(duration.TotalMinutes),
            ["markets"] = markets,
            ["accepted"] = accepted,
            ["rejected"] = _windows.Sum(w => w.Tally.Rejected),
            ["errors"] = new JsonObject(_windows.SelectMany(w => w.Tally.Errors).GroupBy(e => e.Key).Select(g => KeyValuePair.Create(g.Key, (JsonNode?)g.Sum(e => e.Value)))),
            ["server_errors"] = serverErrors,
            ["trades_per_s"] = Statistics.Round(accepted / _windows.Sum(w => w.Length.TotalSeconds)),
            ["p50_ms"] = Statistics.Round(all.Percentile(0.5).TotalMilliseconds),
            ["p95_ms"] = Statistics.Round(p95),
            ["p99_ms"] = Statistics.Round(all.Percentile(0.99).TotalMilliseconds),
            ["max_ms"] = Statistics.Round(all.Longest.TotalMilliseconds),
            ["worst_window_p95_ms"] = Statistics.Round(_windows.Max(w => Ms(w.Tally, 0.95))),
            ["c71_holds"] = p95 < LargestP95Ms && serverErrors == 0,
            ["allocated_bytes_per_trade"] = Statistics.Round((double)(_memory[^1].Host.AllocatedBytes - _memory[0].Host.AllocatedBytes) / Math.Max(1, accepted)),
            ["memory_flat"] = IsFlat(),
            ["working_set"] = Trend(m => m.WorkingSetBytes),
            ["gc_heap"] = Trend(m => m.HeapBytes),
            ["gc_committed"] = Trend(m => m.CommittedBytes),
            ["files"] = new JsonArray("soak-latency.csv", "soak-memory.csv", "soak.svg"),
            ["folder"] = Path.GetFullPath(folder),
        };
    }

    private JsonObject Trend(Func<HostMetrics, long> value) => new()
    {
        ["first_mib"] = Statistics.Round(value(_memory[0].Host) / MiB),
        ["last_mib"] = Statistics.Round(value(_memory[^1].Host) / MiB),
        ["largest_mib"] = Statistics.Round(_memory.Max(m => value(m.Host)) / MiB),
        ["second_half_mib_per_min"] = Statistics.Round(Statistics.Slope(SecondHalf(value))),
    };

    /// <summary>Whether the working set stays where it is; null where the run was too short to tell.</summary>
    private bool? IsFlat()
    {
        var half = SecondHalf(m => m.WorkingSetBytes);
        var minutes = half.Count == 0 ? 0 : half[^1].X - half[0].X;
        return minutes < LeastMinutesToTell ? null : Statistics.Slope(half) * minutes <= Math.Max(FlatMiB, FlatShare * half.Average(p => p.Y));
    }

    /// <summary>Minutes and MiB of the second half alone: the first fills caches and pools.</summary>
    private List<(double X, double Y)> SecondHalf(Func<HostMetrics, long> value) =>
        [.. _memory.Where(m => m.At >= duration / 2).Select(m => (m.At.TotalMinutes, value(m.Host) / MiB))];

    private async Task WriteCsvAsync()
    {
        var latency = new StringBuilder("start_s,seconds,trades_per_s,accepted,rejected,server_errors,unsent,p50_ms,p95_ms,p99_ms,max_ms\n");
        foreach (var (start, length, t) in _windows)
        {
            latency.Append(CultureInfo.InvariantCulture, $"{start.TotalSeconds:0.0},{length.TotalSeconds:0.0},{t.Accepted / length.TotalSeconds:0.0},{t.Accepted},{t.Rejected},{t.ServerErrors},{t.Unsent},{Ms(t, 0.5):0.000},{Ms(t, 0.95):0.000},{Ms(t, 0.99):0.000},{t.Latency.Longest.TotalMilliseconds:0.000}\n");
        }

        var memory = new StringBuilder("at_s,working_set_bytes,gc_committed_bytes,gc_heap_bytes,allocated_bytes\n");
        foreach (var (at, host) in _memory)
        {
            memory.Append(CultureInfo.InvariantCulture, $"{at.TotalSeconds:0.0},{host.WorkingSetBytes},{host.CommittedBytes},{host.HeapBytes},{host.AllocatedBytes}\n");
        }

        await File.WriteAllTextAsync(Path.Combine(folder, "soak-latency.csv"), latency.ToString()).ConfigureAwait(false);
        await File.WriteAllTextAsync(Path.Combine(folder, "soak-memory.csv"), memory.ToString()).ConfigureAwait(false);
    }

    private static double Ms(Tally tally, double share) => tally.Latency.Percentile(share).TotalMilliseconds;
}

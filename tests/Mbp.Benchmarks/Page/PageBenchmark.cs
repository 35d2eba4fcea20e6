using System.Text.Json.Nodes;
using Mbp.Benchmarks.Load;
using Mbp.Benchmarks.Systems;

namespace Mbp.Benchmarks.Page;

/// <summary><c>page</c>: whole pages of markets at a fixed rate while trades go into the same markets at another, both by an open loop.</summary>
internal sealed class PageBenchmark(double reads, double trades, TimeSpan duration)
{
    // What a page may take at 1,000 reads/s while 500 trades/s go in.
    private const double LargestP99Ms = 15;

    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(8);

    public async Task<JsonObject> RunAsync()
    {
        await using var host = await TradingSystem.ProductAsync().ConfigureAwait(false);
        await host.SetUpAsync(Place.Hot.Count).ConfigureAwait(false);
        await LoadAsync(host, WarmUp).ConfigureAwait(false);
        var (before, memory) = (host.Cpu(), await host.MetricsAsync().ConfigureAwait(false));
        var (pages, trading) = await LoadAsync(host, duration).ConfigureAwait(false);
        var (after, grown) = (host.Cpu(), await host.MetricsAsync().ConfigureAwait(false));
        var p99 = Ms(pages, 0.99);
        return new JsonObject
        {
            ["reads_per_s"] = Statistics.Round(pages.TradesPerSecond),
            ["p50_ms"] = Statistics.Round(Ms(pages, 0.5)),
            ["p95_ms"] = Statistics.Round(Ms(pages, 0.95)),
            ["p99_ms"] = Statistics.Round(p99),
            ["max_ms"] = Statistics.Round(pages.Tally.Latency.Longest.TotalMilliseconds),
            ["read_errors"] = Errors(pages),
            ["trades_per_s"] = Statistics.Round(trading.TradesPerSecond),
            ["trade_p50_ms"] = Statistics.Round(Ms(trading, 0.5)),
            ["trade_p99_ms"] = Statistics.Round(Ms(trading, 0.99)),
            ["trade_errors"] = Errors(trading),
            ["asked_reads_per_s"] = reads,
            ["asked_trades_per_s"] = trades,
            ["seconds"] = Statistics.Round(duration.TotalSeconds),
            ["markets"] = Place.Hot.Count,
            ["allocated_bytes_per_read_and_its_trades"] = Statistics.Round((grown.AllocatedBytes - memory.AllocatedBytes) / (double)Math.Max(1, pages.Tally.Accepted)),
            ["cpu_share"] = new JsonObject
            {
                ["host"] = Share(before.Host, after.Host), ["postgres"] = Share(before.Postgres, after.Postgres), ["generator"] = Share(before.Generator, after.Generator),
            },
            ["holds"] = p99 <= LargestP99Ms && pages.Tally.Errors.Count == 0,
        };
    }

    private async Task<(LoadResult Pages, LoadResult Trades)> LoadAsync(TradingSystem host, TimeSpan time)
    {
        var trading = host.Generator.OpenAsync(trades, Place.Hot, time);
        var pages = await host.Generator.PagesAsync(reads, Place.Hot, time).ConfigureAwait(false);
        return (pages, await trading.ConfigureAwait(false));
    }

    /// <summary>Processors in use.</summary>
    private double Share(double before, double after) => Statistics.Round((after - before) / duration.TotalSeconds);

    private static JsonObject Errors(LoadResult result) => new(result.Tally.Errors.Select(error => KeyValuePair.Create(error.Key, (JsonNode?)error.Value)));

    private static double Ms(LoadResult result, double share) => result.Tally.Latency.Percentile(share).TotalMilliseconds;
}

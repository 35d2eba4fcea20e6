using System.Net;
using System.Text.Json.Nodes;
using Mbp.Benchmarks.Load;
using Mbp.Benchmarks.Systems;

namespace Mbp.Benchmarks.Stream;

/// <summary>
/// <c>stream</c>: followers of <c>GET /v2/stream</c> while trades come in at a fixed rate. Half of them follow one market of 32, the others four, and
/// of each hundred one follows the whole ledger. Latency is from the ledger time of an event (before its commit) to its arrival.
/// </summary>
internal sealed class StreamBenchmark(int clients, double rate, TimeSpan duration)
{
    private const int Markets = 32;
    private const int MarketsOfSome = 4;
    private const int OneOfEachFollowsAll = 100;

    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(2);

    private readonly LatencyHistogram _latency = new();

    public async Task<JsonObject> RunAsync()
    {
        await using var host = await TradingSystem.ProductAsync().ConfigureAwait(false);
        await host.SetUpAsync(Markets).ConfigureAwait(false);
        var listeners = Enumerable.Range(0, clients).Select(i => new Listener(Query(i), _latency)).ToList();
        var address = new IPEndPoint(IPAddress.Parse(host.Address.Host), host.Address.Port);
        await Parallel.ForEachAsync(listeners, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (listener, _) => await listener.OpenAsync(address, host.Key).ConfigureAwait(false)).ConfigureAwait(false);
        var listening = listeners.ConvertAll(listener => listener.ListenAsync());

        var range = new MarketRange(0, Markets);
        await host.Generator.OpenAsync(rate, range, WarmUp).ConfigureAwait(false);
        await Task.Delay(Rest).ConfigureAwait(false);
        var since = DateTime.UtcNow;
        listeners.ForEach(listener => listener.Since = since);
        var before = host.Cpu();
        var load = await host.Generator.OpenAsync(rate, range, duration).ConfigureAwait(false);
        var after = host.Cpu();
        await Task.Delay(Rest).ConfigureAwait(false);
        var memory = await host.MetricsAsync().ConfigureAwait(false);
        var gone = listening.Count(task => task.IsCompleted);
        listeners.ForEach(listener => listener.Dispose());
        await Task.WhenAll(listening).ConfigureAwait(false);

        return new JsonObject
        {
            ["clients"] = clients,
            ["rate"] = rate,
            ["seconds"] = Statistics.Round(load.Elapsed.TotalSeconds),
            ["trades_per_s"] = Statistics.Round(load.TradesPerSecond),
            ["trade_p50_ms"] = Statistics.Round(load.Tally.Latency.Percentile(0.5).TotalMilliseconds),
            ["trade_p99_ms"] = Statistics.Round(load.Tally.Latency.Percentile(0.99).TotalMilliseconds),
            ["events_delivered_per_s"] = Statistics.Round(_latency.Count / load.Elapsed.TotalSeconds),
            ["p50_ms"] = Statistics.Round(_latency.Percentile(0.5).TotalMilliseconds),
            ["p99_ms"] = Statistics.Round(_latency.Percentile(0.99).TotalMilliseconds),
            ["max_ms"] = Statistics.Round(_latency.Longest.TotalMilliseconds),
            ["clients_lost"] = gone,
            ["clients_with_a_gap"] = listeners.GroupBy(listener => listener.Query).Sum(group => group.Count(listener => listener.Events < group.Max(other => other.Events))),
            ["host_mb"] = Statistics.Round(memory.WorkingSetBytes / (1024.0 * 1024)),
            ["host_cores"] = Statistics.Round((after.Host - before.Host) / load.Elapsed.TotalSeconds),
            ["postgres_cores"] = Statistics.Round((after.Postgres - before.Postgres) / load.Elapsed.TotalSeconds),
            ["generator_cores"] = Statistics.Round((after.Generator - before.Generator) / load.Elapsed.TotalSeconds),
        };
    }

    private static string Query(int client) =>
        client % OneOfEachFollowsAll == OneOfEachFollowsAll - 1 ? ""
        : client % 2 == 0 ? $"?markets={Place.Market(client / 2 % Markets)}"
        : $"?markets={string.Join(',', Enumerable.Range(0, MarketsOfSome).Select(m => Place.Market((client / 2 + m) % Markets)))}";
}

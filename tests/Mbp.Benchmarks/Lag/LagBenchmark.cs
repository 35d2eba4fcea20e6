using System.Diagnostics;
using System.Text.Json.Nodes;
using Mbp.Benchmarks.Load;
using Mbp.Benchmarks.Systems;
using Npgsql;

namespace Mbp.Benchmarks.Lag;

/// <summary>
/// <c>lag</c>: how long after its answer a trade is in every table, while trades go in at a fixed rate. Some trades are watched: each is sent, and from
/// its answer on the database is asked which position each projection's tables hold.
/// </summary>
internal sealed class LagBenchmark(double rate, TimeSpan duration)
{
    private const int Watchers = 2;

    /// <summary>What a trade has rows in. The others tell the database of their position now and then only.</summary>
    private static readonly string[] Concerned = ["mbp:prices", "mbp:trades", "mbp:accounts", "mbp:positions", "mbp:audit_trail"];

    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(20);

    public async Task<JsonObject> RunAsync()
    {
        await using var host = await TradingSystem.ProductAsync().ConfigureAwait(false);
        await host.SetUpAsync(Place.Hot.Count).ConfigureAwait(false);
        await host.Generator.OpenAsync(rate, Place.Hot, WarmUp).ConfigureAwait(false);

        await using var reader = NpgsqlDataSource.Create(host.Connections.Reader);
        using var stop = new CancellationTokenSource();
        var watching = Enumerable.Range(0, Watchers).Select(number => Task.Run(() => WatchAsync(host, reader, number, stop.Token))).ToList();
        var before = host.Cpu();
        var trading = await host.Generator.OpenAsync(rate, Place.Hot, duration).ConfigureAwait(false);
        var after = host.Cpu();
        await stop.CancelAsync().ConfigureAwait(false);
        var samples = (await Task.WhenAll(watching).ConfigureAwait(false)).SelectMany(sample => sample).ToList();

        var every = samples.Select(sample => Concerned.Max(name => sample[name])).Order().ToList();
        var (p50, p99) = (At(every, 0.5), At(every, 0.99));
        return new JsonObject
        {
            ["trades_per_s"] = Statistics.Round(trading.TradesPerSecond),
            ["p50_ms"] = Statistics.Round(p50),
            ["p95_ms"] = Statistics.Round(At(every, 0.95)),
            ["p99_ms"] = Statistics.Round(p99),
            ["max_ms"] = Statistics.Round(every[^1]),
            ["samples"] = every.Count,
            ["by_projection"] = new JsonObject(Concerned.Select(name =>
            {
                var own = samples.Select(sample => sample[name]).Order().ToList();
                return KeyValuePair.Create(name, (JsonNode?)new JsonObject { ["p50_ms"] = Statistics.Round(At(own, 0.5)), ["p99_ms"] = Statistics.Round(At(own, 0.99)) });
            })),
            ["asked_trades_per_s"] = rate,
            ["trade_p99_ms"] = Statistics.Round(trading.Tally.Latency.Percentile(0.99).TotalMilliseconds),
            ["cpu_share"] = new JsonObject
            {
                ["host"] = Share(before.Host, after.Host), ["postgres"] = Share(before.Postgres, after.Postgres), ["generator"] = Share(before.Generator, after.Generator),
            },
            ["holds"] = p50 <= 10 && p99 <= 100,
        };
    }

    /// <summary>Milliseconds from a trade's answer to its rows, by projection.</summary>
    private static async Task<List<Dictionary<string, double>>> WatchAsync(TradingSystem host, NpgsqlDataSource reader, int number, CancellationToken stop)
    {
        var samples = new List<Dictionary<string, double>>();
        await using var connection = await reader.OpenConnectionAsync(CancellationToken.None).ConfigureAwait(false);
        await using var command = new NpgsqlCommand("SELECT name, last_seq_id FROM mt_event_progression WHERE name LIKE 'mbp:%' AND name NOT LIKE 'mbp:reaction:%'", connection);
        await command.PrepareAsync(CancellationToken.None).ConfigureAwait(false);
        while (!stop.IsCancellationRequested)
        {
            var position = await host.TradeAsync(Place.Hot.First + number, Place.Account(number)).ConfigureAwait(false);
            var answered = Stopwatch.GetTimestamp();
            var seen = new Dictionary<string, double>(StringComparer.Ordinal);
            while (!Concerned.All(seen.ContainsKey))
            {
                // Asked every millisecond or two: more often, the asking would be the load.
                await Task.Delay(1, CancellationToken.None).ConfigureAwait(false);
                await using var rows = await command.ExecuteReaderAsync(CancellationToken.None).ConfigureAwait(false);
                while (await rows.ReadAsync(CancellationToken.None).ConfigureAwait(false))
                {
                    if (rows.GetInt64(1) >= position)
                    {
                        seen.TryAdd(rows.GetString(0), Stopwatch.GetElapsedTime(answered).TotalMilliseconds);
                    }
                }
            }

            samples.Add(seen);
            await Task.Delay(Pace, CancellationToken.None).ConfigureAwait(false);
        }

        return samples;
    }

    private double Share(double before, double after) => Statistics.Round((after - before) / duration.TotalSeconds);

    private static double At(List<double> sorted, double share) => sorted[Math.Min(sorted.Count - 1, (int)(sorted.Count * share))];
}

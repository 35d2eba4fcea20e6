using System.Diagnostics;
using System.Text.Json.Nodes;
using Mbp.Benchmarks.Filling;
using Mbp.Benchmarks.Read;
using Mbp.Benchmarks.Systems;
using Mbp.Ledger.Postgres;

namespace Mbp.Benchmarks.Rebuild;

/// <summary>
/// <c>rebuild</c>: every table from a large ledger by <c>mbp projections rebuild --all</c>, beside a bare read of the same rows, in turns. On a ledger
/// that it fills itself the first round runs before PostgreSQL has ever taken statistics, the others after.
/// </summary>
internal sealed class RebuildBenchmark(long events, int rounds, string? keep) : IDisposable
{
    private readonly string _data = Path.GetFullPath(keep ?? Path.Combine(Path.GetTempPath(), $"mbp-bench-rebuild-{Guid.CreateVersion7():N}"));

    public async Task<JsonObject> RunAsync()
    {
        Directory.CreateDirectory(_data);
        await using var fill = await LedgerFill.OpenAsync(_data).ConfigureAwait(false);
        await ExecuteAsync(fill.Connections, "ALTER TABLE mt_events SET (autovacuum_enabled = off)").ConfigureAwait(false);
        if (await fill.Store.HeadAsync(CancellationToken.None).ConfigureAwait(false) < events * 9 / 10)
        {
            using var progress = new Timer(_ => Console.Error.WriteLine($"filling: {fill.Position} of {events} events"), null, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(5));
            await fill.RunAsync(events).ConfigureAwait(false);
        }

        fill.Connections.Save(Path.Combine(_data, "connections.json"));
        var head = await fill.Store.HeadAsync(CancellationToken.None).ConfigureAwait(false);
        await using var rows = fill.Connections.Open(RoleConnections.ReaderRole);
        var (raw, rebuilt, runs) = (new List<double>(), new List<double>(), new JsonArray());
        for (var round = 1; round <= rounds; round++)
        {
            if (round == 2)
            {
                await ExecuteAsync(fill.Connections, "ANALYZE mt_events").ConfigureAwait(false);
            }

            var watch = Stopwatch.StartNew();
            raw.Add(await LedgerReads.RowsOnlyAsync(rows, head).ConfigureAwait(false) / watch.Elapsed.TotalSeconds);
            var analyzed = await ScalarAsync(rows, "SELECT coalesce(last_analyze, last_autoanalyze) IS NOT NULL FROM pg_stat_user_tables WHERE relname = 'mt_events'").ConfigureAwait(false);
            var (run, peak) = await MbpProcess.RunAsync(_data, "projections", "rebuild", "--all").ConfigureAwait(false);
            rebuilt.Add(run["eventsPerSecond"]!.GetValue<double>());
            run["raw_read_events_per_s"] = Statistics.Round(raw[^1]);
            run["analyzed_before"] = analyzed is true;
            run["peak_mb"] = Statistics.Round(peak);
            run["rows"] = run["tables"]!.AsArray().Sum(table => table!["rows"]!.GetValue<long>());
            run.Remove("tables");
            run.Remove("projections");
            runs.Add(run);
            await Console.Error.WriteLineAsync($"round {round}: {run.ToJsonString()}").ConfigureAwait(false);
        }

        return new JsonObject
        {
            ["events"] = head,
            ["events_per_s"] = Statistics.Round(Statistics.Median(rebuilt)),
            ["raw_read_events_per_s"] = Statistics.Round(Statistics.Median(raw)),
            ["ratio_raw"] = Statistics.Round(Statistics.Median(rebuilt.Zip(raw, (fast, limit) => fast / limit))),
            ["digest_equal"] = runs.All(run => run!["digestEqual"]!.GetValue<bool>()),
            // The first rebuild of a ledger has nothing to compare with.
            ["compared_rounds"] = runs.Count(run => run!["position"]!.GetValue<long>() > 0),
            ["peak_mb"] = runs.Max(run => run!["peak_mb"]!.GetValue<double>()),
            ["rounds"] = rounds,
            ["runs"] = runs,
        };
    }

    public void Dispose()
    {
        if (keep is null)
        {
            Directory.Delete(_data, recursive: true);
        }
    }

    private static async Task ExecuteAsync(RoleConnections connections, string sql)
    {
        await using var owner = connections.Open(RoleConnections.OwnerRole);
        await using var command = owner.CreateCommand(sql);
        command.CommandTimeout = 0;
        await command.ExecuteNonQueryAsync().ConfigureAwait(false);
    }

    private static async Task<object?> ScalarAsync(Npgsql.NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        return await command.ExecuteScalarAsync().ConfigureAwait(false);
    }
}

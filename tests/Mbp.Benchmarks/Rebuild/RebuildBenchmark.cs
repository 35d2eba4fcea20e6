using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Mbp.Benchmarks.Filling;
using Mbp.Benchmarks.Systems;
using Mbp.Domain;
using Mbp.Ledger.Postgres;
using Mbp.Ledger.Postgres.Embedded;
using Mbp.Ledger.Postgres.Reading;
using Npgsql;

namespace Mbp.Benchmarks.Rebuild;

/// <summary>
/// <c>rebuild</c>: every table from a large ledger, beside a bare read of the same rows, in turns. The first round runs before PostgreSQL has ever
/// looked at the ledger's statistics, the others after. Each rebuild is a process of its own, so that its memory is its own.
/// </summary>
internal sealed class RebuildBenchmark(long events, int rounds, string? keep) : IDisposable
{
    /// <summary>The first argument that makes this program one rebuild and nothing else.</summary>
    public const string ChildMode = "rebuild-child";

    // Everything that a fold needs of an event, and nothing done with it.
    private const string RowsOnly = "SELECT seq_id, stream_id, version, id, type, data, timestamp, correlation_id, causation_id, headers FROM mt_events WHERE seq_id > $1 ORDER BY seq_id LIMIT 5000";

    private readonly string _data = Path.GetFullPath(keep ?? Path.Combine(Path.GetTempPath(), $"mbp-bench-rebuild-{Guid.CreateVersion7():N}"));

    public async Task<JsonObject> RunAsync()
    {
        Directory.CreateDirectory(_data);
        await using (var fill = await LedgerFill.OpenAsync(_data).ConfigureAwait(false))
        {
            using var progress = new Timer(_ => Console.Error.WriteLine($"filling: {fill.Position} of {events} events"), null, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(5));
            await fill.RunAsync(events).ConfigureAwait(false);
        }

        await using var postgres = await EmbeddedPostgres.StartAsync(new EmbeddedPostgresOptions(_data), CancellationToken.None).ConfigureAwait(false);
        var connections = postgres.Connections;
        connections.Save(Path.Combine(_data, "connections.json"));
        await ExecuteAsync(connections.Owner, "ALTER TABLE mt_events SET (autovacuum_enabled = off)").ConfigureAwait(false);

        var (raw, rebuilt, runs) = (new List<double>(), new List<double>(), new JsonArray());
        for (var round = 1; round <= rounds; round++)
        {
            if (round == 2)
            {
                await ExecuteAsync(connections.Owner, "ANALYZE mt_events").ConfigureAwait(false);
            }

            raw.Add(await RawAsync(connections).ConfigureAwait(false));
            var run = await ChildAsync().ConfigureAwait(false);
            run["raw_read_events_per_s"] = Statistics.Round(raw[^1]);
            run["analyzed_before"] = round > 1;
            rebuilt.Add(run["events_per_s"]!.GetValue<double>());
            runs.Add(run);
            await Console.Error.WriteLineAsync($"round {round}: {run.ToJsonString()}").ConfigureAwait(false);
        }

        return new JsonObject
        {
            ["events"] = runs[0]!["events"]!.DeepClone(),
            ["events_per_s"] = Statistics.Round(Statistics.Median(rebuilt)),
            ["raw_read_events_per_s"] = Statistics.Round(Statistics.Median(raw)),
            ["ratio_raw"] = Statistics.Round(Statistics.Median(rebuilt.Zip(raw, (fast, limit) => fast / limit))),
            // The first one had nothing to compare with.
            ["digest_equal"] = runs.Skip(1).All(run => run!["compared"]!.GetValue<bool>() && run["digest_equal"]!.GetValue<bool>()),
            ["peak_mb"] = runs.Max(run => run!["peak_mb"]!.GetValue<double>()),
            ["rounds"] = rounds,
            ["runs"] = runs,
        };
    }

    /// <summary>One rebuild of everything, in this process.</summary>
    public static async Task<int> RunChildAsync(string data)
    {
        var connections = RoleConnections.Load(Path.Combine(data, "connections.json"))!;
        await using var store = new PostgresEventStore(connections);
        var report = await new ProjectionRebuild(connections, store, Slices.Catalog()).RunAsync(ReadModels.All, dryRun: false, CancellationToken.None).ConfigureAwait(false);
        using var process = Process.GetCurrentProcess();
        Console.WriteLine(new JsonObject
        {
            ["events"] = report.Events,
            ["events_per_s"] = Statistics.Round(report.EventsPerSecond),
            ["fold_s"] = Statistics.Round(report.FoldSeconds),
            ["index_s"] = Statistics.Round(report.IndexSeconds),
            ["compare_s"] = Statistics.Round(report.CompareSeconds),
            ["total_s"] = Statistics.Round(report.TotalSeconds),
            ["rows"] = report.Tables.Sum(table => table.Rows),
            ["compared"] = report.Position > 0,
            ["digest_equal"] = report.DigestEqual,
            ["peak_mb"] = Statistics.Round(process.PeakWorkingSet64 / 1024.0 / 1024.0),
            ["cpu_s"] = Statistics.Round(process.TotalProcessorTime.TotalSeconds),
        }.ToJsonString());
        return 0;
    }

    public void Dispose()
    {
        if (keep is null)
        {
            Directory.Delete(_data, recursive: true);
        }
    }

    private async Task<JsonObject> ChildAsync()
    {
        await using var child = ChildProcess.Start("Mbp.Benchmarks.dll", ChildMode, "--data", _data);
        while (!child.HasExited)
        {
            await Task.Delay(50).ConfigureAwait(false);
        }

        // Its last line may come after its end.
        await Task.Delay(200).ConfigureAwait(false);
        try
        {
            return JsonNode.Parse(child.Said.Split('\n')[^1])!.AsObject();
        }
        catch (JsonException)
        {
            throw new InvalidOperationException($"The rebuild failed:\n{child.Said}");
        }
    }

    private static async Task<double> RawAsync(RoleConnections connections)
    {
        var watch = Stopwatch.StartNew();
        await using var source = NpgsqlDataSource.Create(connections.Reader);
        await using var connection = await source.OpenConnectionAsync().ConfigureAwait(false);
        var after = new NpgsqlParameter<long> { TypedValue = 0 };
        await using var command = new NpgsqlCommand(RowsOnly, connection) { Parameters = { after }, CommandTimeout = 0 };
        var rows = 0L;
        for (var last = -1L; last != after.TypedValue;)
        {
            last = after.TypedValue;
            await using var reader = await command.ExecuteReaderAsync().ConfigureAwait(false);
            while (await reader.ReadAsync().ConfigureAwait(false))
            {
                after.TypedValue = reader.GetInt64(0);
                rows++;
            }
        }

        return rows / watch.Elapsed.TotalSeconds;
    }

    private static async Task ExecuteAsync(string connection, string sql)
    {
        await using var source = NpgsqlDataSource.Create(connection);
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync().ConfigureAwait(false);
    }
}

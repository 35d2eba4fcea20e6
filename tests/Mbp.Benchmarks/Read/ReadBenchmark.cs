using System.Diagnostics;
using System.Text.Json.Nodes;
using Mbp.Benchmarks.Filling;
using Mbp.Benchmarks.Systems;
using Mbp.Ledger.Postgres;

namespace Mbp.Benchmarks.Read;

/// <summary>
/// <c>read</c>: how fast the whole ledger is read and decoded in order, beside rows that are only stepped over and a naive way, and how fast the
/// audit goes through it. The ways take turns, so that a slow minute of the machine slows all of them.
/// </summary>
internal sealed class ReadBenchmark(long events, string? keep, int rounds) : IDisposable
{
    // Not a private folder: PostgreSQL may have to run as another user, and would keep its data elsewhere for ever.
    private readonly string _data = Path.GetFullPath(keep ?? Path.Combine(Path.GetTempPath(), $"mbp-bench-read-{Guid.CreateVersion7():N}"));

    public async Task<JsonObject> RunAsync()
    {
        Directory.CreateDirectory(_data);
        await using var fill = await LedgerFill.OpenAsync(_data).ConfigureAwait(false);
        if (await fill.Store.HeadAsync(CancellationToken.None).ConfigureAwait(false) < events * 9 / 10)
        {
            using var progress = new Timer(_ => Console.Error.WriteLine($"filling: {fill.Position} of {events} events"), null, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(5));
            await fill.RunAsync(events).ConfigureAwait(false);
        }

        await SettleAsync(fill.Connections).ConfigureAwait(false);
        return await MeasureAsync(fill).ConfigureAwait(false);
    }

    public void Dispose()
    {
        if (keep is null)
        {
            Directory.Delete(_data, recursive: true);
        }
    }

    /// <summary>A ledger that was written in one go would have its hint bits set by whoever reads it first.</summary>
    private static async Task SettleAsync(RoleConnections connections)
    {
        await using var owner = connections.Open(RoleConnections.OwnerRole);
        await using var command = owner.CreateCommand("VACUUM ANALYZE mt_events");
        command.CommandTimeout = 0;
        await command.ExecuteNonQueryAsync().ConfigureAwait(false);
    }

    private async Task<JsonObject> MeasureAsync(LedgerFill fill)
    {
        var head = await fill.Store.HeadAsync(CancellationToken.None).ConfigureAwait(false);
        await using var rows = fill.Connections.Open(RoleConnections.ReaderRole);
        var (raw, read, naive, audit) = (new List<double>(), new List<double>(), new List<double>(), new List<double>());
        var (ratioRaw, ratioNaive, auditMb, cpu) = (new List<double>(), new List<double>(), 0.0, new List<double>());
        CpuTime.ForgetPeak();
        var readMb = 0.0;

        // The first round compiles the code and warms the cache; it is not counted.
        for (var round = 0; round <= rounds; round++)
        {
            var rawSpeed = await SpeedAsync(head, () => LedgerReads.RowsOnlyAsync(rows, head)).ConfigureAwait(false);
            CpuTime.ForgetPeak();
            var cpuBefore = CpuTime.Of(Environment.ProcessId);
            var readSpeed = await SpeedAsync(head, () => LedgerReads.DecodedAsync(fill.Store, head)).ConfigureAwait(false);
            var cpuUsed = (CpuTime.Of(Environment.ProcessId) - cpuBefore) * 1_000_000 / head;
            readMb = Math.Max(readMb, CpuTime.PeakWorkingSet(Environment.ProcessId) / 1024.0 / 1024.0);
            var naiveSpeed = await SpeedAsync(head, () => LedgerReads.NaiveAsync(rows, head)).ConfigureAwait(false);
            var (audited, mb) = await MbpProcess.RunAsync(_data, "audit", "replay").ConfigureAwait(false);
            var auditSpeed = (double)audited["eventsPerSecond"]!;
            await Console.Error.WriteLineAsync(
                $"round {round}: rows only {rawSpeed:0}, decoded {readSpeed:0} ({cpuUsed:0.00} us of processor each), naive {naiveSpeed:0}, audit {auditSpeed:0} events/s").ConfigureAwait(false);
            auditMb = Math.Max(auditMb, mb);
            if (round > 0)
            {
                raw.Add(rawSpeed);
                read.Add(readSpeed);
                naive.Add(naiveSpeed);
                audit.Add(auditSpeed);
                cpu.Add(cpuUsed);
                ratioRaw.Add(readSpeed / rawSpeed);
                ratioNaive.Add(readSpeed / naiveSpeed);
            }
        }

        return new JsonObject
        {
            ["events"] = head,
            ["rounds"] = rounds,
            ["events_per_s"] = Middle(read),
            ["raw_read_events_per_s"] = Middle(raw),
            ["ratio_raw"] = Middle(ratioRaw),
            ["naive_events_per_s"] = Middle(naive),
            ["ratio_naive"] = Middle(ratioNaive),
            ["audit_events_per_s"] = Middle(audit),
            ["peak_mb"] = Statistics.Round(Math.Max(readMb, auditMb)),
            ["read_peak_mb"] = Statistics.Round(readMb),
            ["audit_peak_mb"] = Statistics.Round(auditMb),
            ["read_cpu_us_per_event"] = Middle(cpu),
            ["spread"] = new JsonObject
            {
                ["events_per_s"] = Spread(read), ["raw_read_events_per_s"] = Spread(raw), ["ratio_raw"] = Spread(ratioRaw),
                ["naive_events_per_s"] = Spread(naive), ["ratio_naive"] = Spread(ratioNaive), ["audit_events_per_s"] = Spread(audit),
            },
            ["cores"] = Environment.ProcessorCount,
        };
    }

    private static async Task<double> SpeedAsync(long expected, Func<Task<long>> read)
    {
        GC.Collect();
        var watch = Stopwatch.StartNew();
        var seen = await read().ConfigureAwait(false);
        return seen == expected
            ? seen / watch.Elapsed.TotalSeconds
            : throw new InvalidOperationException($"{seen} events were read, the ledger has {expected}.");
    }

    private static double Middle(IEnumerable<double> values) => Statistics.Round(Statistics.Median(values));

    private static JsonArray Spread(IReadOnlyCollection<double> values) => [Statistics.Round(values.Min()), Statistics.Round(values.Max())];
}

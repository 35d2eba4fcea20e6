using System.Text.Json.Nodes;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Exporters.Json;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace Mbp.Benchmarks.Inner;

/// <summary>
/// <c>inner</c>. In this process: the default way generates a project and builds it, which the repository's central package versions and lock
/// files do not let it.
/// </summary>
internal static class InnerRun
{
    public static JsonObject Run(string folder, string filter)
    {
        var config = ManualConfig.CreateEmpty()
            .AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance))
            .AddColumnProvider(DefaultColumnProviders.Instance)
            .AddLogger(new StreamLogger(new StreamWriter(Console.OpenStandardError()) { AutoFlush = true }))
            .AddExporter(JsonExporter.Brief)
            .WithArtifactsPath(Path.GetFullPath(folder));
        var summaries = BenchmarkSwitcher.FromTypes([typeof(InnerBenchmarks)]).Run(["--filter", $"*{filter}*"], config);
        return new JsonObject(summaries.SelectMany(summary => summary.Reports).Select(report => KeyValuePair.Create(
            report.BenchmarkCase.Descriptor.WorkloadMethod.Name.ToLowerInvariant(),
            (JsonNode?)(report.ResultStatistics is { } times
                ? new JsonObject
                {
                    ["mean_ns"] = Statistics.Round(times.Mean),
                    ["median_ns"] = Statistics.Round(times.Median),
                    ["stddev_ns"] = Statistics.Round(times.StandardDeviation),
                    ["allocated_bytes"] = report.GcStats.GetBytesAllocatedPerOperation(report.BenchmarkCase),
                }
                : throw new InvalidOperationException($"{report.BenchmarkCase.DisplayInfo} failed; the log says why.")))));
    }
}

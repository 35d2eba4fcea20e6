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
    public static int Run(string folder, string filter)
    {
        var config = ManualConfig.CreateEmpty()
            .AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance))
            .AddColumnProvider(DefaultColumnProviders.Instance)
            .AddLogger(ConsoleLogger.Default)
            .AddExporter(JsonExporter.Brief)
            .WithArtifactsPath(Path.GetFullPath(folder));
        var summaries = BenchmarkSwitcher.FromTypes([typeof(InnerBenchmarks)]).Run(["--filter", $"*{filter}*"], config);
        return summaries.All(summary => summary.Reports.All(report => report.Success)) ? 0 : 1;
    }
}

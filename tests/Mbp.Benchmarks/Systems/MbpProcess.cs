using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Mbp.Benchmarks.Systems;

/// <summary>A verb of <c>mbp</c> as an operator runs it: a process of its own, under its own settings.</summary>
internal static class MbpProcess
{
    private static readonly string Program = Path.GetFullPath(Path.Combine(
        AppContext.BaseDirectory, "..", "..", "Mbp.Cli", new DirectoryInfo(AppContext.BaseDirectory).Name, "mbp.dll"));

    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(50);

    /// <returns>The verb's JSON report, and the most memory that it held.</returns>
    public static async Task<(JsonObject Report, double PeakMb)> RunAsync(string data, params IReadOnlyList<string> verb)
    {
        using var process = Process.Start(new ProcessStartInfo(
            "dotnet", [Program, .. verb, "--json", "--data", data]) { RedirectStandardOutput = true, RedirectStandardError = true })
            ?? throw new InvalidOperationException("mbp does not start.");
        var (said, complained) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        var peak = 0L;
        while (!said.IsCompleted)
        {
            peak = Math.Max(peak, CpuTime.PeakWorkingSet(process.Id));
            await Task.WhenAny(said, Task.Delay(Pace)).ConfigureAwait(false);
        }

        await process.WaitForExitAsync().ConfigureAwait(false);
        return process.ExitCode == 0 && JsonNode.Parse(await said.ConfigureAwait(false)) is JsonObject report
            ? (report, peak / 1024.0 / 1024.0)
            : throw new InvalidOperationException($"mbp {string.Join(' ', verb)} failed:\n{await said.ConfigureAwait(false)}\n{await complained.ConfigureAwait(false)}");
    }
}

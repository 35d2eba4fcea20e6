using System.Text.Json;
using System.Text.Json.Nodes;
using Mbp.Benchmarks.Naive;
using Mbp.Benchmarks.Write;

namespace Mbp.Benchmarks;

/// <summary>The benchmark's commands. A report goes to standard output, everything else to standard error.</summary>
internal static class Program
{
    /// <summary>The first argument that makes this program the naive host instead.</summary>
    public const string NaiveMode = "naive-host";

    private const string Usage = """
        write   [--seconds 60]                the product beside the naive way and beside COPY, in turns
        """;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public static async Task<int> Main(string[] arguments)
    {
        try
        {
            var options = new Arguments(arguments.Skip(1));
            switch (arguments.FirstOrDefault())
            {
                case "write":
                    var seconds = options.Number("seconds", otherwise: 60, least: 1);
                    options.Complete();
                    return Print(await WriteBenchmark.RunAsync(seconds).ConfigureAwait(false));
                case NaiveMode:
                    return await NaiveHost.RunAsync(options.Text("data"), options.Text("urls")).ConfigureAwait(false);
                default:
                    throw new UsageException("Which benchmark?");
            }
        }
        catch (UsageException e)
        {
            await Console.Error.WriteLineAsync($"{e.Message}\n\n{Usage}").ConfigureAwait(false);
            return 2;
        }
    }

    private static int Print(JsonObject report)
    {
        Console.WriteLine(report.ToJsonString(Indented));
        return 0;
    }
}

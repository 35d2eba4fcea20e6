using System.Text.Json;
using System.Text.Json.Nodes;
using Mbp.Benchmarks.Anchor;
using Mbp.Benchmarks.Inner;
using Mbp.Benchmarks.Lag;
using Mbp.Benchmarks.Naive;
using Mbp.Benchmarks.Rebuild;
using Mbp.Benchmarks.Read;
using Mbp.Benchmarks.Page;
using Mbp.Benchmarks.Protect;
using Mbp.Benchmarks.Restart;
using Mbp.Benchmarks.Settle;
using Mbp.Benchmarks.Soak;
using Mbp.Benchmarks.Stream;
using Mbp.Benchmarks.Write;

namespace Mbp.Benchmarks;

/// <summary>The benchmark's commands. A report goes to standard output, everything else to standard error.</summary>
internal static class Program
{
    /// <summary>The first argument that makes this program the naive host instead.</summary>
    public const string NaiveMode = "naive-host";

    private const string Usage = """
        write   [--seconds 60]      the product beside a naive way, and the append path beside COPY, in turns
        soak    [--rate 120] [--minutes 60] [--markets 32] [--out artifacts/soak]
                                    a fixed rate for a long time: latency minute by minute, the host's memory
        inner   [--filter NAME] [--out artifacts/inner]
                                    decide, evolve, encode, decode, leaf hash, one by one
        rebuild [--events 1000000] [--rounds 3] [--data DIR]
                                    every table from the ledger, beside a bare read of it; DIR keeps the ledger
        stream  [--clients 2000] [--rate 500] [--seconds 30]
                                    followers of the event stream, while trades come in at a fixed rate
        lag     [--rate 2000] [--seconds 30]
                                    how long after its answer a trade is in every table
        anchor  [--seconds 30]      the product with and without its public log, in turns; how soon a trade is provable; the deep check
        protect [--seconds 30] [--markets 10000]
                                    trades with every rule on and without any, in turns; honest traders beside a hostile one; the ticks of many markets
        page    [--reads 1000] [--trades 500] [--seconds 30]
                                    markets' whole pages at a fixed rate while trades go in
        restart [--events 1000000] [--data DIR]
                                    how soon a host on a large ledger takes trades; DIR keeps the ledger
        settle  [--accounts 100000] [--rate 200] [--markets 1000]
                                    a market of many accounts settles while others trade and a thousand deadlines fall; one commit an account, and COPY
        read    [--events 1000000] [--rounds 5] [--data DIR]
                                    the whole ledger read, decoded and audited; DIR keeps the ledger, or has it
        """;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public static async Task<int> Main(string[] arguments)
    {
        try
        {
            return await RunAsync(arguments.FirstOrDefault(), new Arguments(arguments.Skip(1))).ConfigureAwait(false);
        }
        catch (UsageException e)
        {
            await Console.Error.WriteLineAsync($"{e.Message}\n\n{Usage}").ConfigureAwait(false);
            return 2;
        }
    }

    private static async Task<int> RunAsync(string? verb, Arguments options)
    {
        switch (verb)
        {
            case "write":
                var seconds = options.Number("seconds", otherwise: 60, least: 1);
                options.Complete();
                return Print(await WriteBenchmark.RunAsync(seconds).ConfigureAwait(false));

            case "anchor":
                var anchor = options.Number("seconds", otherwise: 30, least: 1);
                options.Complete();
                return Print(await AnchorBenchmark.RunAsync(anchor).ConfigureAwait(false));

            case "protect":
                var (protect, ticked) = (options.Number("seconds", otherwise: 30, least: 1), (int)options.Number("markets", otherwise: 10_000, least: 0));
                options.Complete();
                return Print(await ProtectBenchmark.RunAsync(protect, ticked).ConfigureAwait(false));

            case "soak":
                var soak = new SoakBenchmark(
                    options.Number("rate", otherwise: 120, least: 1), TimeSpan.FromMinutes(options.Number("minutes", otherwise: 60, least: 0.1)),
                    (int)options.Number("markets", otherwise: 32, least: 1), options.Text("out", "artifacts/soak"));
                options.Complete();
                return Print(await soak.RunAsync().ConfigureAwait(false));

            case "inner":
                var (folder, filter) = (options.Text("out", "artifacts/inner"), options.Text("filter", ""));
                options.Complete();
                return Print(InnerRun.Run(folder, filter));

            case "stream":
                var stream = new StreamBenchmark(
                    (int)options.Number("clients", otherwise: 2_000, least: 1), options.Number("rate", otherwise: 500, least: 1),
                    TimeSpan.FromSeconds(options.Number("seconds", otherwise: 30, least: 1)));
                options.Complete();
                return Print(await stream.RunAsync().ConfigureAwait(false));
            case "page":
                var page = new PageBenchmark(
                    options.Number("reads", otherwise: 1_000, least: 1), options.Number("trades", otherwise: 500, least: 1),
                    TimeSpan.FromSeconds(options.Number("seconds", otherwise: 30, least: 1)));
                options.Complete();
                return Print(await page.RunAsync().ConfigureAwait(false));

            case "restart":
                using (var restart = new RestartBenchmark((long)options.Number("events", otherwise: 1_000_000, least: 10_000), options.Find("data")))
                {
                    options.Complete();
                    return Print(await restart.RunAsync().ConfigureAwait(false));
                }

            case "rebuild":
                using (var rebuild = new RebuildBenchmark(
                    (long)options.Number("events", otherwise: 1_000_000, least: 10_000), (int)options.Number("rounds", otherwise: 3, least: 1), options.Find("data")))
                {
                    options.Complete();
                    return Print(await rebuild.RunAsync().ConfigureAwait(false));
                }

            case "read":
                using (var read = new ReadBenchmark(
                    (long)options.Number("events", otherwise: 1_000_000, least: 10_000), options.Find("data"), (int)options.Number("rounds", otherwise: 5, least: 1)))
                {
                    options.Complete();
                    return Print(await read.RunAsync().ConfigureAwait(false));
                }

            case "settle":
                using (var settle = new SettleBenchmark(
                    (int)options.Number("accounts", otherwise: 100_000, least: 1_000), options.Number("rate", otherwise: 200, least: 1), (int)options.Number("markets", otherwise: 1_000, least: 1)))
                {
                    options.Complete();
                    return Print(await settle.RunAsync().ConfigureAwait(false));
                }

            case "lag":
                var lag = new LagBenchmark(options.Number("rate", otherwise: 2_000, least: 1), TimeSpan.FromSeconds(options.Number("seconds", otherwise: 30, least: 1)));
                options.Complete();
                return Print(await lag.RunAsync().ConfigureAwait(false));

            case NaiveMode:
                return await NaiveHost.RunAsync(options.Text("data"), options.Text("urls")).ConfigureAwait(false);

            default:
                throw new UsageException(verb is null ? "Which benchmark?" : $"There is no benchmark '{verb}'.");
        }
    }

    private static int Print(JsonObject report)
    {
        Console.WriteLine(report.ToJsonString(Indented));
        return 0;
    }
}

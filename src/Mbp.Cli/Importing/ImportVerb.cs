using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Mbp.Cli.Api;
using Mbp.Cli.Files;
using Mbp.Domain.Units;

namespace Mbp.Cli.Importing;

/// <summary><c>mbp import trades TRADES.csv[.gz]</c>.</summary>
internal static class ImportVerb
{
    public static Command Create()
    {
        var file = new Argument<string>("trades") { Description = "CSV, possibly gzipped: market_id, trader_id, side, outcome, amount, shares, seq." };
        var markets = new Option<string?>("--markets") { Description = "CSV: market_id, question, outcome_a, outcome_b, resolved_outcome. By default the *-markets.csv beside." };
        var resolve = new Option<bool>("--resolve") { Description = "Resolve each market with its known result, and settle." };
        var run = new Option<string?>("--run") { Description = "Names this import; its markets get it as a prefix. By default the file's hash, and no prefix." };
        var house = new Option<string>("--house") { Description = "The account that opens the pools.", DefaultValueFactory = _ => "house" };
        var liquidity = new Option<string>("--liquidity") { Description = "CE$ for each pool.", DefaultValueFactory = _ => "100000" };
        var connections = new Option<int>("--connections") { Description = "Markets replayed side by side.", DefaultValueFactory = _ => 32 };
        var positions = new Option<string?>("--positions") { Description = "Also write every final balance and holding to this CSV." };
        var json = new Option<bool>("--json") { Description = "One JSON object instead of a table." };
        var host = new HostConnection();
        var trades = new Command("trades", "Replays a real trade history through the command API.")
        {
            file, markets, resolve, run, house, liquidity, connections, positions, json,
        };
        host.AddTo(trades);
        trades.SetAction(async (parsed, cancellationToken) =>
        {
            var history = TradeHistory.Read(parsed.GetRequiredValue(file), parsed.GetValue(markets));
            if (!Credits.TryParse(parsed.GetValue(liquidity), out var each, out var rule))
            {
                throw new EnvironmentException($"--liquidity: {rule}");
            }

            var name = parsed.GetValue(run);
            var options = new ImportOptions(
                name ?? history.Sha256[..12], name is null ? "" : $"{name}-", parsed.GetValue(house)!, each, Math.Clamp(parsed.GetValue(connections), 1, 256), parsed.GetValue(resolve));
            using var first = host.Client(parsed);
            using var second = host.Client(parsed, second: true);
            var importer = new Importer(first, second, history, options);
            await Progress.ShowAsync("trades", history.Rows, () => importer.Done, importer.RunAsync(cancellationToken)).ConfigureAwait(false);
            var report = await ImportReport.MakeAsync(importer, history, first, cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(positions) is { } csv)
            {
                await ImportReport.WritePositionsAsync(csv, importer, history, options, first, cancellationToken).ConfigureAwait(false);
            }

            var output = parsed.InvocationConfiguration.Output;
            await output.WriteLineAsync(parsed.GetValue(json) ? JsonSerializer.Serialize(report, ImportReport.Json) : report.ToText()).ConfigureAwait(false);
            return report.Holds ? 0 : 1;
        });
        return new Command("import", "Brings histories in.") { trades };
    }
}

/// <summary>A bar on a terminal for whatever takes over two seconds; nothing where nobody looks.</summary>
internal static class Progress
{
    private const int Width = 30;

    public static Task ShowAsync(string what, long total, Func<long> done, Task work) => ShowAsync(() => what, () => total, done, work);

    /// <summary>The same where what is done, and how much of it there is, changes on the way.</summary>
    public static async Task ShowAsync(Func<string> phase, Func<long> all, Func<long> done, Task work)
    {
        var watch = System.Diagnostics.Stopwatch.StartNew();
        while (await Task.WhenAny(work, Task.Delay(200)).ConfigureAwait(false) != work)
        {
            if (Console.IsErrorRedirected || watch.Elapsed.TotalSeconds < 2)
            {
                continue;
            }

            var (what, total, now) = (phase(), all(), done());
            var rate = now / watch.Elapsed.TotalSeconds;
            var filled = (int)(total == 0 ? 0 : Width * now / total);
            var left = rate > 0 ? TimeSpan.FromSeconds((total - now) / rate) : TimeSpan.Zero;
            await Console.Error.WriteAsync(string.Create(
                CultureInfo.InvariantCulture,
                $"\r{what} [{new string('#', filled)}{new string('.', Width - filled)}] {now}/{total}  {rate:0}/s  {left:mm\\:ss} left ")).ConfigureAwait(false);
        }

        if (!Console.IsErrorRedirected && watch.Elapsed.TotalSeconds >= 2)
        {
            await Console.Error.WriteLineAsync().ConfigureAwait(false);
        }

        await work.ConfigureAwait(false);
    }
}

using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Mbp.Benchmarks.Filling;
using Mbp.Benchmarks.Load;
using Mbp.Benchmarks.Systems;
using Mbp.Host.Platform;

namespace Mbp.Benchmarks.Restart;

/// <summary>
/// <c>restart</c>: how soon after its start a host on a large ledger is ready, how soon it takes a trade (it is asked from the first moment on), and
/// what the first trade costs in a market that has a long history and is in no cache.
/// </summary>
internal sealed class RestartBenchmark(long events, string? keep) : IDisposable
{
    private const int WarmTrades = 200;

    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    // Not a private folder: PostgreSQL may have to run as another user, and would keep its data elsewhere for ever.
    private readonly string _data = Path.GetFullPath(keep ?? Path.Combine(Path.GetTempPath(), $"mbp-bench-restart-{Guid.CreateVersion7():N}"));

    public async Task<JsonObject> RunAsync()
    {
        var report = new JsonObject { ["events"] = events };
        await FillAsync(report).ConfigureAwait(false);
        await FirstStartAsync(report).ConfigureAwait(false);
        await MeasureAsync(report).ConfigureAwait(false);
        return report;
    }

    public void Dispose()
    {
        if (keep is null)
        {
            Directory.Delete(_data, recursive: true);
        }
    }

    private async Task FillAsync(JsonObject report)
    {
        Directory.CreateDirectory(_data);
        await using var fill = await LedgerFill.OpenAsync(_data).ConfigureAwait(false);
        var watch = Stopwatch.StartNew();
        using var progress = new Timer(_ => Console.Error.WriteLine($"filling: {fill.Position} of {events} events"), null, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(5));
        report["cold_market_trades"] = await fill.RunAsync(events).ConfigureAwait(false);
        report["ledger_events"] = fill.Position;
        report["fill_s"] = Statistics.Round(watch.Elapsed.TotalSeconds);
        report["fill_events_per_s"] = Statistics.Round(fill.Position / watch.Elapsed.TotalSeconds);
    }

    /// <summary>The start of a new build: there is no checkpoint of the read models that it could go on from. It leaves one when it stops.</summary>
    private async Task FirstStartAsync(JsonObject report)
    {
        var address = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{ChildProcess.FreePort()}"));
        using var http = new HttpClient { BaseAddress = address, Timeout = TimeSpan.FromSeconds(60) };
        await using var host = ChildProcess.Start("Mbp.Host.dll", "--data", _data, "--urls", address.GetLeftPart(UriPartial.Authority), "--limits", "off");
        var (readyAt, _, _) = await UntilAsync(host, () => http.GetAsync(new Uri("/health/ready", UriKind.Relative))).ConfigureAwait(false);
        report["first_start_ready_s"] = Statistics.Round(readyAt.TotalSeconds);
    }

    private async Task MeasureAsync(JsonObject report)
    {
        // The host takes the key that it finds, so trades can be sent before it has said a word.
        var key = (await File.ReadAllTextAsync(OperatorKeys.LoadOrCreate(_data).Path).ConfigureAwait(false)).Trim();
        var address = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{ChildProcess.FreePort()}"));
        using var http = new HttpClient { BaseAddress = address, Timeout = TimeSpan.FromSeconds(60) };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);

        await using var host = ChildProcess.Start("Mbp.Host.dll", "--data", _data, "--urls", address.GetLeftPart(UriPartial.Authority), "--limits", "off");
        var ready = UntilAsync(host, () => http.GetAsync(new Uri("/health/ready", UriKind.Relative)));
        var first = UntilAsync(host, () => TradeAsync(http, LedgerFill.Warm.First));
        var (readyAt, _, _) = await ready.ConfigureAwait(false);
        var (tradeAt, firstTrade, refusals) = await first.ConfigureAwait(false);
        report["ready_s"] = Statistics.Round(readyAt.TotalSeconds);
        report["first_trade_s"] = Statistics.Round(tradeAt.TotalSeconds);
        report["first_trade_ms"] = Statistics.Round(firstTrade.TotalMilliseconds);
        report["refused_before"] = new JsonObject(refusals.Select(r => KeyValuePair.Create(r.Key, (JsonNode?)r.Value)));

        // Once with a host that has compiled next to nothing yet, and once with a warm one: the second is the cost of the cold market alone.
        report["cold_market_first_trade_after_start_ms"] = await TimedAsync(http, LedgerFill.Cold.First).ConfigureAwait(false);
        var warm = new List<double>(WarmTrades);
        for (var i = 0; i < WarmTrades; i++)
        {
            warm.Add(await TimedAsync(http, LedgerFill.Warm.First + i % 20).ConfigureAwait(false));
        }

        report["cold_market_first_trade_ms"] = await TimedAsync(http, LedgerFill.Cold.First + 1).ConfigureAwait(false);
        report["cold_market_second_trade_ms"] = await TimedAsync(http, LedgerFill.Cold.First + 1).ConfigureAwait(false);
        report["warm_trade_p50_ms"] = Statistics.Round(Statistics.Median(warm.Skip(WarmTrades / 2)));
        report["working_set_mib"] = Statistics.Round(CpuTime.WorkingSet(host.Id) / 1024.0 / 1024.0);
    }

    /// <summary>Asks until the answer is 200.</summary>
    /// <returns>When that was, counted from the start of the process; how long that one answer took; what the answers before it were.</returns>
    private static async Task<(TimeSpan At, TimeSpan Took, SortedDictionary<string, int> Before)> UntilAsync(ChildProcess host, Func<Task<HttpResponseMessage>> ask)
    {
        var before = new SortedDictionary<string, int>(StringComparer.Ordinal);
        while (Stopwatch.GetElapsedTime(host.StartedAt) < Patience && !host.HasExited)
        {
            var asked = Stopwatch.GetTimestamp();
            string what;
            try
            {
                using var answer = await ask().ConfigureAwait(false);
                if (answer.StatusCode == HttpStatusCode.OK)
                {
                    return (Stopwatch.GetElapsedTime(host.StartedAt), Stopwatch.GetElapsedTime(asked), before);
                }

                what = $"{(int)answer.StatusCode}";
            }
            catch (HttpRequestException)
            {
                what = "not listening";
            }

            before[what] = before.GetValueOrDefault(what) + 1;
            await Task.Delay(Pace).ConfigureAwait(false);
        }

        throw new InvalidOperationException($"The host did not come up. It said:\n{host.Said}");
    }

    private static async Task<double> TimedAsync(HttpClient http, int market)
    {
        var start = Stopwatch.GetTimestamp();
        using var answer = await TradeAsync(http, market).ConfigureAwait(false);
        var took = Stopwatch.GetElapsedTime(start);
        return answer.StatusCode == HttpStatusCode.OK
            ? Statistics.Round(took.TotalMilliseconds)
            : throw new InvalidOperationException($"A trade was answered {(int)answer.StatusCode}: {await answer.Content.ReadAsStringAsync().ConfigureAwait(false)}");
    }

    private static async Task<HttpResponseMessage> TradeAsync(HttpClient http, int market)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri($"/v2/markets/{Place.Market(market)}/trades", UriKind.Relative))
        {
            Content = JsonContent.Create(new { side = "buy", outcome = "YES", amount = "1", account = Place.Account(market % Place.Accounts) }),
        };
        request.Headers.Add("Idempotency-Key", Guid.CreateVersion7().ToString("N"));
        return await http.SendAsync(request).ConfigureAwait(false);
    }
}

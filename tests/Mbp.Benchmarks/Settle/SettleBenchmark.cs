using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Mbp.Benchmarks.Append;
using Mbp.Benchmarks.Filling;
using Mbp.Benchmarks.Load;
using Mbp.Benchmarks.Systems;
using Mbp.Domain;
using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Pricing;
using Mbp.Domain.Resolution;
using Mbp.Domain.Settlement;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Host.Platform;
using Mbp.Ledger;
using Mbp.Ledger.Postgres;
using Mbp.Ledger.Writing;
using NodaTime;
using Npgsql;

namespace Mbp.Benchmarks.Settle;

/// <summary>
/// <c>settle</c>: a market of many accounts is resolved on a running host and pays all of them, while trades go in on other markets at a fixed rate and the deadlines of
/// many more fall in the same seconds. Then, on the same ledger and server: the naive way, one commit for each account, and the very rows of the settlement by COPY.
/// </summary>
internal sealed class SettleBenchmark(int accounts, double rate, int markets) : IDisposable
{
    private const string Big = "big";
    private const string Small = "small";
    private const int NaiveAccounts = 1_000;
    private const int Writers = 256;

    private static readonly TimeSpan Alone = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(15);
    private static readonly Credits Stake = Credits.FromUnits(2 * Decimal8.One);

    // Not a private folder: PostgreSQL may have to run as another user.
    private readonly string _data = Path.Combine(Path.GetTempPath(), $"mbp-bench-settle-{Guid.CreateVersion7():N}");

    public void Dispose() => Directory.Delete(_data, recursive: true);

    public async Task<JsonObject> RunAsync()
    {
        Directory.CreateDirectory(_data);
        var report = new JsonObject { ["accounts"] = accounts };
        await using (var fill = await LedgerFill.OpenAsync(_data).ConfigureAwait(false))
        {
            var watch = Stopwatch.StartNew();
            using var progress = new Timer(_ => Say($"filling: {fill.Position} events"), null, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(5));
            await fill.SetUpAsync(Place.Hot.End).ConfigureAwait(false);
            await HoldersAsync(fill, Big, accounts, "h").ConfigureAwait(false);
            await HoldersAsync(fill, Small, NaiveAccounts, "n").ConfigureAwait(false);
            report["fill_s"] = Statistics.Round(watch.Elapsed.TotalSeconds);
        }

        var (alone, beside) = await HostAsync(report).ConfigureAwait(false);
        await using (var fill = await LedgerFill.OpenAsync(_data).ConfigureAwait(false))
        {
            var seconds = await MeasureAsync(fill, report).ConfigureAwait(false);
            var naive = await NaiveAsync(fill).ConfigureAwait(false);
            var copy = await CopyAsync(fill).ConfigureAwait(false);
            report["naive_payouts_per_s"] = Statistics.Round(naive);
            report["ratio_naive"] = Statistics.Round(accounts / seconds / naive);
            report["copy_s"] = Statistics.Round(copy.TotalSeconds);
            report["ratio_copy"] = Statistics.Round(copy.TotalSeconds / seconds);
        }

        report["trades_per_s"] = rate;
        report["p99_ms_alone"] = Statistics.Round(alone);
        report["p99_ms_beside"] = Statistics.Round(beside);
        report["p99_ratio"] = Statistics.Round(beside / alone);
        report["how"] = "seconds: from settlement_planned to market_settled by the ledger's own times; naive: one commit an account, one after the other; COPY: the rows of the same payouts with the same check, nothing beside it.";
        return report;
    }

    /// <summary>Accounts that each hold a few shares of one market: three commands an account, decided as any others.</summary>
    private static async Task HoldersAsync(LedgerFill fill, string market, int count, string prefix)
    {
        await fill.SendAsync(Commands.CreateMarket(market, "Is the settlement fast?", Place.Account(0), Credits.FromUnits(1_000_000 * Decimal8.One))).ConfigureAwait(false);
        await Parallel.ForEachAsync(Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = Writers }, async (number, _) =>
        {
            var (id, outcome) = (string.Create(CultureInfo.InvariantCulture, $"{prefix}{number:000000}"), number % 2 == 0 ? "YES" : "NO");
            await fill.SendAsync(Commands.OpenAccount(id)).ConfigureAwait(false);
            await fill.SendAsync(Commands.Grant(id, Stake, "benchmark")).ConfigureAwait(false);
            await fill.SendAsync(TradeOperation.Of(
                new MarketId(market), new AccountId(id),
                at => new BuyShares(new MarketId(market), new AccountId(id), Guid.CreateVersion7().ToString("N"), outcome, Stake, null, at))).ConfigureAwait(false);
        }).ConfigureAwait(false);
    }

    private async Task<(double Alone, double Beside)> HostAsync(JsonObject report)
    {
        var address = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{ChildProcess.FreePort()}"));
        await using var host = ChildProcess.Start("Mbp.Host.dll", "--data", _data, "--urls", address.GetLeftPart(UriPartial.Authority), "--limits", "off");
        using var first = new HttpClient { BaseAddress = address, Timeout = TimeSpan.FromMinutes(2) };
        using var second = new HttpClient { BaseAddress = address, Timeout = TimeSpan.FromMinutes(2) };
        await ReadyAsync(host, first).ConfigureAwait(false);
        var key = (await File.ReadAllTextAsync(OperatorKeys.LoadOrCreate(_data).Path).ConfigureAwait(false)).Trim();
        first.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        second.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", (await File.ReadAllTextAsync(Path.Combine(_data, "api-key-2")).ConfigureAwait(false)).Trim());
        var connections = RoleConnections.Load(Path.Combine(_data, "connections.json"))!;
        await CaughtUpAsync(connections).ConfigureAwait(false);

        var generator = new Generator(address, key);
        await generator.OpenAsync(rate, Place.Hot, WarmUp).ConfigureAwait(false);
        foreach (var step in new[] { ("close", (object)new { reason = "benchmark" }), ("resolution/start", new { }), ("resolution/manual", new { value = "INVALID", evidenceUri = "urn:benchmark" }) })
        {
            await PostAsync(first, $"/v2/markets/{Big}/{step.Item1}", step.Item2).ConfigureAwait(false);
        }

        // The deadlines fall two seconds into the settlement.
        var deadline = SystemClock.Instance.GetCurrentInstant() + Duration.FromTimeSpan(Alone) + Duration.FromSeconds(30);
        await DeadlinesAsync(first, deadline).ConfigureAwait(false);
        var alone = P99(await generator.OpenAsync(rate, Place.Hot, Alone).ConfigureAwait(false));
        Say($"alone: p99 {alone:0.0} ms");
        var wait = deadline - Duration.FromSeconds(2) - SystemClock.Instance.GetCurrentInstant();
        await Task.Delay(wait > Duration.Zero ? wait.ToTimeSpan() : TimeSpan.Zero).ConfigureAwait(false);

        var postmaster = await CpuTime.PostmasterAsync(connections.Reader).ConfigureAwait(false);
        var (hostBefore, postgresBefore) = (CpuTime.Of(host.Id), CpuTime.OfTree(postmaster));
        using var stop = new CancellationTokenSource(Patience);
        var tally = new Tally();
        var trading = generator.OpenAsync(rate, Place.Hot, Patience, () => tally, stop.Token);
        var watch = Stopwatch.StartNew();
        await PostAsync(second, $"/v2/markets/{Big}/resolution/manual/approve", new { }).ConfigureAwait(false);
        while (await PhaseAsync(first).ConfigureAwait(false) != "Settled" && watch.Elapsed < Patience)
        {
            await Task.Delay(50).ConfigureAwait(false);
        }

        report["seconds_from_approval"] = Statistics.Round(watch.Elapsed.TotalSeconds);
        report["host_cpu_s"] = Statistics.Round(CpuTime.Of(host.Id) - hostBefore);
        report["postgres_cpu_s"] = Statistics.Round(CpuTime.OfTree(postmaster) - postgresBefore);
        await stop.CancelAsync().ConfigureAwait(false);
        await trading.ConfigureAwait(false);
        report["trades_beside"] = tally.Accepted;
        report["trade_errors_beside"] = new JsonObject(tally.Errors.Where(e => e.Key != "unsent").Select(e => KeyValuePair.Create(e.Key, (JsonNode?)e.Value)));
        report["p50_ms_beside"] = Statistics.Round(tally.Latency.Percentile(0.5).TotalMilliseconds);
        report["longest_ms_beside"] = Statistics.Round(tally.Latency.Longest.TotalMilliseconds);
        var beside = tally.Latency.Percentile(0.99).TotalMilliseconds;
        Say($"settled after {watch.Elapsed.TotalSeconds:0.0} s; p99 beside {beside:0.0} ms");
        // The deadlines are to have fallen before the host goes.
        await Task.Delay(TimeSpan.FromSeconds(3)).ConfigureAwait(false);
        return (alone, beside);
    }

    private Task DeadlinesAsync(HttpClient http, Instant deadline) => Parallel.ForEachAsync(
        Enumerable.Range(0, markets), new ParallelOptions { MaxDegreeOfParallelism = 32 },
        async (number, _) => await PostAsync(http, "/v2/markets", new
        {
            id = $"d{number}", template = "TPL-YESNO-01", question = $"Is deadline {number} kept?", account = Place.Opener(number), liquidity = "1000", probability = "0.5", ruleset = "replay",
            closesAt = deadline.ToString("uuuu-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
        }).ConfigureAwait(false));

    /// <summary>What the ledger says of the settlement and of the deadlines.</summary>
    /// <returns>Seconds from the plan to the last payout.</returns>
    private static async Task<double> MeasureAsync(LedgerFill fill, JsonObject report)
    {
        var (planned, settled, paid, kept, latest) = ((Instant?)null, (Instant?)null, 0, 0, Duration.Zero);
        var due = new Dictionary<string, Instant>(StringComparer.Ordinal);
        var catalog = Slices.Catalog();
        await foreach (var stored in fill.Store.ReadAllAsync(0, CancellationToken.None).ConfigureAwait(false))
        {
            switch (stored.Type)
            {
                case "market_created":
                    due[stored.Stream.Key] = ((MarketCreated)catalog.Decode(stored).Data).ClosesAt;
                    break;
                case "market_closed" when stored.Stream.Key != Big:
                    (kept, latest) = (kept + 1, Duration.Max(latest, stored.At - due[stored.Stream.Key]));
                    break;
                case "settlement_planned" when stored.Stream.Key == Big:
                    planned = stored.At;
                    break;
                case "payout_recorded" when stored.Stream.Key == Big:
                    paid++;
                    break;
                case "market_settled" when stored.Stream.Key == Big:
                    settled = stored.At;
                    break;
            }
        }

        var seconds = (settled!.Value - planned!.Value).TotalSeconds;
        report["payouts"] = paid;
        report["seconds"] = Statistics.Round(seconds);
        report["payouts_per_s"] = Statistics.Round(paid / seconds);
        report["deadlines"] = kept;
        report["deadlines_latest_ms"] = Statistics.Round(latest.TotalMilliseconds);
        return seconds;
    }

    /// <summary>Payouts a second of the naive way: a commit for each, one after the other, on the product's own write path.</summary>
    private static async Task<double> NaiveAsync(LedgerFill fill)
    {
        var market = new MarketId(Small);
        var (lifecycle, pool) = (Market.Fold.Of(market.Stream), Pool.Fold.Of(market.Stream));
        var (_, _, made) = await FoldLoader.LoadAsync(fill.Store, Slices.Catalog(), lifecycle, CancellationToken.None).ConfigureAwait(false);
        await fill.SendAsync(Operation.On(
            lifecycle, PriceFolds.LastDay.Of(market.Stream),
            (at, state, history) => MarketDecider.Close(new CloseMarket("benchmark", at), state, history).On(market.Stream))).ConfigureAwait(false);
        await fill.SendAsync(Resolve(at => new StartResolution(market, "op-1", at))).ConfigureAwait(false);
        await fill.SendAsync(Resolve(at => new ProposeManually(market, "INVALID", "urn:benchmark", "op-1", at))).ConfigureAwait(false);
        var ended = await fill.SendAsync(Resolve(at => new ApproveManually(market, "op-2", at)), "op-2").ConfigureAwait(false);
        var (_, _, final) = await FoldLoader.LoadAsync(fill.Store, Slices.Catalog(), pool, CancellationToken.None).ConfigureAwait(false);
        var plan = SettlementPlan.From((Pool)final, new PayoutVector(ended.Find<ResolutionDetermined>()!.Vector));
        await fill.SendAsync(SettlementOperation.Plan(market, plan)).ConfigureAwait(false);
        var watch = Stopwatch.StartNew();
        for (var done = 0; done < plan.Payable.Count; done++)
        {
            await fill.SendAsync(SettlementOperation.Pay(market, plan, done, 1)).ConfigureAwait(false);
        }

        return plan.Payable.Count / watch.Elapsed.TotalSeconds;

        Operation Resolve(Func<Instant, ResolutionCommand> command) => ResolutionOperation.Of(market, (Market)made, null, command);
    }

    /// <summary>As many rows as the settlement wrote, with the same streams moved and the same check, by COPY: what the machine can do at best.</summary>
    private static async Task<TimeSpan> CopyAsync(LedgerFill fill)
    {
        var connections = await fill.AnotherAsync("bench_copy").ConfigureAwait(false);
        var (store, batches, opening) = (new PostgresEventStore(connections), new List<Batch>(), new List<Batch>());
        await using var closing = store.ConfigureAwait(false);
        var resolution = StreamId.Of("resolution", Big);
        var (some, version) = (new List<StoredEvent>(), 1L);
        await foreach (var stored in fill.Store.ReadAllAsync(0, CancellationToken.None).ConfigureAwait(false))
        {
            // The account's event of each payout comes just before the payout's own.
            if (stored.Type == "payout_recorded" && stored.Stream == resolution || stored.Type == "account_credited" && stored.Stream.Key.StartsWith('h') && IsPayout(stored))
            {
                some.Add(stored);
            }

            if (some.Count == 400)
            {
                Cut();
            }
        }

        Cut();
        var lease = await store.TryAcquireAsync("benchmark", CancellationToken.None).ConfigureAwait(false) ?? throw new InvalidOperationException("The new ledger has a writer already.");
        await store.AppendAsync(lease, new Batch([New(opening[0].Events[0], resolution, 1)])).ConfigureAwait(false);
        var position = 1L;
        foreach (var batch in opening)
        {
            position = await store.AppendAsync(lease, batch).ConfigureAwait(false);
        }

        await using var copy = await CopyLimit.TakeOverAsync(connections, lease, position).ConfigureAwait(false);
        await lease.DisposeAsync().ConfigureAwait(false);
        var watch = Stopwatch.StartNew();
        foreach (var batch in batches)
        {
            _ = batch.Leaves;
        }

        watch.Restart();
        foreach (var batch in batches)
        {
            await copy.AppendAsync(batch).ConfigureAwait(false);
        }

        return watch.Elapsed;

        void Cut()
        {
            if (some.Count == 0)
            {
                return;
            }

            var at = some[^1].At;
            opening.Add(new Batch([.. some.Where(e => e.Stream != resolution).Select(e => Renewed(e, 1, at))]));
            batches.Add(new Batch([.. some.Select(e => Renewed(e, e.Stream == resolution ? ++version : 2, at))]));
            some.Clear();
        }

        static bool IsPayout(StoredEvent stored) => System.Text.Encoding.UTF8.GetString(stored.Data.Span).Contains("\"payout\"", StringComparison.Ordinal);

        static NewEvent New(NewEvent e, StreamId stream, long version) => e with { Id = Guid.CreateVersion7(), Stream = stream, Version = version };

        static NewEvent Renewed(StoredEvent e, long version, Instant at) => new(
            Guid.CreateVersion7(), e.Stream, version, new EncodedEvent(e.Type, "Mbp.Domain.Event, Mbp.Domain", e.Data.ToArray()), at, e.CorrelationId, e.CausationId, e.Headers);
    }

    private static async Task ReadyAsync(ChildProcess host, HttpClient http)
    {
        for (var watch = Stopwatch.StartNew(); ; await Task.Delay(100).ConfigureAwait(false))
        {
            if (host.HasExited || watch.Elapsed > Patience)
            {
                throw new InvalidOperationException($"The host did not come up. It said:\n{host.Said}");
            }

            try
            {
                using var answer = await http.GetAsync(new Uri("/health/ready", UriKind.Relative)).ConfigureAwait(false);
                if (answer.IsSuccessStatusCode)
                {
                    return;
                }
            }
            catch (HttpRequestException)
            {
                // It does not listen yet.
            }
        }
    }

    /// <summary>The tables of a new host are made from the whole ledger first; that is not what is measured.</summary>
    private static async Task CaughtUpAsync(RoleConnections connections)
    {
        await using var reader = NpgsqlDataSource.Create(connections.Reader);
        await using var command = reader.CreateCommand("""
            SELECT coalesce(min(last_seq_id), 0) >= (SELECT max(position) FROM ledger_head) - 5000
            FROM mt_event_progression WHERE name IN ('mbp:prices', 'mbp:trades', 'mbp:accounts', 'mbp:positions', 'mbp:audit_trail') HAVING count(*) = 5
            """);
        for (var watch = Stopwatch.StartNew(); await command.ExecuteScalarAsync().ConfigureAwait(false) is not true && watch.Elapsed < Patience;)
        {
            await Task.Delay(500).ConfigureAwait(false);
        }

        await Task.Delay(TimeSpan.FromSeconds(3)).ConfigureAwait(false);
    }

    private static async Task<string?> PhaseAsync(HttpClient http) =>
        (string?)(await http.GetFromJsonAsync<JsonObject>(new Uri($"/v2/markets/{Big}", UriKind.Relative)).ConfigureAwait(false))!["phase"];

    private static async Task PostAsync(HttpClient http, string path, object body)
    {
        var key = Guid.CreateVersion7().ToString("N");
        for (var watch = Stopwatch.StartNew(); ; await Task.Delay(200).ConfigureAwait(false))
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(path, UriKind.Relative)) { Content = JsonContent.Create(body) };
            request.Headers.Add("Idempotency-Key", key);
            using var answer = await http.SendAsync(request).ConfigureAwait(false);
            if (answer.IsSuccessStatusCode)
            {
                return;
            }

            // A machine with much else to do may be too late to say what became of a command: asked again under its key, it does.
            if (answer.StatusCode != System.Net.HttpStatusCode.ServiceUnavailable || watch.Elapsed > Patience)
            {
                throw new InvalidOperationException($"{path} answers {(int)answer.StatusCode}: {await answer.Content.ReadAsStringAsync().ConfigureAwait(false)}");
            }
        }
    }

    private static double P99(LoadResult result) => result.Tally.Latency.Percentile(0.99).TotalMilliseconds;

    private static void Say(string what) => Console.Error.WriteLine(what);
}

using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using Mbp.Benchmarks.Load;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Ledger.Postgres;
using Mbp.Ledger.Postgres.Log;

namespace Mbp.Benchmarks.Systems;

/// <summary>A running system that takes trades over HTTP: the product, or the naive way. Both are asked the same, in the same words.</summary>
internal sealed class TradingSystem : IAsyncDisposable
{
    private static readonly TimeSpan StartPatience = TimeSpan.FromMinutes(2);

    private readonly ChildProcess _process;
    private readonly HttpClient _http;
    private readonly string? _data;
    private readonly int _postmaster;

    private TradingSystem(string name, ChildProcess process, HttpClient http, string key, string? data, int postmaster)
    {
        (Name, _process, _http, _data, _postmaster) = (name, process, http, data, postmaster);
        Generator = new Generator(http.BaseAddress!, key);
    }

    public string Name { get; }

    public Generator Generator { get; }

    public Uri Address => _http.BaseAddress!;

    /// <summary>The operator's.</summary>
    public string Key => _http.DefaultRequestHeaders.Authorization!.Parameter!;

    /// <summary>The product's host on a fresh ledger, with no other way in than its API.</summary>
    public static Task<TradingSystem> ProductAsync() => StartAsync("product", "Mbp.Host.dll", "--ephemeral", "--limits", "off");

    /// <summary>The same without the public log: no keeper, no receipts.</summary>
    public static Task<TradingSystem> ProductWithoutLogAsync() => StartAsync("without", "Mbp.Host.dll", "--ephemeral", "--limits", "off", "--log", "off");

    /// <summary>The naive way (<see cref="Naive.NaiveHost"/>).</summary>
    public static Task<TradingSystem> NaiveAsync() => StartAsync("naive", "Mbp.Benchmarks.dll", Program.NaiveMode);

    /// <summary>Accounts with credits, and markets, over the API.</summary>
    public async Task SetUpAsync(int markets)
    {
        await EachAsync(Place.Accounts, async number =>
        {
            var id = Place.Account(number);
            await PostAsync("/v2/accounts", new { id }).ConfigureAwait(false);
            await PostAsync($"/v2/accounts/{id}/credits", new { amount = Text(Place.Funds), reason = "benchmark" }).ConfigureAwait(false);
        }).ConfigureAwait(false);
        await CreateMarketsAsync(new MarketRange(0, markets), "replay").ConfigureAwait(false);
    }

    /// <summary>Markets under a rule set; the accounts are there already.</summary>
    public Task CreateMarketsAsync(MarketRange markets, string ruleset) => EachAsync(markets.Count, number => PostAsync("/v2/markets", new
    {
        id = Place.Market(markets.First + number), template = "TPL-YESNO-01", question = $"Is benchmark market {markets.First + number} fast?",
        account = Place.Opener(markets.First + number), liquidity = Text(Place.Liquidity), probability = "0.5", ruleset,
    }));

    /// <summary>Publishes a rule set, signed with the host's own key.</summary>
    public async Task PublishAsync(string yaml, Policy policy)
    {
        await using var log = await PublicLog.TryOpenAsync(Connections, Path.Combine(Data, "log-ephemeral"), CancellationToken.None).ConfigureAwait(false)
            ?? throw new InvalidOperationException("The host has no public log.");
        var signer = await log.SignerAsync(CancellationToken.None).ConfigureAwait(false) ?? throw new InvalidOperationException("The host's key is not in its data folder.");
        await PostAsync("/v2/rulesets", new { yaml, signature = RulesetNote.Of(policy).Sign(signer) }).ConfigureAwait(false);
    }

    /// <summary>The database behind it.</summary>
    public RoleConnections Connections => RoleConnections.Load(Path.Combine(_data!, "connections.json"))!;

    /// <summary>The host's data folder.</summary>
    public string Data => _data!;

    /// <summary>One trade; returns its position.</summary>
    public async Task<long> TradeAsync(int market, string account) => (await TradedAsync(market, account).ConfigureAwait(false))["position"]!.GetValue<long>();

    /// <summary>What a path says to a GET; null for any status but 200.</summary>
    public async Task<string?> TryGetAsync(string path)
    {
        using var answer = await _http.GetAsync(new Uri(path, UriKind.Relative)).ConfigureAwait(false);
        return answer.StatusCode == System.Net.HttpStatusCode.OK ? await answer.Content.ReadAsStringAsync().ConfigureAwait(false) : null;
    }

    /// <summary>One trade; returns its answer.</summary>
    public async Task<System.Text.Json.Nodes.JsonObject> TradedAsync(int market, string account)
    {
        using var answer = await _http.PostAsJsonAsync(
            new Uri($"/v2/markets/{Place.Market(market)}/trades", UriKind.Relative), new { side = "buy", outcome = "YES", amount = "1", account }).ConfigureAwait(false);
        answer.EnsureSuccessStatusCode();
        return (await answer.Content.ReadFromJsonAsync<System.Text.Json.Nodes.JsonObject>().ConfigureAwait(false))!;
    }

    /// <summary>The host's memory; only the product tells.</summary>
    public async Task<HostMetrics> MetricsAsync() => HostMetrics.Parse(await _http.GetStringAsync(new Uri("/metrics", UriKind.Relative)).ConfigureAwait(false));

    public long WorkingSet() => CpuTime.WorkingSet(_process.Id);

    /// <summary>Processor seconds used so far: the host, its PostgreSQL, and this process, which makes the load.</summary>
    public (double Host, double Postgres, double Generator) Cpu() =>
        (CpuTime.Of(_process.Id), CpuTime.OfTree(_postmaster), CpuTime.Of(Environment.ProcessId));

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _process.DisposeAsync().ConfigureAwait(false);
        if (_data is not null)
        {
            Directory.Delete(_data, recursive: true);
        }
    }

    private static async Task<TradingSystem> StartAsync(string name, string program, params string[] arguments)
    {
        var data = Directory.CreateTempSubdirectory($"mbp-bench-{name}-").FullName;
        var address = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{ChildProcess.FreePort()}"));
        var process = ChildProcess.Start(program, [.. arguments, "--data", data, "--urls", address.GetLeftPart(UriPartial.Authority)]);
        try
        {
            var http = new HttpClient { BaseAddress = address, Timeout = TimeSpan.FromSeconds(30) };
            await ReadyAsync(process, http).ConfigureAwait(false);
            var key = (await File.ReadAllTextAsync(Path.Combine(data, "api-key")).ConfigureAwait(false)).Trim();
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
            var connections = RoleConnections.Load(Path.Combine(data, "connections.json")) ?? throw new InvalidOperationException($"The {name} host left no connections.json.");
            return new TradingSystem(name, process, http, key, data, await CpuTime.PostmasterAsync(connections.Reader).ConfigureAwait(false));
        }
        catch
        {
            await process.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static async Task ReadyAsync(ChildProcess process, HttpClient http)
    {
        for (var until = DateTime.UtcNow + StartPatience; ; await Task.Delay(50).ConfigureAwait(false))
        {
            if (process.HasExited || DateTime.UtcNow > until)
            {
                throw new InvalidOperationException($"A host did not come up. It said:\n{process.Said}");
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

    private async Task PostAsync(string path, object body)
    {
        using var answer = await _http.PostAsJsonAsync(new Uri(path, UriKind.Relative), body).ConfigureAwait(false);
        if (!answer.IsSuccessStatusCode)
        {
            throw new InvalidOperationException($"{Name}: {path} answers {(int)answer.StatusCode}: {await answer.Content.ReadAsStringAsync().ConfigureAwait(false)}");
        }
    }

    private static Task EachAsync(int count, Func<int, Task> step) => Parallel.ForEachAsync(
        Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (number, _) => await step(number).ConfigureAwait(false));

    private static string Text(long amount) => amount.ToString(CultureInfo.InvariantCulture);
}

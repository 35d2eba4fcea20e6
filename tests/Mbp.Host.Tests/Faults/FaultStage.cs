using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Reflection;
using System.Text.Json;
using Mbp.Domain.Audit;
using Mbp.Host.Platform;
using Mbp.Host.Tests.Hosting;
using Mbp.Ledger;
using Mbp.Ledger.Writing;
using Mbp.Testing;
using Microsoft.Extensions.DependencyInjection;
using NodaTime;
using Npgsql;
using Xunit.Sdk;

namespace Mbp.Host.Tests.Faults;

/// <summary>These run alone, after everything else: they load the machine, and some of them watch the time.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class FaultTestsRunAlone
{
    public const string Name = "faults";
}

/// <summary>The seeds of a scenario. <c>MBP_FAULT_SEED=n</c> plays one other seed instead.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FaultSeedsAttribute(params int[] seeds) : DataAttribute
{
    public override IEnumerable<object[]> GetData(MethodInfo testMethod) =>
        Environment.GetEnvironmentVariable("MBP_FAULT_SEED") is { Length: > 0 } one
            ? [[int.Parse(one, CultureInfo.InvariantCulture)]]
            : seeds.Select(seed => new object[] { seed });
}

/// <summary>Where it is played.</summary>
internal sealed record StageOptions
{
    /// <summary>Where the host's own PostgreSQL is to live; null = a database of its own on the server that all tests share.</summary>
    public string? OwnServerIn { get; init; }

    /// <summary>The port through which the host reaches the shared server, given the server's own.</summary>
    public Func<int, int>? Through { get; init; }

    public IClock Clock { get; init; } = SystemClock.Instance;

    public int Clients { get; init; } = 8;

    /// <summary>Of a hundred operations, how many only look.</summary>
    public int ReadsPercent { get; init; } = 20;
}

/// <summary>
/// A real host on a real PostgreSQL, and clients that trade and look at markets over HTTP until they are told to stop. Whatever is done to the
/// host meanwhile, <see cref="HoldsAsync"/> says whether every promise was kept. Dice are thrown by seed, one for each client and one for the story.
/// </summary>
internal sealed class FaultStage : IAsyncDisposable
{
    private const string Operator = "op-1";
    private const int Accounts = 6;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly StageOptions _options;
    private readonly int _seed;
    private readonly string _data;
    private readonly string? _postgres;
    private readonly string _urls = $"http://127.0.0.1:{ChildHost.FreePort()}";
    private readonly List<string> _story = [];
    private readonly List<string> _markets = [];
    private readonly List<Task> _clients = [];
    private readonly ConcurrentQueue<Told> _told = new();
    private readonly ConcurrentQueue<Seen> _seen = new();
    private readonly ConcurrentDictionary<string, int> _refusals = new();
    private volatile bool _stop;
    private int _acknowledged;
    private int _answered;
    private int _rounds;
    private int _own;
    private long _opened;
    private RunningHost? _host;

    private FaultStage(int seed, StageOptions options, string? postgres, string superuser)
    {
        (_seed, _options, _postgres, Superuser) = (seed, options, postgres, superuser);
        _data = options.OwnServerIn ?? Directory.CreateTempSubdirectory("mbp-fault-").FullName;
        Dice = new Random(seed);
    }

    public Random Dice { get; }

    public RunningHost Host => _host!;

    public Api Api { get; private set; } = null!;

    public LedgerWriter Writer => Host.App.Services.GetRequiredService<LedgerWriter>();

    /// <summary>The administrator of the database, past whatever stands between it and the host.</summary>
    public string Superuser { get; private set; }

    public IReadOnlyList<string> Markets => _markets;

    /// <summary>Trades acknowledged so far.</summary>
    public int Acknowledged => Volatile.Read(ref _acknowledged);

    /// <summary>Trades and reads that have their answer.</summary>
    public int Answered => Volatile.Read(ref _answered);

    /// <summary>Answers by which commands were put off, by code: proof that clients met the faults.</summary>
    public IReadOnlyDictionary<string, int> Refusals => _refusals;

    /// <summary>Plays a story; a failure tells the seed and what had been done.</summary>
    public static async Task PlayAsync(int seed, StageOptions options, Func<FaultStage, Task> story)
    {
        FaultStage? stage = null;
        try
        {
            stage = await OpenAsync(seed, options);
            await story(stage);
        }
        catch (Exception e)
        {
            throw new XunitException($"MBP_FAULT_SEED={seed} plays this again. What was done:\n  {string.Join("\n  ", stage?._story ?? [])}\n{e}");
        }
        finally
        {
            await (stage?.DisposeAsync() ?? ValueTask.CompletedTask);
        }
    }

    /// <summary>Says what was done; the failure message repeats it.</summary>
    public void Tell(string what)
    {
        lock (_story)
        {
            _story.Add(string.Create(CultureInfo.InvariantCulture, $"{DateTime.UtcNow:HH:mm:ss.fff} {what}"));
        }
    }

    public void LetClientsTrade()
    {
        _stop = false;
        var round = ++_rounds;
        _clients.AddRange(Enumerable.Range(0, _options.Clients).Select(client => Task.Run(() => ClientAsync(client, round))));
    }

    /// <summary>Waits until so many more trades are acknowledged: the host goes on.</summary>
    public Task MoreTradesAsync(int more) => UntilAsync(() => Acknowledged, Acknowledged + more, "trades are acknowledged");

    public Task MoreAnswersAsync(int more) => UntilAsync(() => Answered, Answered + more, "operations are answered");

    /// <summary>Waits until no trade has been acknowledged for so long, and clients were put off instead.</summary>
    public async Task RefusedForAsync(TimeSpan time)
    {
        var (before, begun, acknowledged, since) = (_refusals.Values.Sum(), Stopwatch.GetTimestamp(), Acknowledged, Stopwatch.GetTimestamp());
        while (Stopwatch.GetElapsedTime(since) < time || _refusals.Values.Sum() == before)
        {
            await Task.Delay(10);
            (since, acknowledged) = Acknowledged > acknowledged ? (Stopwatch.GetTimestamp(), Acknowledged) : (since, acknowledged);
            Assert.True(Stopwatch.GetElapsedTime(begun) < Patience, $"Trades are still acknowledged after {Patience}. {Summary()}");
        }
    }

    /// <summary>One more trade beside the clients', which must be taken at once.</summary>
    public async Task<Answer> BuyAsync(string market)
    {
        var (key, start) = ($"{_seed}-own-{++_own}", Stopwatch.GetTimestamp());
        var answer = (await Api.BuyAsync(market, "account0", "YES", "1", key)).Ok();
        _told.Enqueue(new Told(-1, key, market, start, Stopwatch.GetTimestamp(), Verdict.Acknowledged, answer.Position, answer["tradeId"]));
        return answer;
    }

    /// <summary>Ends the load: each client gets its last answer first.</summary>
    public async Task StopClientsAsync()
    {
        _stop = true;
        await Task.WhenAll(_clients);
        _clients.Clear();
    }

    public async Task RestartHostAsync()
    {
        Tell("the host stops and starts again");
        await StopHostAsync();
        await StartHostAsync();
    }

    /// <summary>
    /// Every promise at once: all keys have one answer, what was acknowledged is there once and nothing else is, no command is half there, time and
    /// order are kept, no read went back; and the whole ledger holds, as <c>mbp audit replay</c> would have it.
    /// </summary>
    public async Task HoldsAsync()
    {
        await StopClientsAsync();
        await UntilWriterAsync();
        var (ledger, versions) = await LedgerAsync();
        Empty(History.Complaints(Entry.Of(ledger), [.. _told], [.. _seen]));
        Empty(await KeyComplaintsAsync());
        await AuditHoldsAsync(ledger, versions);
    }

    public async Task AuditHoldsAsync()
    {
        var (ledger, versions) = await LedgerAsync();
        await AuditHoldsAsync(ledger, versions);
    }

    /// <summary>All events, and the version that each stream claims at the same moment: a worker of the host may write at any full minute.</summary>
    private async Task<(List<Recorded> Ledger, List<(StreamId, long)> Versions)> LedgerAsync()
    {
        var store = Host.Database.Store;
        var (ledger, versions) = (new List<Recorded>(), new List<(StreamId, long)>());
        do
        {
            await foreach (var stored in store.ReadAllAsync(ledger.Count, CancellationToken.None))
            {
                ledger.Add(Slices.Value.Decode(stored));
            }

            versions.Clear();
            await foreach (var version in store.ReadStreamVersionsAsync(CancellationToken.None))
            {
                versions.Add(version);
            }
        }
        while (ledger.Count != await store.HeadAsync(CancellationToken.None));
        return (ledger, versions);
    }

    private async Task AuditHoldsAsync(List<Recorded> ledger, List<(StreamId, long)> versions)
    {
        var audit = new LedgerAudit();
        for (int from = 0, to = 1; to <= ledger.Count; to++)
        {
            if (to == ledger.Count || ledger[to].Stored.CausationId != ledger[from].Stored.CausationId)
            {
                audit.Observe(ledger.GetRange(from, to - from));
                from = to;
            }
        }

        // More than the audit asks: two commands never share a time.
        Assert.All(ledger.Zip(ledger.Skip(1)), pair => Assert.True(
            pair.First.At < pair.Second.At || pair.First.Stored.CausationId == pair.Second.Stored.CausationId, $"Time stands still at {pair.Second.Position}."));
        audit.CheckEnd(ledger.Count, versions);
        Empty(audit.Report.Faults);
        Assert.Equal(audit.GrantedUnits, audit.AccountUnits + audit.MarketUnits);

        // The read models, which followed commit by commit, and the fold of the whole ledger are the same.
        var digest = (await Api.GetAsync(string.Create(CultureInfo.InvariantCulture, $"/v2/audit/digest?min_position={audit.Position}"))).Ok();
        Assert.Equal(LedgerDigest.Of(audit.States.Accounts, audit.States.Markets.Select(m => KeyValuePair.Create(m.Key, m.Value.Pool))), digest["digest"]);
    }

    /// <summary>What was done, how many operations there were, and their mix, for the log.</summary>
    public string Summary() => string.Create(
        CultureInfo.InvariantCulture,
        $"{string.Join('\n', _story)}\n{_told.Count + _seen.Count} operations: {_told.Count} trades ({string.Join(", ", _told.GroupBy(t => t.Verdict).Select(g => $"{g.Count()} {g.Key}"))}), {_seen.Count} reads; put off: {string.Join(", ", _refusals.Select(r => $"{r.Value} {r.Key}"))}");

    public async Task UntilWriterAsync() => await UntilAsync(() => Writer.IsWriter ? 1 : 0, 1, "host is the writer");

    /// <summary>Waits until the database shows something.</summary>
    public async Task UntilRowAsync(string sql)
    {
        for (var start = Stopwatch.GetTimestamp(); (await RowsAsync(sql)).Count == 0; await Task.Delay(10))
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < Patience, $"No row after {Patience}: {sql}");
        }
    }

    public Task<IReadOnlyList<string>> RowsAsync(string sql) => PostgresFixture.RowsAsync(Superuser, sql);

    /// <summary>Ends the session that holds the lease: the lock is free, and the host does not know yet.</summary>
    public async Task EndLeaseSessionAsync()
    {
        Tell("the lease's session is ended");
        await RowsAsync("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = 5063248 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())");
    }

    /// <summary>kill -9 on the server's first process, or on one of its sessions: the supervisor, or the server itself, must start it again.</summary>
    public async Task KillPostgresAsync(bool firstProcess)
    {
        await using var session = new NpgsqlConnection(Superuser);
        await session.OpenAsync();
        var victim = session.ProcessID;
        if (firstProcess)
        {
            // The parent of any session is the server's first process.
            var stat = await File.ReadAllTextAsync(string.Create(CultureInfo.InvariantCulture, $"/proc/{victim}/stat"));
            victim = int.Parse(stat.Split(' ')[3], CultureInfo.InvariantCulture);
        }

        Tell($"PostgreSQL's {(firstProcess ? "first process" : "session")} {victim} is killed");
        Process.GetProcessById(victim).Kill();
    }

    public async ValueTask DisposeAsync()
    {
        _stop = true;
        await Task.WhenAll(_clients).ContinueWith(_ => { }, TaskScheduler.Default);
        await StopHostAsync();
        if (_options.OwnServerIn is null)
        {
            Directory.Delete(_data, recursive: true);
        }
    }

    private static readonly Lazy<EventCatalog> Slices = new(Domain.Slices.Catalog);

    private static async Task<FaultStage> OpenAsync(int seed, StageOptions options)
    {
        FaultStage stage;
        if (options.OwnServerIn is not null)
        {
            stage = new FaultStage(seed, options, postgres: null, superuser: "");
        }
        else
        {
            var database = new PostgresFixture();
            await database.InitializeAsync();
            var through = new NpgsqlConnectionStringBuilder(database.Superuser) { Pooling = true };
            through.Port = options.Through?.Invoke(through.Port) ?? through.Port;
            stage = new FaultStage(seed, options, through.ConnectionString, database.Superuser);
        }

        try
        {
            await stage.StartHostAsync();
            await stage.PeopleAndMarketsAsync();
            return stage;
        }
        catch
        {
            await stage.DisposeAsync();
            throw;
        }
    }

    private async Task StartHostAsync()
    {
        _host = await MbpHost.StartAsync(new MbpOptions { Urls = _urls, Data = _data, Postgres = _postgres, Clock = _options.Clock, Limits = false }, CancellationToken.None);
        if (_postgres is null)
        {
            Superuser = new NpgsqlConnectionStringBuilder(Host.Database.Connections.Owner)
            {
                Username = "postgres", Password = (await File.ReadAllTextAsync(Path.Combine(_data, "postgres-password"))).Trim(), Pooling = false,
            }.ConnectionString;
        }

        Api = await NewApiAsync();
        await Api.ReadyAsync();
    }

    private async Task StopHostAsync()
    {
        Api?.Dispose();
        if (_host is { } host)
        {
            _host = null;
            await host.DisposeAsync();
        }
    }

    private async Task<Api> NewApiAsync() => new(Host.Address, await File.ReadAllTextAsync(Path.Combine(_data, "api-key")));

    private async Task PeopleAndMarketsAsync()
    {
        await Api.AccountAsync("house", "1000000");
        for (var account = 0; account < Accounts; account++)
        {
            await Api.AccountAsync($"account{account}", "1000000");
        }

        for (var market = 0; market < 3; market++)
        {
            _markets.Add(await Api.MarketAsync("house", new { liquidity = "100000" }));
        }

        _opened = (await Api.GetAsync($"/v2/markets/{_markets[^1]}")).Ok().Position;
    }

    private async Task ClientAsync(int client, int round)
    {
        using var api = await NewApiAsync();
        var (dice, seen) = (new Random((_seed * 1_000) + client), _opened);
        for (var n = 0; !_stop; n++)
        {
            var market = _markets[dice.Next(_markets.Count)];
            if (dice.Next(100) < _options.ReadsPercent)
            {
                var read = await ReadAsync(api, client, market, quote: dice.Next(2) == 0, minPosition: seen);
                _seen.Enqueue(read);
                seen = Math.Max(seen, read.Position);
            }
            else
            {
                var told = await TradeAsync(api, client, market, string.Create(CultureInfo.InvariantCulture, $"{_seed}-{client}-{round}-{n}"), dice);
                _told.Enqueue(told);
                seen = Math.Max(seen, told.Position);
                Interlocked.Add(ref _acknowledged, told.Verdict == Verdict.Acknowledged ? 1 : 0);
            }

            Interlocked.Increment(ref _answered);
        }
    }

    /// <summary>One trade under one key, tried again until its answer is final.</summary>
    private async Task<Told> TradeAsync(Api api, int client, string market, string key, Random dice)
    {
        var (account, outcome, amount) = ($"account{dice.Next(Accounts)}", dice.Next(2) == 0 ? "YES" : "NO", (dice.Next(100, 900) / 100m).ToString(CultureInfo.InvariantCulture));
        var (sells, givesUp, open, start) = (dice.Next(4) == 0, dice.Next(4) == 0, false, Stopwatch.GetTimestamp());
        while (true)
        {
            var answer = sells ? await api.SellAsync(market, account, outcome, amount, key) : await api.BuyAsync(market, account, outcome, amount, key);
            var end = Stopwatch.GetTimestamp();
            switch (answer)
            {
                case { IsOk: true }:
                    return new Told(client, key, market, start, end, Verdict.Acknowledged, answer.Position, answer["tradeId"]);
                case { Status: 422 }:
                    return new Told(client, key, market, start, end, Verdict.Refused);
            }

            PutOff(answer);
            open |= answer.Code == "ledger.unknown_outcome";
            if (givesUp && !open)
            {
                return new Told(client, key, market, start, end, Verdict.NotWritten);
            }

            Assert.True(Stopwatch.GetElapsedTime(start) < Patience, $"Key {key} has no answer but {answer} after {Patience}.");
            await Task.Delay(dice.Next(5, 100));
        }
    }

    private async Task<Seen> ReadAsync(Api api, int client, string market, bool quote, long minPosition)
    {
        var path = string.Create(CultureInfo.InvariantCulture, $"/v2/markets/{market}{(quote ? "/quote?side=buy&outcome=YES&amount=1&" : "?")}min_position={minPosition}");
        for (var begun = Stopwatch.GetTimestamp(); ; await Task.Delay(50))
        {
            var start = Stopwatch.GetTimestamp();
            var answer = await api.GetAsync(path);
            var end = Stopwatch.GetTimestamp();
            if (answer.IsOk)
            {
                using var body = JsonDocument.Parse(answer.Text);
                var price = quote ? body.RootElement.GetProperty("priceBefore") : body.RootElement.GetProperty("prices")[0];
                return new Seen(client, market, start, end, minPosition, body.RootElement.GetProperty("position").GetInt64(), price.GetString()!);
            }

            PutOff(answer);
            Assert.True(Stopwatch.GetElapsedTime(begun) < Patience, $"{path} has no answer but {answer} after {Patience}.");
        }
    }

    /// <summary>There is one honest way to be put off: 503, a code of the contract, and when to come again.</summary>
    private void PutOff(Answer answer)
    {
        Assert.True(
            answer.Status == (int)HttpStatusCode.ServiceUnavailable
            && answer.Code is "ledger.busy" or "ledger.not_writer" or "ledger.unavailable" or "ledger.unknown_outcome" or "reads.behind"
            && answer.Headers.RetryAfter is not null,
            $"Nobody is put off like this: {answer}");
        _refusals.AddOrUpdate(answer.Code!, 1, (_, count) => count + 1);
    }

    /// <summary>What the ledger remembers under each key is what its client was told.</summary>
    private async Task<List<string>> KeyComplaintsAsync()
    {
        List<string> complaints = [];
        foreach (var some in _told.Chunk(5_000))
        {
            var found = await Host.Database.Store.FindCommandsAsync([.. some.Select(t => new CommandKey(Operator, t.Key))], CancellationToken.None);
            complaints.AddRange(some
                .Where(t => t.Position != (found.TryGetValue(new(Operator, t.Key), out var command) ? command.LastPosition : 0))
                .Select(t => $"The ledger remembers something else under key {t.Key} than {t}."));
        }

        return complaints;
    }

    private static void Empty<T>(IReadOnlyList<T> complaints) => Assert.True(complaints.Count == 0, string.Join('\n', complaints));

    private async Task UntilAsync(Func<int> count, int wanted, string what)
    {
        for (var start = Stopwatch.GetTimestamp(); count() < wanted; await Task.Delay(10))
        {
            if (_clients.Find(client => client.IsFaulted) is { } failed)
            {
                await failed;
            }

            Assert.True(Stopwatch.GetElapsedTime(start) < Patience, $"After {Patience} {count()} of {wanted} {what}. {Summary()}");
        }
    }
}

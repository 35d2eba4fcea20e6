using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Mbp.Ledger.Postgres;
using Mbp.Ledger.Postgres.Log;
using Mbp.Testing;
using NodaTime;
using static Mbp.Ledger.Tests.Given;

namespace Mbp.Ledger.Tests.Log;

/// <summary>A ledger with a public log, on a database and a folder of its own.</summary>
internal sealed class LogStage : IAsyncDisposable
{
    private static readonly LogKeeperOptions Quick = new() { Every = TimeSpan.FromMilliseconds(50), AtMost = TimeSpan.Zero, LockRetry = TimeSpan.FromMilliseconds(50), Look = TimeSpan.FromMilliseconds(50) };

    private readonly PostgresFixture _database = new();
    private readonly List<(LogKeeper Keeper, CancellationTokenSource Stop, Task Run)> _keepers = [];

    private LogStage()
    {
    }

    public string Folder { get; } = Directory.CreateTempSubdirectory("mbp-log-").FullName;

    public RoleConnections Connections => _database.Connections;

    public PostgresEventStore Store { get; private set; } = null!;

    public PublicLog Log { get; private set; } = null!;

    public static async Task<LogStage> NewAsync(int events = 0)
    {
        var stage = new LogStage();
        await stage._database.InitializeAsync();
        stage.Store = new PostgresEventStore(stage.Connections);
        stage.Log = await PublicLog.OpenAsync(stage.Connections, stage.Folder, "test.example", CancellationToken.None);
        await stage.AppendAsync(events);
        return stage;
    }

    /// <summary>Appends events in commits of uneven sizes.</summary>
    public async Task<long> AppendAsync(int events)
    {
        await using var lease = await Store.TryAcquireAsync("log tests", CancellationToken.None) ?? throw new InvalidOperationException("Somebody holds the lease.");
        var head = lease.Position;
        for (var commit = 1; events > 0; events -= commit, commit = Math.Min(events, (commit * 3 % 97) + 1))
        {
            head = await Store.AppendAsync(lease, new Batch(Events(Stream(), 1, commit)));
        }

        return head;
    }

    /// <summary>A keeper that runs, with what it complains of.</summary>
    public LogKeeper Keep(List<string>? troubles = null)
    {
        var keeper = new LogKeeper(Log, Connections, Store, Quick, SystemClock.Instance, (e, what) => troubles?.Add($"{e.Message} {what}"));
        var stop = new CancellationTokenSource();
        _keepers.Add((keeper, stop, Task.Run(() => keeper.RunAsync(stop.Token))));
        return keeper;
    }

    /// <summary>Starts a keeper and waits until all is signed, or until it halts.</summary>
    public async Task<LogFault?> KeepAsync()
    {
        var keeper = Keep();
        var head = await Store.HeadAsync(CancellationToken.None);
        await UntilAsync(() => keeper.State.Fault is not null || (keeper.State.Keeps && keeper.State.SignedSize == head));
        return keeper.State.Fault;
    }

    public async Task StopAsync()
    {
        foreach (var (keeper, stop, run) in _keepers)
        {
            await stop.CancelAsync();
            await run;
            await keeper.DisposeAsync();
            stop.Dispose();
        }

        _keepers.Clear();
    }

    public async Task<StoredCheckpoint> NewestAsync() => await Log.Store.NewestAsync(Log.Epoch, CancellationToken.None) ?? throw new InvalidOperationException("Nothing is signed.");

    public async Task<LogRebuildReport> RebuildAsync() => await new LogRebuild(Log, Connections).RunAsync(CancellationToken.None);

    /// <summary>What a superuser can do who has switched the guards off.</summary>
    public Task TamperAsync(string table, string sql) => PostgresFixture.ExecuteAsync(_database.Superuser, $"ALTER TABLE {table} DISABLE TRIGGER ALL; {sql}; ALTER TABLE {table} ENABLE ALWAYS TRIGGER mbp_append_only");

    public Task ExecuteAsync(string sql) => PostgresFixture.ExecuteAsync(_database.Superuser, sql);

    public Task<IReadOnlyList<string>> RowsAsync(string sql) => PostgresFixture.RowsAsync(_database.Superuser, sql);

    /// <summary>That the newest checkpoint is signed by every key in force, and proves each of some positions.</summary>
    public async Task CheckProofsAsync(params IEnumerable<long> positions)
    {
        var newest = await NewestAsync();
        var tree = TileTree.For(Checkpoint.Of(newest.Note), Log.Tiles);
        foreach (var position in positions)
        {
            var entry = await Log.Tiles.EntryAsync(position, CancellationToken.None) ?? throw new InvalidOperationException($"No entry at {position}.");
            var path = await tree.InclusionAsync(position - 1, CancellationToken.None);
            Xunit.Assert.True(MerkleProof.VerifyInclusion(entry.Hash, position - 1, newest.Size, path, newest.Root), $"{position}");
        }
    }

    public static async Task UntilAsync(Func<bool> isSo)
    {
        for (var until = DateTime.UtcNow.AddSeconds(30); !isSo(); await Task.Delay(10))
        {
            Xunit.Assert.True(DateTime.UtcNow < until, "It did not come to that.");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await Log.DisposeAsync();
        await Store.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }
}

using Mbp.Host.Anchoring;
using Mbp.Ledger.Log;
using Mbp.Ledger.Postgres.Log;
using Mbp.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Mbp.Host.Tests.Anchoring;

/// <summary>The log's side of witnesses, with real ones.</summary>
public sealed class WitnessWorkerTests(PostgresFixture database) : IClassFixture<PostgresFixture>, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("mbp-witnesses-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Two_of_three_are_a_quorum_a_dead_one_keeps_nobody_and_a_fork_is_told()
    {
        using var log = new TestLog();
        log.Grow(600);
        await using var store = new AnchorStore(database.Connections);
        await using var one = await RunningWitness.StartAsync(Path.Combine(_folder, "1"), "w1.example", log.Key);
        await using var two = await RunningWitness.StartAsync(Path.Combine(_folder, "2"), "w2.example", log.Key);
        var three = await RunningWitness.StartAsync(Path.Combine(_folder, "3"), "w3.example", log.Key);
        var dead = three.Entry;
        await three.DisposeAsync();
        var policy = $"log {log.Key}\nwitness w1 {one.Key} {one.Address}\nwitness w2 {two.Key} {two.Address}\nwitness w3 {dead.Key} {dead.Url}\ngroup all3 2 w1 w2 w3\nquorum all3\n";
        Assert.Equal([one.Entry, two.Entry, dead], WitnessAddress.InPolicy(policy));
        using var worker = new WitnessWorker(store, log, WitnessAddress.InPolicy(policy), new MovableClock(), () => true, NullLogger<WitnessWorker>.Instance);
        await log.StoreAsync(database.Superuser, 5);
        await worker.StartAsync(CancellationToken.None);
        await UntilAsync(() => worker.States.Count(state => state.Size == 5) == 2 && worker.States[2].Trouble is not null);
        await log.StoreAsync(database.Superuser, 600);
        await UntilAsync(() => worker.States.Count(state => state.Size == 600) == 2);
        var latest = (await store.LatestAsync(CancellationToken.None))!;
        var note = await store.CosignedAsync(latest, CancellationToken.None);
        var check = LogPolicy.Parse(policy).Check(note);
        Assert.True(check.Satisfied, string.Join(' ', check.Missing));
        Assert.Equal(2, check.Cosigned.Count);
        Assert.False(LogPolicy.Parse(policy.Replace("all3 2", "all3 3", StringComparison.Ordinal)).Check(note).Satisfied);
        Assert.Equal((600, false), (worker.States[0].Size, worker.States[0].Fork));

        // Another history, signed by the same key: whoever remembers the first says so.
        log.Rewrite(from: 500);
        log.Grow(10);
        await log.StoreAsync(database.Superuser, 610);
        await UntilAsync(() => worker.States.Count(state => state.Fork) == 2);
        Assert.Equal(600, await store.CosignedSizeAsync(1, one.Key, CancellationToken.None));

        // A new epoch is a new log: these witnesses do not watch it, which is no fork.
        using var next = new TestLog("test.example/mbp-ledger/2");
        next.Grow(3);
        await next.StoreAsync(database.Superuser, 3, epoch: 2);
        await UntilAsync(() => worker.States.Count(state => !state.Fork && state.Trouble?.Contains("does not watch", StringComparison.Ordinal) == true) == 2);
        await worker.StopAsync(CancellationToken.None);
    }

    private static async Task UntilAsync(Func<bool> holds)
    {
        for (var until = DateTime.UtcNow.AddSeconds(40); !holds(); await Task.Delay(50))
        {
            Assert.True(DateTime.UtcNow < until, "It did not come about.");
        }
    }
}

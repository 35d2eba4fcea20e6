using System.Text;
using Mbp.Host.Tests.Hosting;
using Mbp.Ledger.Log;
using Mbp.Ledger.Postgres;
using Mbp.Ledger.Postgres.Log;
using Mbp.Testing;
using NodaTime;
using Npgsql;

namespace Mbp.Host.Tests;

/// <summary>A ledger that came back from an older dump, behind heads that were signed: the log is given up by a person's word, and goes on as another.</summary>
public sealed class LogEpochTests(PostgresFixture database) : IClassFixture<PostgresFixture>, IAsyncLifetime
{
    private readonly string _data = Directory.CreateTempSubdirectory("mbp-epoch-").FullName;
    private readonly string _restored = $"restored_{Guid.NewGuid():n}";
    private (RunningHost Host, Api Api)? _running;

    private Api Api => _running!.Value.Api;

    private RunningHost Host => _running!.Value.Host;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await StopAsync();
        Directory.Delete(_data, recursive: true);
    }

    [Fact]
    public async Task After_a_restore_behind_a_signed_head_the_log_goes_on_as_the_next_epoch_and_what_was_signed_still_verifies()
    {
        await StartAsync(database.Database);
        var market = await Api.MarketAsync(await Api.AccountAsync("house", "50000"));
        var kept = Receipt(await Api.BuyAsync(market, "house", "YES", "1"));
        var dumped = await SignAsync();
        Assert.Equal("log.not_confirmed", (await OpenAsync("mbp.localhost/mbp-ledger/7")).Code);
        Assert.Equal((409, "log.healthy"), await StatusAsync("mbp.localhost/mbp-ledger/1"));
        Assert.Equal(400, (await Api.PostAsync("/v2/log/epochs", new { confirm = "mbp.localhost/mbp-ledger/1" })).Status);
        var old = Assert.Single(await KeysAsync());

        // A dump; then the ledger goes on, is signed, and is lost.
        await StopAsync();
        await DumpAsync();
        await StartAsync(database.Database);
        var lost = Receipt(await Api.BuyAsync(market, "house", "YES", "2"));
        var last = await SignAsync();
        Assert.True(Size(last) > Size(dumped) && lost.Position <= Size(last));
        await StopAsync();

        await StartAsync(_restored);
        var refused = await Api.PostAsync("/v2/log/checkpoint");
        Assert.Equal((409, "log.halted_behind"), (refused.Status, refused.Code));
        Assert.Contains("new-epoch", refused.Text, StringComparison.Ordinal);
        var halted = Receipt(await Api.BuyAsync(market, "house", "NO", "3"));

        var opened = (await OpenAsync("mbp.localhost/mbp-ledger/1")).Ok();
        Assert.Equal(("mbp.localhost/mbp-ledger/2", 2), (opened["origin"], (int)opened.Json["epoch"]!));
        Assert.Equal(last, opened["lastCheckpoint"]);
        var quoting = (await Api.GetAsync($"/events/{opened.Position}")).Ok().Json;
        Assert.Equal(("log_epoch_opened", last, "the disk died"), ((string?)quoting["type"], (string?)quoting["data"]!["lastCheckpoint"], (string?)quoting["data"]!["reason"]));

        // The new log signs what is there, from the event that opened it on; the old one's word still holds, where it can.
        var keys = await KeysAsync();
        Assert.Equal(["mbp.localhost/mbp-ledger/2", "mbp.localhost/mbp-ledger/1"], keys.Select(key => key.Name));
        Assert.Equal(old, keys[1]);
        Assert.Equal(SignatureState.Valid, SignedNote.Parse(opened["note"]).Verify(keys[0]));
        Assert.True(Size(opened["note"]) >= opened.Position);
        Assert.All([kept, lost, halted], receipt => Assert.True(receipt.Verify(old).Holds));
        var receipt = Receipt(await Api.BuyAsync(market, "house", "YES", "4"));
        Assert.Equal("mbp.localhost/mbp-ledger/2", receipt.Origin);
        Assert.True(receipt.Verify(keys[0]).Holds);
        await SignAsync();
        foreach (var held in new[] { kept, halted, receipt })
        {
            Assert.True(TlogProof.Parse((await Api.GetAsync($"/log/proof/{held.Position}")).Ok().Text).Verify(held.LeafHash, keys[0]).Holds);
        }

        Assert.False(TlogProof.Parse((await Api.GetAsync($"/log/proof/{lost.Position}")).Ok().Text).Verify(lost.LeafHash, keys[0]).Holds);
        Assert.Equal((409, "log.healthy"), await StatusAsync("mbp.localhost/mbp-ledger/2"));

        var log = Host.Database.Log;
        Assert.False(File.Exists(log.Keys.PathOf(old)));
        Assert.Equal([Size(last), Size(dumped)], log.Evidence.Notes().Select(note => Checkpoint.Of(note.Note).Size));
        await RebuildAsync();
        await using (var reader = Host.Database.Connections.Open(RoleConnections.ReaderRole))
        {
            Assert.Equal([old, keys[0]], (await PublishedLog.NewestAsync(reader, CancellationToken.None)).Keys.Select(key => key.Key));
        }

        // And so after a restart, and after a rotation of the new log's key.
        await StopAsync();
        await StartAsync(_restored);
        Assert.Equal("mbp.localhost/mbp-ledger/2", Receipt(await Api.BuyAsync(market, "house", "YES", "5")).Origin);
        Assert.Equal("added", (await Api.PostAsync("/v2/log/keys/rotate", new { })).Ok()["done"]);
        Assert.Equal("retired", (await Api.PostAsync("/v2/log/keys/rotate", new { now = true })).Ok()["done"]);
        await SignAsync();
        await RebuildAsync();
    }

    private async Task RebuildAsync()
    {
        var report = await new LogRebuild(Host.Database.Log, Host.Database.Connections).RunAsync(CancellationToken.None);
        Assert.True(report.Holds, string.Join('\n', report.Differences));
        Assert.Equal(2, report.Epochs);
        Assert.StartsWith("mbp.localhost/mbp-ledger/1, size ", Assert.Single(report.EvidenceOnly!), StringComparison.Ordinal);
    }

    private async Task StartAsync(string name)
    {
        var connection = new NpgsqlConnectionStringBuilder(database.Superuser) { Database = name, Pooling = true }.ConnectionString;
        var host = await MbpHost.StartAsync(new() { Urls = "http://127.0.0.1:0", Data = _data, Postgres = connection, Clock = SystemClock.Instance }, CancellationToken.None);
        _running = (host, new Api(host.Address, await File.ReadAllTextAsync(Path.Combine(_data, "api-key"))));
        // Not "ready": a halted log is red.
        for (var until = DateTimeOffset.UtcNow.AddSeconds(30); ; await Task.Delay(20))
        {
            var components = (await Api.GetAsync("/health/ready")).Json["components"]!;
            if (((string)components["writer"]!, (string)components["readModels"]!, (string)components["templates"]!) == ("leading", "following", "published"))
            {
                return;
            }

            Assert.True(DateTimeOffset.UtcNow < until, components.ToJsonString());
        }
    }

    private async Task StopAsync()
    {
        if (_running is var (host, api))
        {
            _running = null;
            api.Dispose();
            await host.DisposeAsync();
        }
    }

    private Task<int> DumpAsync() => PostgresFixture.ExecuteAsync(
        new NpgsqlConnectionStringBuilder(database.Superuser) { Database = "postgres" }.ConnectionString, $"CREATE DATABASE {_restored} TEMPLATE {database.Database}");

    private async Task<string> SignAsync() => (await Api.PostAsync("/v2/log/checkpoint")).Ok()["note"];

    private Task<Answer> OpenAsync(string confirm) => Api.PostAsync("/v2/log/epochs", new { confirm, reason = "the disk died" });

    private async Task<(int, string?)> StatusAsync(string confirm) => await OpenAsync(confirm) is var answer ? (answer.Status, answer.Code) : default;

    private async Task<IReadOnlyList<VerifierKey>> KeysAsync() => [.. (await Api.GetAsync("/log/vkeys")).Ok().Text.TrimEnd('\n').Split('\n').Select(VerifierKey.Parse)];

    private static long Size(string note) => Checkpoint.Of(SignedNote.Parse(note)).Size;

    private static LogReceipt Receipt(Answer answer) => LogReceipt.Parse(Encoding.UTF8.GetBytes(answer.Ok().Json["receipt"]!.ToJsonString()));
}

using System.Globalization;
using System.Text;
using Mbp.Ledger.Postgres;
using Mbp.Ledger.Merkle;
using Mbp.Ledger.Postgres.Custody;
using Mbp.Testing;
using Npgsql;
using Xunit;
using static Mbp.Ledger.Tests.Given;

namespace Mbp.Ledger.Tests;

/// <summary>Each way of changing what is stored behind the log's back is seen, and named with its position; an erasure that was announced is not one.</summary>
public sealed class DeepCheckTests : IAsyncLifetime, IAsyncDisposable
{
    private const string Off = "ALTER TABLE mt_events DISABLE TRIGGER ALL; ALTER TABLE ledger_leaf DISABLE TRIGGER ALL; ALTER TABLE ledger_salt DISABLE TRIGGER ALL; ";
    private const string On =
        "; ALTER TABLE mt_events ENABLE TRIGGER ALL; ALTER TABLE ledger_leaf ENABLE TRIGGER ALL; ALTER TABLE ledger_salt ENABLE TRIGGER ALL;"
        + " ALTER TABLE mt_events ENABLE ALWAYS TRIGGER mbp_append_only; ALTER TABLE ledger_leaf ENABLE ALWAYS TRIGGER mbp_append_only; ALTER TABLE ledger_salt ENABLE ALWAYS TRIGGER mbp_append_only";

    private readonly PostgresFixture _database = new();
    private readonly StreamId _stream = Stream("deep");
    private PostgresEventStore _store = null!;
    private PayloadEraser _eraser = null!;

    // Positions 1 to 6 in commits of 2, 3 and 1.
    public async Task InitializeAsync()
    {
        await _database.InitializeAsync();
        _store = new PostgresEventStore(_database.Connections);
        _eraser = new PayloadEraser(_database.Connections);
        await using var lease = await _store.TryAcquireAsync("deep check", CancellationToken.None) ?? throw new InvalidOperationException("Somebody holds the lease.");
        await _store.AppendAsync(lease, new Batch(Said(1), Said(2)));
        await _store.AppendAsync(lease, new Batch(Said(3), Said(4), Said(5)));
        await _store.AppendAsync(lease, new Batch(Said(6)));
    }

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public async ValueTask DisposeAsync()
    {
        await _eraser.DisposeAsync();
        await _store.DisposeAsync();
    }

    [Fact]
    public async Task What_was_appended_holds()
    {
        var report = await CheckAsync();
        Assert.Empty(report.Faults);
        Assert.Equal((6, 0, 0), (report.Checks, report.Voids, report.ErasedCount));
    }

    [Theory]
    [InlineData("UPDATE mt_events SET data = jsonb_set(data, '{n}', '99') WHERE seq_id = 4", 4, LeafFaultKind.DataEdited)]
    [InlineData("UPDATE mt_events SET headers = '{\"actor\": \"another\"}' WHERE seq_id = 4", 4, LeafFaultKind.DataEdited)]
    [InlineData("UPDATE mt_events SET timestamp = timestamp + interval '1 microsecond' WHERE seq_id = 1", 1, LeafFaultKind.DataEdited)]
    [InlineData("UPDATE mt_events SET type = 'another' WHERE seq_id = 6", 6, LeafFaultKind.DataEdited)]
    [InlineData("UPDATE mt_events SET timestamp = 'infinity' WHERE seq_id = 2", 2, LeafFaultKind.DataEdited)]
    [InlineData("UPDATE mt_events SET stream_id = NULL WHERE seq_id = 2", 2, LeafFaultKind.DataEdited)]
    [InlineData("UPDATE mt_events SET stream_id = stream_id || repeat('x', 200) WHERE seq_id = 2", 2, LeafFaultKind.DataEdited)]
    [InlineData("UPDATE ledger_leaf SET leaves = overlay(leaves PLACING 'x'::bytea FROM octet_length(leaves) - 3 FOR 1) WHERE last_position = 5", 5, LeafFaultKind.LeafEdited)]
    [InlineData("UPDATE ledger_leaf SET hashes = overlay(hashes PLACING repeat('x', 32)::bytea FROM 33 FOR 32) WHERE last_position = 5", 4, LeafFaultKind.LeafEdited)]
    [InlineData("UPDATE ledger_leaf SET leaves = overlay(leaves PLACING 'x'::bytea FROM octet_length(leaves) - 3 FOR 1) WHERE last_position = 5; UPDATE mt_events SET data = '{}' WHERE seq_id = 5", 5, LeafFaultKind.BothEdited)]
    [InlineData("UPDATE ledger_salt SET salts = overlay(salts PLACING repeat('x', 16)::bytea FROM 17 FOR 16) WHERE last_position = 5", 4, LeafFaultKind.DataEdited)]
    [InlineData("UPDATE ledger_salt SET salts = overlay(salts PLACING decode(repeat('00', 16), 'hex') FROM 1 FOR 16) WHERE last_position = 2", 1, LeafFaultKind.DataEdited)]
    [InlineData("DELETE FROM ledger_salt WHERE last_position = 6", 6, LeafFaultKind.DataEdited)]
    [InlineData("DELETE FROM mt_events WHERE seq_id = 2", 2, LeafFaultKind.EventMissing)]
    [InlineData("DELETE FROM mt_events WHERE seq_id = 6", 6, LeafFaultKind.EventMissing)]
    [InlineData("DELETE FROM ledger_leaf WHERE last_position = 6", 6, LeafFaultKind.LeafMissing)]
    public async Task An_edit_is_seen(string sql, long position, LeafFaultKind kind)
    {
        await TamperAsync(sql);
        var report = await CheckAsync();
        var fault = Assert.Single(report.Faults);
        Assert.Equal((position, kind), (fault.Position, fault.Kind));
        Assert.False(report.Holds);
    }

    [Fact]
    public async Task Swapped_events_are_both_seen()
    {
        await TamperAsync("UPDATE mt_events SET data = (SELECT o.data FROM mt_events o WHERE o.seq_id = 7 - mt_events.seq_id) WHERE seq_id IN (3, 4)");
        Assert.Equal([(3, LeafFaultKind.DataEdited), (4, LeafFaultKind.DataEdited)], (await CheckAsync()).Faults.Select(fault => (fault.Position, fault.Kind)));
    }

    [Fact]
    public async Task An_inserted_event_is_seen()
    {
        await TamperAsync(
            """
            INSERT INTO mt_events (seq_id, id, stream_id, version, data, type, timestamp)
            SELECT 7, gen_random_uuid(), stream_id, 7, data, type, timestamp FROM mt_events WHERE seq_id = 6; UPDATE ledger_head SET position = 7
            """);
        var fault = Assert.Single((await CheckAsync()).Faults);
        Assert.Equal((7, LeafFaultKind.LeafMissing), (fault.Position, fault.Kind));
        Assert.Contains("has an event", fault.What, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_void_is_no_event_and_takes_none()
    {
        var entry = Encoding.UTF8.GetBytes("""{"type":"void","v":1}""");
        var hash = Convert.ToHexStringLower(Mbp.Ledger.Merkle.MerkleTree.LeafHash(entry).ToArray());
        await TamperAsync(
            $"INSERT INTO ledger_leaf (first_position, last_position, leaves, hashes) VALUES (7, 7, decode('{entry.Length:x4}{Convert.ToHexStringLower(entry)}', 'hex'), decode('{hash}', 'hex')); UPDATE ledger_head SET position = 7");
        var report = await CheckAsync();
        Assert.Empty(report.Faults);
        Assert.Equal(1, report.Voids);

        await TamperAsync("INSERT INTO mt_events (seq_id, id, stream_id, version, data, type, timestamp) SELECT 7, gen_random_uuid(), stream_id, 7, data, type, timestamp FROM mt_events WHERE seq_id = 6");
        var fault = Assert.Single((await CheckAsync()).Faults);
        Assert.Equal((7, LeafFaultKind.EventInserted), (fault.Position, fault.Kind));
    }

    [Fact]
    public async Task Nothing_is_erased_that_was_not_announced()
    {
        var refused = await Assert.ThrowsAsync<PostgresException>(() => _eraser.EraseAsync(Erasing(4, "text"), CancellationToken.None));
        Assert.Equal("MBP11", refused.SqlState);
        await AnnounceAsync(4, "text");
        Assert.Equal("MBP11", (await Assert.ThrowsAsync<PostgresException>(() => _eraser.EraseAsync(Erasing(5, "text"), CancellationToken.None))).SqlState);
        Assert.Equal("MBP11", (await Assert.ThrowsAsync<PostgresException>(() => _eraser.EraseAsync(Erasing(4, "n"), CancellationToken.None))).SqlState);
    }

    [Fact]
    public async Task An_announced_erasure_takes_the_text_and_the_salt_and_the_check_holds()
    {
        await AnnounceAsync(4, "text");
        Assert.Equal(0, (await CheckAsync()).ErasedCount);

        Assert.True(await _eraser.EraseAsync(Erasing(4, "text"), CancellationToken.None));
        Assert.False(await _eraser.EraseAsync(Erasing(4, "text"), CancellationToken.None));

        Assert.Equal(["4|[erased]|False"], await RowsAsync("SELECT data ->> 'n', data ->> 'text', data::text LIKE '%secret%' FROM mt_events WHERE seq_id = 4"));
        Assert.Equal([new string('0', 32)], await RowsAsync("SELECT encode(substring(salts FROM 17 FOR 16), 'hex') FROM ledger_salt WHERE last_position = 5"));
        Assert.Equal(["0"], await RowsAsync("SELECT count(*) FROM ledger_erasing"));
        var report = await CheckAsync();
        Assert.Empty(report.Faults);
        Assert.Equal([4], report.Erased);
        var refused = await Assert.ThrowsAsync<PostgresException>(() => PostgresFixture.ExecuteAsync(_database.Connections.Owner, "UPDATE mt_events SET type = 'x'"));
        Assert.Equal("MBP10", refused.SqlState);
    }

    [Theory]
    [InlineData("UPDATE mt_events SET data = jsonb_set(data, '{n}', '99') WHERE seq_id = 4")]
    [InlineData("UPDATE mt_events SET type = 'another' WHERE seq_id = 4")]
    [InlineData("UPDATE mt_events SET headers = '{\"actor\": \"another\"}' WHERE seq_id = 4")]
    public async Task Nothing_else_changes_under_the_cover_of_an_erasure(string sql)
    {
        await AnnounceAsync(4, "text");
        await _eraser.EraseAsync(Erasing(4, "text"), CancellationToken.None);
        await TamperAsync(sql);
        var fault = Assert.Single((await CheckAsync()).Faults);
        Assert.Equal((4, LeafFaultKind.ErasureUnfounded), (fault.Position, fault.Kind));
    }

    [Fact]
    public async Task An_announcement_is_no_licence_to_edit_before_it_is_carried_out()
    {
        await AnnounceAsync(4, "text");
        await TamperAsync("UPDATE mt_events SET data = jsonb_set(data, '{n}', '99') WHERE seq_id = 4");
        var fault = Assert.Single((await CheckAsync()).Faults);
        Assert.Equal((4, LeafFaultKind.ErasureUnfounded), (fault.Position, fault.Kind));
    }

    private static Erasure Erasing(long position, string field) => new(position, "market-deep", "thing_happened", [field], "", 0);

    private NewEvent Said(int n) => Event(_stream, n, $$"""{"n": {{n}}, "text": "secret {{n}}"}""");

    private async Task AnnounceAsync(long position, string field)
    {
        var stored = (await _store.ReadRangeAsync(position - 1, position, CancellationToken.None).AllAsync()).Single();
        var rest = Erased.RestOf(Erasures.Without(stored.Data, [field]), stored.Headers.Span);
        var body = string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"position": {{position}}, "stream": "market-deep", "type": "thing_happened", "fields": ["{{field}}"], "restSha256": "{{rest}}", "why": "asked", "at": "2025-09-10T12:00:00Z"}""");
        await using var lease = await _store.TryAcquireAsync("deep check", CancellationToken.None) ?? throw new InvalidOperationException("Somebody holds the lease.");
        await _store.AppendAsync(lease, new Batch(Event(StreamId.Parse("custody"), 1, body, type: "payload_erased")));
    }

    private async Task<DeepCheckReport> CheckAsync()
    {
        await using var check = new DeepCheck(_database.Connections, _store, _ => ["text"]);
        await check.RunAsync(0, await _store.HeadAsync(CancellationToken.None), CancellationToken.None);
        return check.Report;
    }

    private Task<int> TamperAsync(string sql) => PostgresFixture.ExecuteAsync(_database.Superuser, Off + sql + On);

    private Task<IReadOnlyList<string>> RowsAsync(string sql) => PostgresFixture.RowsAsync(_database.Superuser, sql);
}

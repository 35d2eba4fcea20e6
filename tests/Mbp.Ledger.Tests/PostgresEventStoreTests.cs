using Mbp.Ledger.Merkle;
using Mbp.Ledger.Postgres;
using Mbp.Testing;
using NodaTime;
using Xunit;
using static Mbp.Ledger.Tests.Given;

namespace Mbp.Ledger.Tests;

public sealed class PostgresEventStoreTests(PostgresFixture database) : EventStoreContract, IClassFixture<PostgresFixture>
{
    private readonly List<PostgresEventStore> _hosts = [];

    protected override IEventStore NewHost()
    {
        var host = new PostgresEventStore(database.Connections);
        _hosts.Add(host);
        return host;
    }

    protected override async Task ReleaseHostsAsync()
    {
        foreach (var host in _hosts)
        {
            await host.DisposeAsync();
        }
    }

    protected override Task BreakLeaseAsync() => PostgresFixture.ExecuteAsync(
        database.Superuser, "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())");

    protected override Task<IReadOnlyList<string>> MessagesAsync(Guid id) =>
        PostgresFixture.RowsAsync(database.Superuser, $"SELECT convert_from(body, 'UTF8') FROM ledger_outbox WHERE id = '{id}'");

    protected override Task<long> DeleteOldCommandsAsync(Instant before) => ((PostgresEventStore)Store).DeleteOldCommandsAsync(before, None);

    [Fact]
    public async Task The_sequence_never_lies_behind_the_head()
    {
        var lease = await AcquireAsync();
        var head = await Store.AppendAsync(lease, new Batch(Event(Stream(), 1), Event(Stream(), 1)));
        Assert.Equal([$"{head}|True"], await PostgresFixture.RowsAsync(database.Superuser, "SELECT last_value, is_called FROM mt_events_sequence"));
    }

    [Fact]
    public async Task A_session_that_dies_in_its_commit_leaves_an_unknown_outcome()
    {
        // The writer's session dies while its commit waits: nobody can tell what became of it.
        var lease = await AcquireAsync();
        await using var held = await HoldHeadAsync();
        var append = Store.AppendAsync(lease, new Batch(Event(Stream(), 1)));
        while ((await PostgresFixture.RowsAsync(database.Superuser, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")).Count == 0)
        {
            await Task.Delay(20);
        }

        await Assert.ThrowsAsync<UnknownOutcomeException>(() => append);
        Assert.True(lease.Lost.IsCancellationRequested);
        await held.DisposeAsync();
        await lease.DisposeAsync();
        var next = await AcquireAsync();
        Assert.Equal(next.Position + 1, await Store.AppendAsync(next, new Batch(Event(Stream(), 1))));
    }

    [Fact]
    public async Task A_commit_that_hangs_is_cut_off_and_the_next_lease_knows_what_became_of_it()
    {
        var lease = await AcquireAsync();
        await using var held = await HoldHeadAsync();
        var append = Store.AppendAsync(lease, new Batch(Event(Stream(), 1)));
        await Assert.ThrowsAsync<TimeoutException>(() => append.WaitAsync(TimeSpan.FromMilliseconds(300)));
        lease.Abort();
        await Assert.ThrowsAsync<UnknownOutcomeException>(() => append.WaitAsync(TimeSpan.FromSeconds(5)));
        Assert.True(lease.Lost.IsCancellationRequested);
        await lease.DisposeAsync();
        await held.DisposeAsync();

        // It did not come through, and it never will.
        var next = await AcquireAsync();
        Assert.Equal(lease.Position, next.Position);
        Assert.Equal(next.Position + 1, await Store.AppendAsync(next, new Batch(Event(Stream(), 1))));
    }

    [Fact]
    public async Task Foreign_events_stop_the_writer_and_are_adopted_by_the_next_lease()
    {
        var lease = await AcquireAsync();
        var stream = Stream();
        await Store.AppendAsync(lease, new Batch(Event(stream, 1)));
        await ForeignAppendAsync(stream, 2, Noon + Duration.FromMinutes(1));

        // Beyond the head, and so not yet there for readers.
        Assert.Equal(lease.Position + 1, await Store.HeadAsync(None));
        var grown = await Assert.ThrowsAsync<ConcurrencyException>(() => Store.AppendAsync(lease, new Batch(Event(Stream(), 1))));
        Assert.Contains("grown past this writer", grown.Message, StringComparison.Ordinal);
        Assert.True(lease.Lost.IsCancellationRequested);
        await lease.DisposeAsync();

        var next = await AcquireAsync();
        Assert.Equal(lease.Position + 2, next.Position);
        Assert.True(next.At >= Noon + Duration.FromMinutes(1));
        var head = await Store.AppendAsync(next, new Batch(Event(stream, 3, at: next.At)));
        Assert.Equal(next.Position + 1, head);
        var read = await Store.ReadStreamAsync(stream, 0, None).AllAsync();
        Assert.Equal([1, 2, 3], read.Select(e => e.Version));
        Assert.Equal(("foreign_thing", "", true), (read[1].Type, read[1].CorrelationId, read[1].Headers.IsEmpty));
    }

    [Fact]
    public async Task Every_event_has_its_leaf_in_the_commit_that_wrote_it()
    {
        var lease = await AcquireAsync();
        await Store.AppendAsync(lease, new Batch(Event(Stream(), 1), Event(Stream(), 1)));
        var head = await Store.AppendAsync(lease, new Batch(Events(Stream(), 1, 100)));
        await CheckLeavesAsync(head);
    }

    [Fact]
    public async Task Foreign_events_get_their_leaves_with_the_next_lease_also_those_that_have_no_canonical_form()
    {
        var lease = await AcquireAsync();
        await Store.AppendAsync(lease, new Batch(Event(Stream(), 1)));
        await ForeignAppendAsync(Stream(), 1, Noon);
        // A foreign transaction that was rolled back leaves a gap.
        await PostgresFixture.RowsAsync(database.Superuser, "SELECT nextval('mt_events_sequence')");
        await ForeignAppendAsync(Stream(), 1, Noon, "{\"price\": 1.50}");
        await lease.DisposeAsync();

        var next = await AcquireAsync();
        await CheckLeavesAsync(await Store.AppendAsync(next, new Batch(Event(Stream(), 1))));
    }

    // As an auditor would: each event as it is read back, under its salt, must give the leaf that was committed with it.
    private async Task CheckLeavesAsync(long head)
    {
        var rows = (await PostgresFixture.RowsAsync(
                database.Superuser, "SELECT first_position, last_position, encode(leaves, 'hex'), encode(hashes, 'hex'), encode(salts, 'hex') FROM ledger_leaf JOIN ledger_salt USING (last_position)"))
            .Select(row => row.Split('|')).ToList();
        var byPosition = rows.SelectMany(row =>
        {
            var (first, leaves, hashes, salts) = (long.Parse(row[0], null), Convert.FromHexString(row[2]), Convert.FromHexString(row[3]), Convert.FromHexString(row[4]));
            Assert.Equal(long.Parse(row[1], null) - first + 1, LeafBatch.Entries(leaves).Count());
            return LeafBatch.Entries(leaves).Select((entry, i) => (
                Position: first + i, Entry: entry.Text(), Hash: new MerkleHash(hashes.AsSpan(i * MerkleHash.Size, MerkleHash.Size)), Salt: LeafBatch.Salt(salts, i)));
        }).ToDictionary(leaf => leaf.Position);
        var events = await Store.ReadAllAsync(0, None).AllAsync();
        Assert.Equal(head, events[^1].Position);
        Assert.Equal(Enumerable.Range(1, (int)head).Select(position => (long)position), byPosition.Keys.Order());
        Assert.All(byPosition.Keys.Except(events.Select(e => e.Position)), position => Assert.Equal("{\"type\":\"void\",\"v\":1}", byPosition[position].Entry));
        foreach (var stored in events)
        {
            var (_, entry, hash, salt) = byPosition[stored.Position];
            // The one foreign body that canonical JSON has no form for is committed to as text.
            var committed = stored.Data.Text().Contains("1.50", StringComparison.Ordinal)
                ? stored with { Data = System.Text.Encoding.UTF8.GetBytes(System.Text.Json.JsonSerializer.Serialize(stored.Data.Text())), Headers = "\"\""u8.ToArray() }
                : stored;
            var again = new System.Buffers.ArrayBufferWriter<byte>();
            Assert.Equal(hash, Leaf.Write(committed, salt.Span, again));
            Assert.Equal(entry, again.WrittenMemory.Text());
        }
    }

    [Fact]
    public async Task Foreign_events_are_noticed_while_nothing_is_written()
    {
        var lease = await AcquireAsync();
        await ForeignAppendAsync(Stream(), 1, Noon);
        await WaitForAsync(lease.Lost);
    }

    [Fact]
    public async Task A_waiter_is_notified_and_does_not_wait_for_the_poll_even_after_its_session_died()
    {
        var lease = await AcquireAsync();
        await using var reader = new PostgresEventStore(database.Connections);
        for (var round = 0; round < 2; round++)
        {
            // The first wait opens the listening session; a poll every half second would need longer than this for ten commits.
            await Assert.ThrowsAsync<TimeoutException>(() => reader.WaitBeyondAsync(long.MaxValue, None).WaitAsync(TimeSpan.FromSeconds(1)));
            var waited = System.Diagnostics.Stopwatch.StartNew();
            for (var i = 0; i < 10; i++)
            {
                var waiting = reader.WaitBeyondAsync(await reader.HeadAsync(None), None);
                await Task.Delay(20);
                await Store.AppendAsync(lease, new Batch(Event(Stream(), 1)));
                await waiting;
            }

            Assert.True(waited.Elapsed < TimeSpan.FromSeconds(2), $"Ten notifications took {waited.Elapsed}.");
            Assert.Equal(["True"], await PostgresFixture.RowsAsync(database.Superuser, "SELECT bool_and(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"));
        }
    }

    [Fact]
    public async Task A_second_shard_needs_a_database_of_its_own()
    {
        await (await AcquireAsync()).DisposeAsync();
        await using var other = new PostgresEventStore(database.Connections, "second");
        var refused = await Assert.ThrowsAsync<PostgresSetupException>(() => other.TryAcquireAsync("x", None));
        Assert.Contains("\"main\"", refused.Message, StringComparison.Ordinal);
    }

    /// <summary>Makes every commit wait until the returned session ends.</summary>
    private async Task<IAsyncDisposable> HoldHeadAsync()
    {
        var session = new Npgsql.NpgsqlConnection(database.Superuser);
        await session.OpenAsync();
        await using var hold = new Npgsql.NpgsqlCommand("BEGIN; SELECT FROM ledger_head FOR UPDATE", session);
        await hold.ExecuteNonQueryAsync();
        return session;
    }

    // The way Marten does it: a number from the sequence, the stream's version, the event.
    private Task<int> ForeignAppendAsync(StreamId stream, long version, Instant at, string body = "{}") => PostgresFixture.ExecuteAsync(database.Superuser, $$"""
        INSERT INTO mt_streams (id, version) VALUES ('{{stream}}', {{version}}) ON CONFLICT (id) DO UPDATE SET version = excluded.version;
        INSERT INTO mt_events (seq_id, id, stream_id, version, data, type, timestamp, tenant_id, mt_dotnet_type)
        VALUES (nextval('mt_events_sequence'), gen_random_uuid(), '{{stream}}', {{version}}, '{{body}}', 'foreign_thing', '{{at}}', '*DEFAULT*', 'Foreign.Thing, Foreign')
        """);
}

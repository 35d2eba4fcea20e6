using Mbp.Ledger.Postgres;
using Mbp.Testing;
using Npgsql;
using Xunit;
using static Mbp.Ledger.Tests.Given;

namespace Mbp.Ledger.Tests;

/// <summary>The tables as a Marten expects them, and who may do what to them.</summary>
public sealed class SchemaTests(PostgresFixture database) : IClassFixture<PostgresFixture>
{
    // Design, section 4: name|type|nullable|default of every column. One more, and a Marten's own migration would drop it with its data.
    private static readonly string[] Columns =
    [
        "mt_event_progression|name|character varying|NO|",
        "mt_event_progression|last_seq_id|bigint|YES|",
        "mt_event_progression|last_updated|timestamp with time zone|YES|transaction_timestamp()",
        "mt_events|seq_id|bigint|NO|",
        "mt_events|id|uuid|NO|",
        "mt_events|stream_id|character varying|YES|",
        "mt_events|version|bigint|NO|",
        "mt_events|data|jsonb|NO|",
        "mt_events|bdata|bytea|YES|",
        "mt_events|type|character varying(500)|NO|",
        "mt_events|timestamp|timestamp with time zone|NO|",
        "mt_events|tenant_id|character varying|YES|",
        "mt_events|mt_dotnet_type|character varying|YES|",
        "mt_events|correlation_id|character varying|YES|",
        "mt_events|causation_id|character varying|YES|",
        "mt_events|headers|jsonb|YES|",
        "mt_events|is_archived|boolean|YES|false",
        "mt_streams|id|character varying|NO|",
        "mt_streams|type|character varying|YES|",
        "mt_streams|version|bigint|YES|",
        "mt_streams|timestamp|timestamp with time zone|NO|now()",
        "mt_streams|created|timestamp with time zone|NO|now()",
        "mt_streams|tenant_id|character varying|YES|'*DEFAULT*'::character varying",
        "mt_streams|is_archived|boolean|YES|false",
    ];

    private static readonly string[] Constraints =
    [
        "mt_event_progression|pk_mt_event_progression|PRIMARY KEY (name)",
        "mt_events|fkey_mt_events_stream_id|FOREIGN KEY (stream_id) REFERENCES mt_streams(id) ON DELETE CASCADE",
        "mt_events|pkey_mt_events_seq_id|PRIMARY KEY (seq_id)",
        "mt_streams|pkey_mt_streams_id|PRIMARY KEY (id)",
    ];

    private static readonly string[] Indexes =
    [
        "CREATE UNIQUE INDEX pk_mt_event_progression ON public.mt_event_progression USING btree (name)",
        "CREATE UNIQUE INDEX pk_mt_events_stream_and_version ON public.mt_events USING btree (stream_id, version)",
        "CREATE UNIQUE INDEX pkey_mt_events_seq_id ON public.mt_events USING btree (seq_id)",
        "CREATE UNIQUE INDEX pkey_mt_streams_id ON public.mt_streams USING btree (id)",
    ];

    [Fact]
    public async Task Martens_tables_are_Martens_to_the_letter()
    {
        Assert.Equal(Columns, await RowsAsync("""
            SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NO' ELSE 'YES' END, pg_get_expr(d.adbin, d.adrelid)
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
            WHERE c.relname LIKE 'mt\_%' AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum
            """));
        // PostgreSQL 18 lists NOT NULL among the constraints; the columns above say it already.
        Assert.Equal(Constraints, await RowsAsync("""
            SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
            WHERE conrelid::regclass::text LIKE 'mt\_%' AND contype <> 'n' ORDER BY 1, 2
            """));
        Assert.Equal(Indexes, await RowsAsync("SELECT indexdef FROM pg_indexes WHERE tablename LIKE 'mt\\_%' ORDER BY indexname"));
        Assert.Equal(["CREATE TRIGGER mbp_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.mt_events FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change()|A"], await RowsAsync(
            "SELECT pg_get_triggerdef(oid), tgenabled FROM pg_trigger WHERE tgrelid::regclass::text LIKE 'mt\\_%' AND NOT tgisinternal"));
        Assert.Equal(["mt_events_sequence|1|1|1|False|mt_events|seq_id"], await RowsAsync("""
            SELECT s.sequencename, s.start_value, s.increment_by, s.cache_size, s.cycle, d.refobjid::regclass::text, a.attname
            FROM pg_sequences s JOIN pg_depend d ON d.objid = s.sequencename::regclass AND d.deptype = 'a'
            JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
            """));
    }

    [Fact]
    public async Task A_written_row_holds_what_a_Marten_needs()
    {
        var stream = Stream();
        await AppendAsync(Event(stream, 1));
        Assert.Equal(["*DEFAULT*|Mbp.Tests.ThingHappened, Mbp.Tests|False||True"], await RowsAsync(
            $"SELECT tenant_id, mt_dotnet_type, is_archived, bdata, timestamp = '{Noon}' FROM mt_events WHERE stream_id = '{stream}'"));
        Assert.Equal(["|1|*DEFAULT*|False|True"], await RowsAsync($"SELECT type, version, tenant_id, is_archived, created = '{Noon}' FROM mt_streams WHERE id = '{stream}'"));
    }

    [Theory]
    [InlineData("UPDATE mt_events SET type = 'x'")]
    [InlineData("DELETE FROM mt_events")]
    [InlineData("TRUNCATE mt_events")]
    [InlineData("TRUNCATE mt_streams CASCADE")]
    [InlineData("DELETE FROM mt_streams")]
    [InlineData("SET session_replication_role = replica; DELETE FROM mt_events")]
    [InlineData("UPDATE ledger_command SET event_count = 1")]
    [InlineData("UPDATE ledger_outbox SET destination = ''")]
    [InlineData("UPDATE ledger_leaf SET leaves = ''")]
    [InlineData("DELETE FROM ledger_leaf")]
    [InlineData("UPDATE ledger_salt SET salts = ''")]
    [InlineData("DELETE FROM ledger_salt")]
    public async Task Not_even_the_superuser_changes_the_past(string sql)
    {
        await AppendAsync(Event(Stream(), 1));
        var before = await RowsAsync("SELECT count(*) FROM mt_events");
        foreach (var connection in sql.StartsWith("SET", StringComparison.Ordinal) ? new[] { database.Superuser } : [database.Connections.Owner, database.Superuser])
        {
            var refused = await Assert.ThrowsAsync<PostgresException>(() => PostgresFixture.ExecuteAsync(connection, sql));
            Assert.Contains("append-only", refused.MessageText, StringComparison.Ordinal);
        }

        Assert.Equal(before, await RowsAsync("SELECT count(*) FROM mt_events"));
    }

    [Theory]
    [InlineData(RoleConnections.WriterRole, "UPDATE mt_events SET type = 'x'")]
    [InlineData(RoleConnections.WriterRole, "DELETE FROM mt_events")]
    [InlineData(RoleConnections.WriterRole, "TRUNCATE mt_events")]
    [InlineData(RoleConnections.WriterRole, "DELETE FROM mt_streams")]
    [InlineData(RoleConnections.WriterRole, "UPDATE mt_streams SET id = 'x'")]
    [InlineData(RoleConnections.WriterRole, "UPDATE ledger_head SET epoch = 0")]
    [InlineData(RoleConnections.WriterRole, "UPDATE ledger_command SET hash = ''")]
    [InlineData(RoleConnections.WriterRole, "DELETE FROM ledger_leaf")]
    [InlineData(RoleConnections.WriterRole, "UPDATE ledger_salt SET salts = ''")]
    [InlineData(RoleConnections.ProjectorRole, "SELECT * FROM ledger_salt")]
    [InlineData(RoleConnections.WriterRole, "SELECT ledger_erase(1, ARRAY['reason'])")]
    [InlineData(RoleConnections.ReaderRole, "SELECT ledger_erase(1, ARRAY['reason'])")]
    [InlineData(RoleConnections.WriterRole, "INSERT INTO ledger_erasing VALUES (pg_current_xact_id(), 1)")]
    [InlineData(RoleConnections.VaultRole, "INSERT INTO ledger_erasing VALUES (pg_current_xact_id(), 1)")]
    [InlineData(RoleConnections.VaultRole, "UPDATE mt_events SET data = '{}'")]
    [InlineData(RoleConnections.WriterRole, "ALTER TABLE mt_events DISABLE TRIGGER ALL")]
    [InlineData(RoleConnections.WriterRole, "CREATE TABLE t (n int)")]
    [InlineData(RoleConnections.ReaderRole, "INSERT INTO mt_streams (id) VALUES ('x')")]
    [InlineData(RoleConnections.ReaderRole, "SELECT * FROM ledger_command")]
    [InlineData(RoleConnections.ReaderRole, "SELECT ledger_take_lease('main', 'x')")]
    [InlineData(RoleConnections.ProjectorRole, "INSERT INTO mt_streams (id) VALUES ('x')")]
    [InlineData(RoleConnections.VaultRole, "SELECT * FROM mt_events")]
    public async Task No_role_does_more_than_its_work(string role, string sql)
    {
        var refused = await Assert.ThrowsAsync<PostgresException>(() => PostgresFixture.ExecuteAsync(database.Connections[role], sql));
        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
    }

    [Fact]
    public async Task Migrations_run_once_even_when_two_hosts_start_together()
    {
        var fresh = $"test_{Guid.NewGuid():n}";
        await PostgresFixture.ExecuteAsync(database.Superuser, $"CREATE DATABASE {fresh} OWNER mbp_owner");
        var owner = database.Connections.With(c => c.Database = fresh).Owner;

        var ran = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Migrations.Ledger.RunAsync(owner, CancellationToken.None)));

        Assert.Equal([0, 0, 0, Migrations.Ledger.Scripts.Count], ran.Order());
        Assert.Equal(0, await Migrations.Ledger.RunAsync(owner, CancellationToken.None));
    }

    [Fact]
    public async Task A_failed_migration_leaves_nothing_and_a_foreign_one_is_refused()
    {
        var failing = new Migrations("failing", [new(1, "good", "CREATE TABLE half (n int)"), new(2, "bad", "CREATE TABLE half (n int)")]);
        await Assert.ThrowsAsync<PostgresException>(() => failing.RunAsync(database.Connections.Owner, CancellationToken.None));
        Assert.Empty(await RowsAsync("SELECT 1 FROM pg_class WHERE relname = 'half'"));

        await (failing with { Scripts = [new(1, "good", "SELECT 1")] }).RunAsync(database.Connections.Owner, CancellationToken.None);
        var changed = await Assert.ThrowsAsync<PostgresSetupException>(() => (failing with { Scripts = [new(1, "good", "SELECT 2")] }).RunAsync(database.Connections.Owner, CancellationToken.None));
        Assert.Contains("failing/1", changed.Message, StringComparison.Ordinal);
        var newer = await Assert.ThrowsAsync<PostgresSetupException>(() => (failing with { Scripts = [] }).RunAsync(database.Connections.Owner, CancellationToken.None));
        Assert.Contains("newer build", newer.Message, StringComparison.Ordinal);
    }

    private Task<IReadOnlyList<string>> RowsAsync(string sql) => PostgresFixture.RowsAsync(database.Superuser, sql);

    private async Task AppendAsync(NewEvent e)
    {
        await using var store = new PostgresEventStore(database.Connections);
        await using var lease = await store.TryAcquireAsync("test", CancellationToken.None);
        await store.AppendAsync(lease!, new Batch(e));
    }
}

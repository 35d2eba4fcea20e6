using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Mbp.Ledger.Postgres.Log;
using Xunit;

namespace Mbp.Ledger.Tests.Log;

/// <summary>The log on PostgreSQL: what is signed can be proved by anybody, and what must not be signed is not.</summary>
public sealed class LogKeeperTests
{
    [Fact]
    public async Task What_is_signed_is_proved_by_tiles_and_bundles_alone()
    {
        await using var stage = await LogStage.NewAsync(events: 300);
        Assert.Null(await stage.KeepAsync());
        var first = await stage.NewestAsync();
        await stage.AppendAsync(700);
        await LogStage.UntilAsync(() => stage.NewestAsync().Result.Size == 1_000);

        var newest = await stage.NewestAsync();
        var key = Assert.Single(await stage.Log.Store.KeysAsync(1, CancellationToken.None)).Key;
        Assert.Equal("test.example/mbp-ledger/1", key.Name);
        Assert.Equal(SignatureState.Valid, newest.Note.Verify(key));
        Assert.Equal(stage.Log.LastSigned.Read(), newest.Note);
        await stage.CheckProofsAsync(1, 2, 255, 256, 257, 512, 513, 768, 769, 999, 1_000);

        var proof = await TileTree.For(Checkpoint.Of(newest.Note), stage.Log.Tiles).ConsistencyAsync(first.Size, CancellationToken.None);
        Assert.True(MerkleProof.VerifyConsistency(first.Size, newest.Size, first.Root, newest.Root, proof));

        // From the outside: the entries of every bundle, hashed anew, are the tree.
        var tree = new MerkleFrontier();
        foreach (var path in TilePath.Bundles(newest.Size))
        {
            foreach (var entry in EntryBundle.Parse(await stage.Log.Tiles.ReadAsync(path, CancellationToken.None), path.Width))
            {
                tree.Append(MerkleTree.LeafHash(entry.Span));
            }
        }

        Assert.Equal(newest.Root, tree.Root());
    }

    [Fact]
    public async Task Of_two_keepers_one_signs_and_the_other_takes_over()
    {
        await using var stage = await LogStage.NewAsync(events: 20);
        var (one, two) = (stage.Keep(), stage.Keep());
        await LogStage.UntilAsync(() => one.State.SignedSize + two.State.SignedSize == 20);
        Assert.True(one.State.Keeps ^ two.State.Keeps);
        await Assert.ThrowsAsync<LogElsewhereException>(() => (one.State.Keeps ? two : one).SignNowAsync(CancellationToken.None));

        await stage.ExecuteAsync("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 5 AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())");
        await stage.AppendAsync(20);
        await LogStage.UntilAsync(() => stage.NewestAsync().Result.Size == 40);
        Assert.True((await stage.RebuildAsync()).Holds);
    }

    [Fact]
    public async Task A_checkpoint_and_its_tiles_are_stored_together_or_not_at_all_and_the_signed_head_is_put_back()
    {
        await using var stage = await LogStage.NewAsync(events: 600);
        await stage.ExecuteAsync("""
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the power went'; END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON ledger_checkpoint FOR EACH STATEMENT EXECUTE FUNCTION refuse();
            """);
        List<string> troubles = [];
        stage.Keep(troubles);
        await LogStage.UntilAsync(() => troubles.Count > 0);
        await stage.StopAsync();
        Assert.Contains("the power went", troubles[0], StringComparison.Ordinal);
        Assert.Equal(["0"], await stage.RowsAsync("SELECT count(*) FROM ledger_tile"));
        var signed = stage.Log.LastSigned.Read();
        Assert.NotNull(signed);

        // What was signed, somebody may hold: it is not signed away.
        await stage.ExecuteAsync("DROP TRIGGER refuse ON ledger_checkpoint");
        await stage.AppendAsync(100);
        Assert.Null(await stage.KeepAsync());
        Assert.Equal(signed, (await stage.Log.Store.AtAsync(1, 600, CancellationToken.None))?.Note);
        Assert.Equal(["2"], await stage.RowsAsync("SELECT count(*) FROM ledger_tile"));
        Assert.True((await stage.RebuildAsync()).Holds);
    }

    [Fact]
    public async Task A_ledger_that_was_restored_to_an_older_state_is_not_signed_and_no_other_past_is()
    {
        await using var stage = await LogStage.NewAsync(events: 100);
        Assert.Null(await stage.KeepAsync());
        await stage.AppendAsync(100);
        await LogStage.UntilAsync(() => stage.NewestAsync().Result.Size == 200);
        await stage.StopAsync();

        // A dump of when there were 100 events.
        await stage.TamperAsync("mt_events", "DELETE FROM mt_events WHERE seq_id > 100; UPDATE ledger_head SET position = 100");
        await stage.TamperAsync("ledger_salt", "DELETE FROM ledger_salt WHERE last_position > 100");
        await stage.TamperAsync("ledger_leaf", "DELETE FROM ledger_leaf WHERE last_position > 100");
        await stage.TamperAsync("ledger_checkpoint", "DELETE FROM ledger_checkpoint WHERE size > 100");
        var fault = await stage.KeepAsync();
        Assert.Equal((LogFaults.Behind, 200L), (fault?.Kind, fault?.Position));
        Assert.Contains("100 events are gone", fault!.What, StringComparison.Ordinal);
        Assert.Contains("mbp anchor", fault.What, StringComparison.Ordinal);
        await stage.StopAsync();

        // It goes on from there: other events where those were that somebody can prove.
        await stage.AppendAsync(150);
        fault = await stage.KeepAsync();
        Assert.Equal((LogFaults.Fork, 200L), (fault?.Kind, fault?.Position));
        Assert.Equal(["100"], await stage.RowsAsync("SELECT max(size) FROM ledger_checkpoint"));
        Assert.Equal(200, Checkpoint.Of(stage.Log.LastSigned.Read()!).Size);
        Assert.Contains((await stage.RebuildAsync()).Differences, difference => difference.StartsWith("size 200: the last signed head", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Without_the_last_signed_head_nothing_is_signed_until_somebody_brings_one()
    {
        await using var stage = await LogStage.NewAsync(events: 10);
        Assert.Null(await stage.KeepAsync());
        await stage.StopAsync();
        var note = stage.Log.LastSigned.Read()!;
        File.Delete(stage.Log.LastSigned.FilePath);
        await stage.AppendAsync(10);

        var keeper = stage.Keep();
        await LogStage.UntilAsync(() => keeper.State.Fault is not null);
        Assert.Equal(LogFaults.LastSigned, keeper.State.Fault!.Kind);
        Assert.Equal(LogFaults.LastSigned, (await Assert.ThrowsAsync<LogHaltException>(() => keeper.SignNowAsync(CancellationToken.None))).Fault.Kind);

        stage.Log.LastSigned.Write(note);
        await LogStage.UntilAsync(() => keeper.State.Fault is not null);
        Assert.Equal(20, Checkpoint.Of(await keeper.SignNowAsync(CancellationToken.None)).Size);
        Assert.Null(keeper.State.Fault);
    }

    [Fact]
    public async Task A_last_signed_head_that_was_damaged_is_seen_while_the_log_rests()
    {
        await using var stage = await LogStage.NewAsync(events: 10);
        var keeper = stage.Keep();
        await LogStage.UntilAsync(() => keeper.State.SignedSize == 10);
        await File.WriteAllTextAsync(stage.Log.LastSigned.FilePath, "no note");
        await LogStage.UntilAsync(() => keeper.State.Fault is not null);
        Assert.Equal(LogFaults.LastSigned, keeper.State.Fault!.Kind);
    }

    [Fact]
    public async Task An_entry_that_was_changed_is_not_signed()
    {
        await using var stage = await LogStage.NewAsync(events: 10);
        await stage.TamperAsync("ledger_leaf", "UPDATE ledger_leaf SET leaves = set_byte(leaves, 20, get_byte(leaves, 20) # 1) WHERE first_position <= 5 AND last_position >= 5");
        var fault = await stage.KeepAsync();
        Assert.Equal(LogFaults.Leaf, fault?.Kind);
        Assert.InRange(fault!.Position!.Value, 1, 5);
        Assert.False(File.Exists(stage.Log.LastSigned.FilePath));
    }

    [Fact]
    public async Task A_key_that_is_not_here_halts_the_keeper_and_says_where_it_looked()
    {
        await using var stage = await LogStage.NewAsync(events: 3);
        var file = Assert.Single(Directory.GetFiles(stage.Log.Keys.Folder));
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        }

        // It has signed with it before: a host that never had the key stands by instead.
        Assert.Null(await stage.KeepAsync());
        await stage.StopAsync();
        File.Move(file, $"{file}.away");
        stage.Log.Keys.Dispose();
        var fault = await stage.KeepAsync();
        Assert.Equal(LogFaults.Key, fault?.Kind);
        Assert.Contains(stage.Log.Keys.Folder, fault!.What, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ledger_tile", "UPDATE ledger_tile SET hashes = set_byte(hashes, 70, get_byte(hashes, 70) # 1) WHERE level = 0 AND idx = 1", "tile/0/001: the stored hash 2 is not the one of the leaves (from position 259 on)")]
    [InlineData("ledger_tile", "UPDATE ledger_tile SET root = sha256(root) WHERE level = 0 AND idx = 0", "tile/0/000: the stored root")]
    [InlineData("ledger_tile", "DELETE FROM ledger_tile WHERE idx = 1", "tile/0/001: missing")]
    [InlineData("ledger_tile", "INSERT INTO ledger_tile SELECT 0, 7, hashes, root FROM ledger_tile WHERE idx = 0", "tile/0/007: stored, and the leaves do not fill it")]
    [InlineData("ledger_leaf", "UPDATE ledger_leaf SET leaves = set_byte(leaves, 30, get_byte(leaves, 30) # 1) WHERE first_position <= 300 AND last_position >= 300", "position ")]
    [InlineData("ledger_leaf", "DELETE FROM ledger_leaf WHERE first_position <= 300 AND last_position >= 300", "position ")]
    [InlineData("ledger_checkpoint", "UPDATE ledger_checkpoint SET root = sha256(root) WHERE size = 600", "size 600: ")]
    [InlineData("ledger_checkpoint", "UPDATE ledger_checkpoint SET note = (SELECT note FROM ledger_checkpoint WHERE size = 300) WHERE size = 600", "size 600: the note is not of this size and root")]
    [InlineData("ledger_checkpoint", "UPDATE ledger_checkpoint SET note = substr(note, 1, length(note) - 9) || 'AAAA' || right(note, 5) WHERE size = 600", "size 600: signed again")]
    public async Task A_rebuild_names_what_was_changed(string table, string sql, string difference)
    {
        await using var stage = await LogStage.NewAsync(events: 300);
        Assert.Null(await stage.KeepAsync());
        await stage.AppendAsync(300);
        await LogStage.UntilAsync(() => stage.NewestAsync().Result.Size == 600);
        await stage.StopAsync();
        var before = await stage.RebuildAsync();
        Assert.Equal((true, 600L, 2L), (before.Holds, before.Size, before.Tiles));
        Assert.Equal(before.Checkpoints, before.Resigned);

        await stage.TamperAsync(table, sql);
        var report = await stage.RebuildAsync();
        Assert.False(report.Holds);
        Assert.StartsWith(difference, report.Differences[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_position_that_a_foreign_transaction_used_up_has_a_void_entry()
    {
        await using var stage = await LogStage.NewAsync(events: 5);
        await stage.ExecuteAsync("""
            SELECT setval('mt_events_sequence', 8);
            INSERT INTO mt_events (seq_id, id, stream_id, version, data, type, timestamp, tenant_id, is_archived)
            SELECT 8, gen_random_uuid(), stream_id, max(version) + 1, '{}', 'foreign_thing', now(), '*DEFAULT*', false FROM mt_events GROUP BY stream_id LIMIT 1;
            """);
        await stage.AppendAsync(2);
        Assert.Null(await stage.KeepAsync());
        Assert.Equal(10, (await stage.NewestAsync()).Size);
        await stage.CheckProofsAsync(5, 6, 7, 8, 9);
        Assert.Equal("""{"type":"void","v":1}""", (await stage.Log.Tiles.EntryAsync(6, CancellationToken.None))!.Bytes.Text());
        Assert.Contains("foreign_thing", (await stage.Log.Tiles.EntryAsync(8, CancellationToken.None))!.Bytes.Text(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_keeper_may_see_how_far_standbys_are()
    {
        await using var stage = await LogStage.NewAsync();
        Assert.Equal(["True"], await stage.RowsAsync("SELECT pg_has_role('mbp_writer', 'pg_read_all_stats', 'USAGE')"));
    }

    [Fact]
    public async Task During_a_rotation_both_keys_sign_and_afterwards_the_new_one_alone()
    {
        await using var stage = await LogStage.NewAsync(events: 10);
        var keeper = stage.Keep();
        await LogStage.UntilAsync(() => keeper.State.SignedSize == 10);
        var old = (await stage.Log.Store.KeysAsync(1, CancellationToken.None))[0].Key;
        var next = stage.Log.Keys.Create(stage.Log.Origin);
        await stage.Log.Store.AddKeyAsync(1, next, 10, CancellationToken.None);
        await stage.AppendAsync(10);
        var both = await keeper.SignNowAsync(CancellationToken.None);
        Assert.Equal([SignatureState.Valid, SignatureState.Valid], new[] { old, next }.Select(both.Verify));

        await keeper.RetireAsync(old, CancellationToken.None);
        await stage.AppendAsync(10);
        var after = await keeper.SignNowAsync(CancellationToken.None);
        Assert.Equal([SignatureState.Absent, SignatureState.Valid], new[] { old, next }.Select(after.Verify));
        Assert.Equal([20L, null], (await stage.Log.Store.KeysAsync(1, CancellationToken.None)).Select(key => key.Until));
        stage.Log.Keys.Destroy(old);
        Assert.True((await stage.RebuildAsync()).Holds);
        await Assert.ThrowsAsync<Npgsql.PostgresException>(() => stage.ExecuteAsync("UPDATE ledger_key SET until_size = 25 WHERE until_size = 20"));
    }
}

using Mbp.Cli.Anchoring;
using Mbp.Cli.Auditing;
using Mbp.Ledger;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Mbp.Ledger.Postgres;
using Mbp.Ledger.Postgres.Log;
using Mbp.Testing;
using Npgsql;
using static Mbp.Verify.Tests.Run;

namespace Mbp.Verify.Tests;

/// <summary>From a real database to a folder that a stranger verifies.</summary>
public sealed class PostgresExportTests(PostgresFixture database) : IClassFixture<PostgresFixture>
{
    [Fact]
    public async Task What_the_store_holds_is_exported_and_verified_and_what_was_changed_is_not_exported()
    {
        using var key = new LogKeyPair();
        using var scratch = new Scratch();
        await using var access = new LedgerAccess(database.Connections, await FillAsync(key), null);
        await Assert.ThrowsAsync<IOException>(() => new ExportRun(access, Directory.CreateDirectory(scratch["full"]).Parent!.FullName, []).GoAsync(default));

        var report = await new ExportRun(access, scratch["log"], []).GoAsync(default);
        Assert.Equal(Ledger.Events.Count, report.Size);
        Assert.Equal(2, report.Markets);
        var (exit, output) = await VerifyAsync("log", scratch["log"], "--vkey", key.Vkey);
        Assert.True(exit == 0, output);
        Assert.Contains("1 older checkpoints", output, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(scratch["log"], "anchors/index.jsonl")));

        await new ExportRun(access, scratch["one"], ["rain"]).GoAsync(default);
        var market = Path.Combine(scratch["one"], "markets/rain.json");
        (exit, output) = await VerifyAsync("market", market, "--vkey", key.Vkey);
        Assert.True(exit == 0, output);
        Assert.Equal(2, (await VerifyAsync("log", scratch["one"], "--vkey", key.Vkey)).Exit);
        await AnyByteCountsAsync(market, key);

        // An administrator changes an entry and its hash, past the triggers.
        await PostgresFixture.ExecuteAsync(
            database.Superuser,
            """
            ALTER TABLE ledger_leaf DISABLE TRIGGER mbp_append_only;
            UPDATE ledger_leaf SET leaves = set_byte(leaves, 40, 65), hashes = sha256('\x00'::bytea || substr(set_byte(leaves, 40, 65), 3, get_byte(leaves, 0) * 256 + get_byte(leaves, 1))) || substr(hashes, 33)
            WHERE first_position <= 100 AND last_position >= 100;
            """);
        var refused = await Assert.ThrowsAsync<ExportRefusedException>(() => new ExportRun(access, scratch["changed"], []).GoAsync(default));
        Assert.InRange(refused.Position!.Value, 1, 100);
        Assert.False(File.Exists(Path.Combine(scratch["changed"], "MANIFEST")));

        await PostgresFixture.ExecuteAsync(database.Superuser, "UPDATE ledger_leaf SET hashes = set_byte(hashes, 3, 1) WHERE first_position <= 100 AND last_position >= 100");
        refused = await Assert.ThrowsAsync<ExportRefusedException>(() => new ExportRun(access, scratch["hash"], []).GoAsync(default));
        Assert.Contains("does not have the hash that was stored with it", refused.Message, StringComparison.Ordinal);
    }

    // What is behind a signature, a commitment or a hash cannot be changed; white space between the fields can, and means nothing.
    private static async Task AnyByteCountsAsync(string market, LogKeyPair key)
    {
        var good = await File.ReadAllBytesAsync(market);
        for (var offset = 0; offset < good.Length; offset += good.Length / 40)
        {
            var bad = good.ToArray();
            bad[offset] ^= 0x01;
            await File.WriteAllBytesAsync(market, bad);
            var (exit, output) = await VerifyAsync("market", market, "--vkey", key.Vkey);
            Assert.True(exit == 1, $"offset {offset}: '{(char)good[offset]}' exit {exit}\n{output}");
        }

        await File.WriteAllBytesAsync(market, good);
    }

    private async Task<PostgresEventStore> FillAsync(LogKeyPair key)
    {
        var store = new PostgresEventStore(database.Connections);
        var tree = new MerkleFrontier();
        var notes = new List<SignedNote>();
        await using (var lease = await store.TryAcquireAsync("export test", default) ?? throw new InvalidOperationException("Somebody holds the lease."))
        {
            foreach (var events in Ledger.Events.Chunk(37))
            {
                var batch = new Batch(events);
                await store.AppendAsync(lease, batch);
                foreach (var hash in batch.Leaves.Hashes)
                {
                    tree.Append(hash);
                }

                notes.Add(key.Sign(tree.Size, tree.Root()));
            }
        }

        await using var source = NpgsqlDataSource.Create(database.Superuser);
        await ExecuteAsync("INSERT INTO ledger_log (epoch, origin) VALUES (1, $1)", LogKeyPair.Origin);
        await ExecuteAsync("INSERT INTO ledger_key (epoch, key_id, vkey, from_size) VALUES (1, $1, $2, 0)", "k", key.Vkey);
        foreach (var note in notes)
        {
            var checkpoint = Checkpoint.Of(note);
            await ExecuteAsync(
                "INSERT INTO ledger_checkpoint (epoch, size, root, note, key_id, commit_lsn) VALUES (1, $1, $2, $3, 'k', '0/0')", checkpoint.Size, checkpoint.Root.ToArray(), note.Format());
        }

        await ExecuteAsync("INSERT INTO ledger_anchor (epoch, size, kind, ref, receipt) VALUES (1, $1, 'git-tag', 'anchor-1', $2)", Checkpoint.Of(notes[3]).Size, new byte[] { 1, 2, 3 });
        return store;

        async Task ExecuteAsync(string sql, params object[] values)
        {
            await using var command = source.CreateCommand(sql);
            foreach (var value in values)
            {
                command.Parameters.Add(new() { Value = value });
            }

            await command.ExecuteNonQueryAsync();
        }
    }
}

using System.Buffers;
using System.Globalization;
using Mbp.Ledger;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Mbp.Ledger.Postgres;
using Mbp.Ledger.Postgres.Log;
using Mbp.Testing;
using Npgsql;

namespace Mbp.Host.Tests.Tampering;

/// <summary>A copy of the ledger in the hands of a superuser who has switched every trigger off, and of the data folder with the log's keys.</summary>
internal sealed class TamperedCopy : IAsyncDisposable
{
    private const string AllTriggersOff = """
        DO $$ DECLARE name regclass; BEGIN
          FOR name IN SELECT DISTINCT tgrelid FROM pg_trigger LOOP EXECUTE format('ALTER TABLE %s DISABLE TRIGGER ALL', name); END LOOP;
        END $$
        """;

    private readonly HonestLedger _ledger;
    private readonly PostgresEventStore _store;
    private readonly RoleConnections _connections;
    private int _exports;

    private TamperedCopy(HonestLedger ledger, string folder, string superuser, RoleConnections connections)
    {
        (_ledger, Folder, Superuser, _connections) = (ledger, folder, superuser, connections);
        _store = new PostgresEventStore(connections);
    }

    public string Folder { get; }

    public string Data => Path.Combine(Folder, "data");

    public string Superuser { get; }

    public static async Task<TamperedCopy> MakeAsync(HonestLedger ledger, string name)
    {
        var database = $"tampered_{Guid.NewGuid():n}";
        var original = new NpgsqlConnectionStringBuilder(ledger.Superuser);
        NpgsqlConnection.ClearAllPools();
        await PostgresFixture.ExecuteAsync(
            new NpgsqlConnectionStringBuilder(ledger.Superuser) { Database = "postgres" }.ConnectionString,
            $"CREATE DATABASE {database} TEMPLATE \"{original.Database}\" OWNER mbp_owner");
        var superuser = new NpgsqlConnectionStringBuilder(ledger.Superuser) { Database = database, Pooling = false }.ConnectionString;
        var copy = new TamperedCopy(
            ledger, Path.Combine(ledger.Folder, $"{name}-{database[^6..]}"), superuser, await ExternalServer.ConnectAsync(superuser, CancellationToken.None));
        foreach (var file in Directory.EnumerateFiles(ledger.Options.Data, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(copy.Data, Path.GetRelativePath(ledger.Options.Data, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }

        await copy.ExecuteAsync(AllTriggersOff);
        return copy;
    }

    public async ValueTask DisposeAsync() => await _store.DisposeAsync();

    public Task ExecuteAsync(string sql) => PostgresFixture.ExecuteAsync(Superuser, $"SET session_replication_role = replica; {sql}");

    /// <summary>The leaf hashes of all positions, made from the stored entries.</summary>
    public async Task<MerkleHash[]> HashesAsync() => [.. (await EntriesAsync()).Select(entry => MerkleTree.LeafHash(entry.Entry))];

    /// <summary>Changes a stored entry and, or not, the hash beside it.</summary>
    public async Task EditLeafAsync(long position, Func<byte[], byte[]> edit, bool rehash)
    {
        var (first, leaves) = await RowAsync(position);
        var entries = LeafBatch.Entries(leaves).ToArray();
        var entry = edit(entries[position - first].ToArray());
        entries[position - first] = entry;
        await PutAsync(position, "leaves = $2", EntryBundle.Format(entries));
        if (rehash)
        {
            await PutAsync(position, $"hashes = overlay(hashes placing $2 from {(32 * (position - first)) + 1})", MerkleTree.LeafHash(entry).ToArray());
        }
    }

    /// <summary>Makes the entry and the hash of an event again, from the event as it is now.</summary>
    public async Task RemakeLeafAsync(long position)
    {
        var salt = (await EntriesAsync())[(int)position - 1].Salt;
        var stored = await EventAsync(position);
        await EditLeafAsync(position, _ => Entry(stored, salt), rehash: true);
    }

    /// <summary>Takes an event out and lets those after it move up, as if it had never been; or the other way round.</summary>
    /// <param name="by">-1 to take out, 1 to make room.</param>
    public Task RenumberAsync(long from, int by) => ExecuteAsync($"""
        UPDATE mt_events SET seq_id = -seq_id WHERE seq_id >= {from};
        UPDATE mt_events SET seq_id = -seq_id + {by} WHERE seq_id < 0;
        UPDATE ledger_head SET position = position + {by};
        """);

    /// <summary>Every entry again, one row for each, from the events as they are now: what the ledger itself says of them fits.</summary>
    /// <param name="salts">One for each position; those of the honest ledger otherwise.</param>
    public async Task RemakeLeavesAsync(IReadOnlyList<byte[]>? salts = null)
    {
        salts ??= await SaltsAsync();
        await ExecuteAsync("DELETE FROM ledger_leaf; DELETE FROM ledger_salt");
        await using var source = NpgsqlDataSource.Create(Superuser);
        await using var session = await source.OpenConnectionAsync();
        await using var batch = new NpgsqlBatch(session);
        await foreach (var stored in _store.ReadRangeAsync(0, salts.Count, CancellationToken.None))
        {
            var (position, salt) = (stored.Position, salts[(int)stored.Position - 1]);
            var entry = Entry(stored, salt);
            batch.BatchCommands.Add(new NpgsqlBatchCommand("INSERT INTO ledger_leaf (last_position, first_position, leaves, hashes) VALUES ($1, $1, $2, $3)")
            {
                Parameters = { new() { Value = position }, new() { Value = EntryBundle.Format([entry]) }, new() { Value = MerkleTree.LeafHash(entry).ToArray() } },
            });
            batch.BatchCommands.Add(new NpgsqlBatchCommand("INSERT INTO ledger_salt (last_position, salts) VALUES ($1, $2)")
            {
                Parameters = { new() { Value = position }, new() { Value = salt } },
            });
        }

        await batch.ExecuteNonQueryAsync();
    }

    public async Task<List<byte[]>> SaltsAsync() => [.. (await EntriesAsync()).Select(entry => entry.Salt)];

    /// <summary>Tiles, checkpoints and the last signed head again, with the log's own key: nothing in the house contradicts them.</summary>
    /// <param name="without">A position that was taken out: what was signed after it has one event less.</param>
    public async Task ReanchorAsync(long without = long.MaxValue)
    {
        var sizes = (await PostgresFixture.RowsAsync(Superuser, "SELECT size FROM ledger_checkpoint ORDER BY size"))
            .Select(size => long.Parse(size, CultureInfo.InvariantCulture)).Select(size => size < without ? size : size - 1).ToList();
        await ExecuteAsync("DELETE FROM ledger_cosignature; DELETE FROM ledger_anchor; DELETE FROM ledger_checkpoint; DELETE FROM ledger_tile");
        var log = await PublicLog.TryOpenAsync(_connections, Path.Combine(Data, "log"), CancellationToken.None) ?? throw new InvalidOperationException("The copy has no log.");
        await using (log)
        {
            var signer = log.Keys.Find(_ledger.Key)!;
            var tiles = new TileBuilder();
            await using var source = NpgsqlDataSource.Create(Superuser);
            foreach (var hash in await HashesAsync())
            {
                foreach (var tile in tiles.Append(hash))
                {
                    await RunAsync(source, "INSERT INTO ledger_tile (level, idx, hashes, root) VALUES ($1, $2, $3, $4)", tile.Level, tile.Index, tile.Hashes.ToArray(), tile.Root.ToArray());
                }

                if (sizes.Contains(tiles.Size))
                {
                    var note = SignedNote.Sign(new Checkpoint(log.Origin, tiles.Size, tiles.Root()).ToText(), signer);
                    await RunAsync(
                        source, "INSERT INTO ledger_checkpoint (epoch, size, root, note, key_id, commit_lsn) VALUES (1, $1, $2, $3, $4, '0/0')",
                        tiles.Size, tiles.Root().ToArray(), note.Format(), LogKeys.IdOf(_ledger.Key));
                    log.LastSigned.Write(note);
                }
            }
        }
    }

    /// <summary>The last signed head as the newest stored checkpoint says.</summary>
    public async Task ForgetLastSignedAsync() => await File.WriteAllTextAsync(
        Path.Combine(Data, "log", "last-signed"), (await PostgresFixture.RowsAsync(Superuser, "SELECT note FROM ledger_checkpoint ORDER BY size DESC LIMIT 1"))[0]);

    public Task<(int Exit, string Output)> DeepCheckAsync() => AnchorAsync("deep-check");

    public Task<(int Exit, string Output)> RebuildAsync() => AnchorAsync("rebuild", "--check");

    public Task<(int Exit, string Output)> StatusAsync() => AnchorAsync("status");

    /// <summary>Where the last export is.</summary>
    public string Export => Path.Combine(Folder, $"export-{_exports}");

    public Task<(int Exit, string Output)> ExportAsync()
    {
        _exports++;
        return AnchorAsync("export", Export);
    }

    /// <summary>The stranger's check of the last export.</summary>
    public Task<(int Exit, string Output)> VerifyAsync(params string[] more) => Verbs.VerifyAsync(["log", Export, "--vkey", _ledger.Key.ToString(), .. more]);

    public Task<(int Exit, string Output)> ReceiptAsync(string file) => Verbs.VerifyAsync("receipt", file, "--log", Export, "--vkey", _ledger.Key.ToString());

    public static byte[] OneCharacter(byte[] entry)
    {
        // Within the commitment to the body, where any letter may stand.
        entry[50] = entry[50] == (byte)'A' ? (byte)'B' : (byte)'A';
        return entry;
    }

    private Task<(int Exit, string Output)> AnchorAsync(params string[] verb) => Verbs.MbpAsync(["anchor", .. verb, "--postgres", Superuser, "--data", Data]);

    private static byte[] Entry(StoredEvent stored, byte[] salt)
    {
        var entry = new ArrayBufferWriter<byte>();
        Leaf.Write(stored, salt, entry);
        return entry.WrittenSpan.ToArray();
    }

    private async Task<StoredEvent> EventAsync(long position)
    {
        await foreach (var stored in _store.ReadRangeAsync(position - 1, position, CancellationToken.None))
        {
            return stored;
        }

        throw new InvalidOperationException($"There is no event at {position}.");
    }

    private async Task<List<(byte[] Entry, byte[] Salt)>> EntriesAsync()
    {
        var entries = new List<(byte[], byte[])>();
        await using var source = NpgsqlDataSource.Create(Superuser);
        await using var command = source.CreateCommand("SELECT leaves, salts FROM ledger_leaf JOIN ledger_salt USING (last_position) ORDER BY last_position");
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            var salts = reader.GetFieldValue<byte[]>(1);
            entries.AddRange(LeafBatch.Entries(reader.GetFieldValue<byte[]>(0)).Select((entry, i) => (entry.ToArray(), LeafBatch.Salt(salts, i).ToArray())));
        }

        return entries;
    }

    private async Task<(long First, byte[] Leaves)> RowAsync(long position)
    {
        await using var source = NpgsqlDataSource.Create(Superuser);
        await using var command = source.CreateCommand("SELECT first_position, leaves FROM ledger_leaf WHERE last_position >= $1 ORDER BY last_position LIMIT 1");
        command.Parameters.Add(new() { Value = position });
        await using var reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        return (reader.GetInt64(0), reader.GetFieldValue<byte[]>(1));
    }

    private async Task PutAsync(long position, string change, byte[] bytes)
    {
        await using var source = NpgsqlDataSource.Create(Superuser);
        await RunAsync(source, $"UPDATE ledger_leaf SET {change} WHERE first_position <= $1 AND last_position >= $1", position, bytes);
    }

    private static async Task RunAsync(NpgsqlDataSource source, string sql, params object[] values)
    {
        await using var command = source.CreateCommand(sql);
        command.Parameters.AddRange(values.Select(value => new NpgsqlParameter { Value = value }).ToArray());
        await command.ExecuteNonQueryAsync();
    }
}

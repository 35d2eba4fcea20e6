using System.Text;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Npgsql;

namespace Mbp.Host.Tests.Anchoring;

/// <summary>A log in memory with every tree that it could have: also those that contradict each other.</summary>
internal sealed class TestLog : ITileReader, IDisposable
{
    private readonly Ed25519PrivateKey _key = Ed25519PrivateKey.Create();
    private readonly List<MerkleHash> _leaves = [];
    private readonly Ed25519Signer _signer;

    public TestLog(string origin = "test.example/mbp-ledger/1") => (Origin, _signer) = (origin, new Ed25519Signer(origin, _key));

    public string Origin { get; }

    public VerifierKey Key => _signer.Key;

    public long Size => _leaves.Count;

    public void Grow(int count, string what = "event")
    {
        for (var i = 0; i < count; i++)
        {
            _leaves.Add(MerkleTree.LeafHash(Encoding.UTF8.GetBytes($"{what} {_leaves.Count}")));
        }
    }

    /// <summary>The same key, and another history from a size on.</summary>
    public void Rewrite(int from)
    {
        var count = _leaves.Count - from;
        _leaves.RemoveRange(from, count);
        Grow(count, "other");
    }

    public Checkpoint At(int size) => new(Origin, size, MerkleTree.Root([.. _leaves[..size]]));

    public SignedNote Note(int size) => SignedNote.Sign(At(size).ToText(), _signer);

    public IReadOnlyList<MerkleHash> Proof(int from, int to) => MerkleProof.Consistency([.. _leaves[..to]], from);

    public byte[] Request(int old, int size) => new AddCheckpoint(old, Proof(old, size), Note(size)).ToUtf8();

    public ValueTask<ReadOnlyMemory<byte>> ReadAsync(TilePath path, CancellationToken ct)
    {
        var builder = new TileBuilder();
        var tiles = builder.Append([.. _leaves]).Select(tile => (tile.Path, Bytes: tile.Hashes.ToArray())).Concat(builder.PartialTiles().Select(tile => (tile.Path, Bytes: tile.Hashes)));
        return tiles.FirstOrDefault(tile => tile.Path.ToString() == path.ToString()) is { Bytes: { } bytes } ? new(bytes) : throw new FileNotFoundException(path.ToString());
    }

    /// <summary>Puts a checkpoint where the log's keeper puts it.</summary>
    public async Task StoreAsync(string connection, int size, int epoch = 1)
    {
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connection) { Pooling = false });
        await using var command = source.CreateCommand("""
            WITH log AS (INSERT INTO ledger_log (epoch, origin) VALUES ($1, $2) ON CONFLICT DO NOTHING)
            INSERT INTO ledger_checkpoint (epoch, size, root, note, key_id, commit_lsn) VALUES ($1, $3, $4, $5, 'k', '0/0')
            """);
        foreach (var value in new object[] { epoch, Origin, (long)size, At(size).Root.ToArray(), Note(size).Format() })
        {
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        }

        await command.ExecuteNonQueryAsync();
    }

    public void Dispose() => _key.Dispose();
}

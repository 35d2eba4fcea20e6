using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using NodaTime;
using Npgsql;
using NpgsqlTypes;

namespace Mbp.Ledger.Postgres.Log;

/// <summary>A tree head as it was signed and stored.</summary>
/// <param name="Note">As it was published, without cosignatures.</param>
public sealed record PublishedCheckpoint(int Epoch, long Size, MerkleHash Root, string Note, Instant At)
{
    public SignedNote Parsed => SignedNote.Parse(Note);
}

/// <summary>A receipt for a checkpoint that was left elsewhere.</summary>
public sealed record StoredAnchor(int Epoch, long Size, string Kind, string Ref, ReadOnlyMemory<byte> Receipt, Instant At, Instant? VerifiedAt);

/// <summary>What others say about the log's checkpoints: cosignatures of witnesses and receipts of anchors. It is the writer's role that may add them.</summary>
public sealed class AnchorStore(RoleConnections connections) : IAsyncDisposable
{
    private readonly NpgsqlDataSource _pool = RoleConnections.Pool(
        "mbp_anchors", connections.Writer, change => (change.MaxPoolSize, change.CommandTimeout) = (4, 10));

    /// <summary>The newest checkpoint of the newest epoch; null before the first.</summary>
    public async Task<PublishedCheckpoint?> LatestAsync(CancellationToken ct) =>
        (await CheckpointsAsync("SELECT epoch, size, root, note, at FROM ledger_checkpoint ORDER BY epoch DESC, size DESC LIMIT 1", ct).ConfigureAwait(false)).SingleOrDefault();

    public async Task<PublishedCheckpoint?> FindAsync(int epoch, long size, CancellationToken ct) =>
        (await CheckpointsAsync("SELECT epoch, size, root, note, at FROM ledger_checkpoint WHERE epoch = $1 AND size = $2", ct, epoch, size).ConfigureAwait(false)).SingleOrDefault();

    /// <summary>The largest size that a witness has signed in an epoch, as far as it is known here; 0 for none.</summary>
    public async Task<long> CosignedSizeAsync(int epoch, VerifierKey witness, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(witness);
        await using var command = Command("SELECT coalesce(max(size), 0) FROM ledger_cosignature WHERE epoch = $1 AND key = $2", epoch, witness.ToString());
        return (long)(await command.ExecuteScalarAsync(ct).ConfigureAwait(false))!;
    }

    /// <summary>Keeps a witness's line; the first one stays.</summary>
    public async Task AddCosignatureAsync(PublishedCheckpoint checkpoint, VerifierKey witness, NoteSignature line, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(witness);
        ArgumentNullException.ThrowIfNull(line);
        await using var command = Command(
            "INSERT INTO ledger_cosignature (epoch, size, key, line) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            checkpoint.Epoch, checkpoint.Size, witness.ToString(), line.Line);
        await command.ExecuteNonQueryAsync(ct).ConfigureAwait(false);
    }

    /// <summary>The checkpoint's note with all cosignatures that came so far.</summary>
    public async Task<SignedNote> CosignedAsync(PublishedCheckpoint checkpoint, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        var note = checkpoint.Parsed;
        return note.With(await PublishedLog.CosignaturesAsync(_pool, checkpoint.Epoch, checkpoint.Size, note, ct).ConfigureAwait(false));
    }

    /// <summary>The newest anchor of a kind whose reference begins with the place; null for none.</summary>
    public async Task<StoredAnchor?> LastAnchorAsync(int epoch, string kind, string place, CancellationToken ct) =>
        (await AnchorsAsync("WHERE epoch = $1 AND kind = $2 AND starts_with(ref, $3) ORDER BY size DESC, at DESC LIMIT 1", ct, epoch, kind, place).ConfigureAwait(false)).SingleOrDefault();

    /// <summary>Every receipt, the oldest first.</summary>
    public Task<IReadOnlyList<StoredAnchor>> AnchorsAsync(CancellationToken ct) => AnchorsAsync("ORDER BY epoch, size, kind, ref", ct);

    /// <summary>Keeps a receipt; the first one for a reference stays.</summary>
    public async Task AddAnchorAsync(PublishedCheckpoint checkpoint, string kind, string reference, ReadOnlyMemory<byte> receipt, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        await using var command = Command(
            "INSERT INTO ledger_anchor (epoch, size, kind, ref, receipt) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            checkpoint.Epoch, checkpoint.Size, kind, reference, receipt.ToArray());
        await command.ExecuteNonQueryAsync(ct).ConfigureAwait(false);
    }

    /// <summary>Notes that a receipt was found good now.</summary>
    public async Task VerifiedAsync(int epoch, long size, string kind, string reference, CancellationToken ct)
    {
        await using var command = Command("UPDATE ledger_anchor SET verified_at = now() WHERE epoch = $1 AND size = $2 AND kind = $3 AND ref = $4", epoch, size, kind, reference);
        await command.ExecuteNonQueryAsync(ct).ConfigureAwait(false);
    }

    public ValueTask DisposeAsync() => _pool.DisposeAsync();

    private async Task<IReadOnlyList<PublishedCheckpoint>> CheckpointsAsync(string sql, CancellationToken ct, params object[] values)
    {
        await using var command = Command(sql, values);
        await using var rows = await command.ExecuteReaderAsync(ct).ConfigureAwait(false);
        var found = new List<PublishedCheckpoint>();
        while (await rows.ReadAsync(ct).ConfigureAwait(false))
        {
            found.Add(new PublishedCheckpoint(
                rows.GetInt32(0), rows.GetInt64(1), new MerkleHash(rows.GetFieldValue<byte[]>(2)), rows.GetString(3), Instant.FromDateTimeUtc(rows.GetDateTime(4))));
        }

        return found;
    }

    private async Task<IReadOnlyList<StoredAnchor>> AnchorsAsync(string which, CancellationToken ct, params object[] values)
    {
        await using var command = Command($"SELECT epoch, size, kind, ref, receipt, at, verified_at FROM ledger_anchor {which}", values);
        await using var rows = await command.ExecuteReaderAsync(ct).ConfigureAwait(false);
        var found = new List<StoredAnchor>();
        while (await rows.ReadAsync(ct).ConfigureAwait(false))
        {
            found.Add(new StoredAnchor(
                rows.GetInt32(0), rows.GetInt64(1), rows.GetString(2), rows.GetString(3), rows.GetFieldValue<byte[]>(4), Instant.FromDateTimeUtc(rows.GetDateTime(5)),
                rows.IsDBNull(6) ? null : Instant.FromDateTimeUtc(rows.GetDateTime(6))));
        }

        return found;
    }

    // The text is this class's own; whatever comes from outside is a parameter.
    private NpgsqlCommand Command(string sql, params object[] values)
    {
        var command = _pool.CreateCommand(sql);
        foreach (var value in values)
        {
            command.Parameters.Add(value is byte[] bytes ? new NpgsqlParameter { Value = bytes, NpgsqlDbType = NpgsqlDbType.Bytea } : new NpgsqlParameter { Value = value });
        }

        return command;
    }
}

using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Npgsql;

namespace Mbp.Ledger.Postgres.Log;

/// <summary>A key of the log and the sizes that it may sign.</summary>
public sealed record LogKey(VerifierKey Key, long FromSize, long? UntilSize);

/// <summary>What was published of the log at one checkpoint, as an export or a proof needs it.</summary>
/// <param name="Epoch">Which log.</param>
/// <param name="Note">The newest note, with the cosignatures that came later.</param>
/// <param name="Checkpoint">What it says.</param>
/// <param name="Keys">All keys that there have been, the oldest first: those of logs that were given up, too, whose checkpoints somebody may still hold.</param>
public sealed record PublishedLog(int Epoch, SignedNote Note, Checkpoint Checkpoint, IReadOnlyList<LogKey> Keys)
{
    /// <summary>The newest checkpoint of the newest epoch.</summary>
    /// <exception cref="ExportRefusedException">There is none, or it is not one that a key of the log signed.</exception>
    public static async Task<PublishedLog> NewestAsync(NpgsqlDataSource reader, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(reader);
        int epoch;
        string text;
        await using (var command = reader.CreateCommand("SELECT epoch, note FROM ledger_checkpoint ORDER BY epoch DESC, size DESC LIMIT 1"))
        await using (var row = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false))
        {
            if (!await row.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                throw new ExportRefusedException("No checkpoint has been signed yet: there is nothing that an export could prove. Start the host, or run `mbp anchor checkpoint`.", null);
            }

            (epoch, text) = (row.GetInt32(0), row.GetString(1));
        }

        var keys = await KeysAsync(reader, cancellationToken).ConfigureAwait(false);
        try
        {
            var note = SignedNote.Parse(text);
            var checkpoint = Checkpoint.Of(note);
            if (!keys.Any(key => note.Verify(key.Key) == SignatureState.Valid))
            {
                throw new ExportRefusedException($"The newest checkpoint ({checkpoint.Size} events) is signed by no key of the log in ledger_key.", null);
            }

            return new PublishedLog(epoch, note.With(await CosignaturesAsync(reader, epoch, checkpoint.Size, note, cancellationToken).ConfigureAwait(false)), checkpoint, keys);
        }
        catch (LogFormatException e)
        {
            throw new ExportRefusedException($"The newest checkpoint in ledger_checkpoint is none: {e.Message}", null, e);
        }
    }

    internal static async Task<IReadOnlyList<NoteSignature>> CosignaturesAsync(
        NpgsqlDataSource reader, int epoch, long size, SignedNote note, CancellationToken cancellationToken)
    {
        var lines = new List<NoteSignature>();
        await using var command = reader.CreateCommand("SELECT line FROM ledger_cosignature WHERE epoch = $1 AND size = $2 ORDER BY key");
        command.Parameters.Add(new() { Value = epoch });
        command.Parameters.Add(new() { Value = size });
        await using var row = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        while (await row.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            var line = NoteSignature.Parse(row.GetString(0));
            if (!note.Signatures.Contains(line))
            {
                lines.Add(line);
            }
        }

        return lines;
    }

    private static async Task<IReadOnlyList<LogKey>> KeysAsync(NpgsqlDataSource reader, CancellationToken cancellationToken)
    {
        var keys = new List<LogKey>();
        await using var command = reader.CreateCommand("SELECT vkey, from_size, until_size FROM ledger_key ORDER BY epoch, from_size, key_id");
        await using var row = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        while (await row.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            keys.Add(new LogKey(VerifierKey.Parse(row.GetString(0)), row.GetInt64(1), row.IsDBNull(2) ? null : row.GetInt64(2)));
        }

        return keys;
    }
}

/// <summary>What is stored is not what was signed: nothing that looks like a proof may be made of it.</summary>
/// <param name="position">The first position that is known to be wrong, if one is.</param>
public sealed class ExportRefusedException(string message, long? position, Exception? cause = null) : Exception(message, cause)
{
    public long? Position { get; } = position;
}

/// <summary>An entry of the log as it is stored.</summary>
/// <param name="Position">Its index + 1.</param>
/// <param name="Bytes">The entry.</param>
/// <param name="StoredHash">The leaf hash that was stored beside it.</param>
/// <param name="Salt">Zeros where it was erased; empty for a void entry.</param>
internal readonly record struct StoredEntry(long Position, ReadOnlyMemory<byte> Bytes, MerkleHash StoredHash, ReadOnlyMemory<byte> Salt);

/// <summary>Reads the entries of the log page by page, in order and without a hole: where a number was used up, there is a void entry.</summary>
internal static class StoredEntries
{
    // A row is a commit: up to a few hundred entries of 300 bytes.
    private const int RowsAtATime = 500;

    public static async IAsyncEnumerable<StoredEntry> ReadAsync(
        NpgsqlDataSource reader, long last, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var position = 0L;
        await using var connection = await reader.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        var from = new NpgsqlParameter<long> { TypedValue = 0 };
        await using var command = new NpgsqlCommand(
            $"""
             SELECT l.first_position, l.last_position, l.leaves, l.hashes, s.salts FROM ledger_leaf l LEFT JOIN ledger_salt s USING (last_position)
             WHERE l.last_position > $1 ORDER BY l.last_position LIMIT {RowsAtATime}
             """,
            connection) { CommandTimeout = 0, Parameters = { from } };
        while (position < last)
        {
            var rows = 0;
            await using (var row = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false))
            {
                while (position < last && await row.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    rows++;
                    var first = row.GetInt64(0);
                    from.TypedValue = row.GetInt64(1);
                    if (first <= position)
                    {
                        throw new ExportRefusedException($"Position {first} is in two rows of ledger_leaf.", first);
                    }

                    for (; position + 1 < first && position < last; position++)
                    {
                        yield return Void(position + 1);
                    }

                    var (hashes, salts) = (row.GetFieldValue<byte[]>(3), row.IsDBNull(4) ? null : row.GetFieldValue<byte[]>(4));
                    foreach (var entry in Entries(row.GetFieldValue<byte[]>(2), first))
                    {
                        if (position == last)
                        {
                            break;
                        }

                        var index = (int)(position + 1 - first);
                        if ((index + 1) * MerkleHash.Size > hashes.Length)
                        {
                            throw new ExportRefusedException($"ledger_leaf has more entries than positions in the row from {first} on.", first);
                        }

                        yield return new StoredEntry(
                            ++position, entry, new MerkleHash(hashes.AsSpan(index * MerkleHash.Size, MerkleHash.Size)),
                            salts is not null && salts.Length >= (index + 1) * Leaf.SaltSize ? LeafBatch.Salt(salts, index) : default);
                    }

                    if (position < last && position != from.TypedValue)
                    {
                        throw new ExportRefusedException($"ledger_leaf has fewer entries than positions in the row from {first} on.", position + 1);
                    }
                }
            }

            if (rows == 0)
            {
                throw new ExportRefusedException($"The log was signed with {last} entries, ledger_leaf ends at position {position}: its end was cut off.", position + 1);
            }
        }
    }

    private static IEnumerable<ReadOnlyMemory<byte>> Entries(byte[] leaves, long first)
    {
        using var entries = LeafBatch.Entries(leaves).GetEnumerator();
        while (true)
        {
            try
            {
                if (!entries.MoveNext())
                {
                    yield break;
                }
            }
            catch (InvalidDataException e)
            {
                throw new ExportRefusedException($"The row of ledger_leaf from position {first} on is damaged: {e.Message}", first, e);
            }

            yield return entries.Current;
        }
    }

    private static StoredEntry Void(long position) =>
        new(position, ExportedEvent.VoidEntry, MerkleTree.LeafHash(ExportedEvent.VoidEntry.Span), default);
}

using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Npgsql;

namespace Mbp.Ledger.Postgres.Log;

/// <summary>
/// Reads the stored leaves of commits and hashes every entry anew: what goes into the tree is the bytes that are there, and never a hash that
/// only claims to be theirs. The buffers are used again for each row.
/// </summary>
internal sealed class LeafRows
{
    private byte[] _leaves = [];
    private byte[] _hashes = [];
    private MerkleHash[] _made = new MerkleHash[TilePath.FullWidth];

    /// <summary>Commits in order, each with the leaf hashes of its events: valid until the next is asked for.</summary>
    /// <param name="session">Where to read; one statement, row by row.</param>
    /// <param name="after">The position before the first.</param>
    /// <param name="rows">At most so many.</param>
    /// <param name="cancellationToken">Between two rows.</param>
    /// <exception cref="LogHaltException">A row contradicts itself, or does not follow the one before it.</exception>
    public async IAsyncEnumerable<(long First, ReadOnlyMemory<MerkleHash> Hashes)> ReadAsync(
        NpgsqlConnection session, long after, int rows, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT last_position, first_position, leaves, hashes FROM ledger_leaf WHERE last_position > $1 ORDER BY last_position LIMIT $2", session)
        {
            CommandTimeout = 0, Parameters = { new() { Value = after }, new() { Value = rows } },
        };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            var (last, first) = (reader.GetInt64(0), reader.GetInt64(1));
            if (first != after + 1)
            {
                throw new LogHaltException(
                    LogFaults.Gap, after + 1, $"The entry of position {after + 1} is missing: the leaves go on at {first}. Restore the row of ledger_leaf from a copy of the log (`mbp anchor export`) or a standby.");
            }

            var (leaves, hashes) = (Bytes(reader, 2, ref _leaves), Bytes(reader, 3, ref _hashes));
            yield return (first, Hash(first, last, _leaves.AsSpan(0, leaves), _hashes.AsSpan(0, hashes)));
            after = last;
        }
    }

    private ReadOnlyMemory<MerkleHash> Hash(long first, long last, ReadOnlySpan<byte> leaves, ReadOnlySpan<byte> stored)
    {
        var count = (int)(last - first + 1);
        if (count > _made.Length)
        {
            Array.Resize(ref _made, Math.Max(count, 2 * _made.Length));
        }

        for (var i = 0; i < count; i++)
        {
            var length = leaves.Length < sizeof(ushort) ? int.MaxValue : BinaryPrimitives.ReadUInt16BigEndian(leaves);
            if (length > leaves.Length - sizeof(ushort))
            {
                throw Wrong(first + i, "its entry is cut off");
            }

            _made[i] = MerkleTree.LeafHash(leaves.Slice(sizeof(ushort), length));
            if (_made[i] != new MerkleHash(stored.Slice(i * MerkleHash.Size, MerkleHash.Size)))
            {
                throw Wrong(first + i, "its entry does not hash to the hash that was stored with it");
            }

            leaves = leaves[(sizeof(ushort) + length)..];
        }

        return leaves.IsEmpty ? _made.AsMemory(0, count) : throw Wrong(last, "more bytes follow it than its commit has events");
    }

    private static LogHaltException Wrong(long position, string what) => new(
        LogFaults.Leaf, position, $"Position {position}: {what}. Somebody or something changed ledger_leaf. Find out who; compare with a copy of the log, then restore the row.");

    private static int Bytes(NpgsqlDataReader reader, int column, ref byte[] buffer)
    {
        var length = (int)reader.GetBytes(column, 0, null, 0, 0);
        if (length > buffer.Length)
        {
            buffer = new byte[Math.Max(length, 2 * buffer.Length)];
        }

        return (int)reader.GetBytes(column, 0, buffer, 0, length);
    }
}

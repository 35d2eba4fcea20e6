using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Mbp.Ledger.Merkle;

/// <summary>
/// The leaves of one commit, packed so that they are stored as one row, from which any of them is found. They are an entry bundle of C2SP
/// tlog-tiles (each entry behind its length, a big-endian uint16), so a public bundle is made of rows by concatenation.
/// </summary>
public sealed class LeafBatch
{
    private const int LengthSize = sizeof(ushort);

    // What an entry of ours takes, so that the buffer of a batch rarely grows.
    private const int UsualSize = 384;

    private readonly MerkleHash[] _hashes;

    private LeafBatch(ReadOnlyMemory<byte> leaves, ReadOnlyMemory<byte> salts, MerkleHash[] hashes) => (Leaves, Salts, _hashes) = (leaves, salts, hashes);

    /// <summary>The entries in the events' order, each behind its length.</summary>
    public ReadOnlyMemory<byte> Leaves { get; }

    /// <summary>The events' salts, <see cref="Leaf.SaltSize"/> bytes each.</summary>
    public ReadOnlyMemory<byte> Salts { get; }

    /// <summary>The leaf hashes in the events' order.</summary>
    public IReadOnlyList<MerkleHash> Hashes => _hashes;

    /// <summary>The leaf hashes as bytes, <see cref="MerkleHash.Size"/> each: a stretch of a tile of level 0.</summary>
    public byte[] PackedHashes()
    {
        var bytes = new byte[_hashes.Length * MerkleHash.Size];
        for (var i = 0; i < _hashes.Length; i++)
        {
            _hashes[i].CopyTo(bytes.AsSpan(i * MerkleHash.Size));
        }

        return bytes;
    }

    /// <summary>The leaves of a batch, with salts that nobody can guess.</summary>
    /// <inheritdoc cref="Leaf.Write(StoredEvent, ReadOnlySpan{byte}, IBufferWriter{byte}, string)" path="/exception"/>
    public static LeafBatch Of(IReadOnlyList<NewEvent> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        return Of(events, RandomNumberGenerator.GetBytes(events.Count * Leaf.SaltSize));
    }

    /// <summary>The leaves of a batch with given salts, <see cref="Leaf.SaltSize"/> bytes for each event, which are kept and not copied.</summary>
    /// <inheritdoc cref="Leaf.Write(StoredEvent, ReadOnlySpan{byte}, IBufferWriter{byte}, string)" path="/exception"/>
    public static LeafBatch Of(IReadOnlyList<NewEvent> events, ReadOnlyMemory<byte> salts)
    {
        ArgumentNullException.ThrowIfNull(events);
        if (salts.Length != events.Count * Leaf.SaltSize)
        {
            throw new ArgumentException($"{events.Count} events have {events.Count * Leaf.SaltSize} bytes of salt, not {salts.Length}.", nameof(salts));
        }

        var hashes = new MerkleHash[events.Count];
        var leaves = new ArrayBufferWriter<byte>(UsualSize * (events.Count + 1));
        for (var i = 0; i < hashes.Length; i++)
        {
            var facts = new Leaf.Facts(events[i], Leaf.DefaultTenant);
            var span = leaves.GetSpan(LengthSize + facts.MaxLength);
            var length = Leaf.Encode(facts, Salt(salts, i).Span, span[LengthSize..]);
            BinaryPrimitives.WriteUInt16BigEndian(span, (ushort)length);
            leaves.Advance(LengthSize + length);
            hashes[i] = MerkleTree.LeafHash(span.Slice(LengthSize, length));
        }

        return new LeafBatch(leaves.WrittenMemory, salts, hashes);
    }

    /// <summary>The salt of the event with an index within its batch, from 0.</summary>
    public static ReadOnlyMemory<byte> Salt(ReadOnlyMemory<byte> salts, int index) => salts.Slice(index * Leaf.SaltSize, Leaf.SaltSize);

    /// <summary>The entry of the event with an index within its batch, from 0.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There are not so many.</exception>
    /// <exception cref="InvalidDataException">The bytes end within an entry.</exception>
    public static ReadOnlyMemory<byte> Entry(ReadOnlyMemory<byte> leaves, int index) => Entries(leaves).ElementAt(index);

    /// <summary>The entries of a batch (or of an entry bundle) in order.</summary>
    /// <exception cref="InvalidDataException">The bytes end within an entry.</exception>
    public static IEnumerable<ReadOnlyMemory<byte>> Entries(ReadOnlyMemory<byte> leaves)
    {
        while (!leaves.IsEmpty)
        {
            var end = leaves.Length < LengthSize ? int.MaxValue : LengthSize + BinaryPrimitives.ReadUInt16BigEndian(leaves.Span);
            if (end > leaves.Length)
            {
                throw new InvalidDataException("The stored leaves end within an entry.");
            }

            yield return leaves[LengthSize..end];
            leaves = leaves[end..];
        }
    }
}

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

    private readonly MerkleHash[] _hashes;

    private LeafBatch(ReadOnlyMemory<byte> leaves, ReadOnlyMemory<byte> salts, MerkleHash[] hashes) => (Leaves, Salts, _hashes) = (leaves, salts, hashes);

    /// <summary>The entries in the events' order, each behind its length.</summary>
    public ReadOnlyMemory<byte> Leaves { get; }

    /// <summary>The events' salts, <see cref="Leaf.SaltSize"/> bytes each.</summary>
    public ReadOnlyMemory<byte> Salts { get; }

    /// <summary>The leaf hashes in the events' order.</summary>
    public IReadOnlyList<MerkleHash> Hashes => _hashes;

    /// <summary>The root over the batch's own leaves.</summary>
    public MerkleHash Root => MerkleTree.Root(_hashes);

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
    public static LeafBatch Of(IReadOnlyList<NewEvent> events) => Of(events, new Builder());

    /// <summary>The leaves of a batch with given salts, <see cref="Leaf.SaltSize"/> bytes for each event.</summary>
    /// <inheritdoc cref="Leaf.Write(StoredEvent, ReadOnlySpan{byte}, IBufferWriter{byte}, string)" path="/exception"/>
    public static LeafBatch Of(IReadOnlyList<NewEvent> events, ReadOnlyMemory<byte> salts)
    {
        ArgumentNullException.ThrowIfNull(events);
        return salts.Length == events.Count * Leaf.SaltSize
            ? Of(events, new Builder(salts.ToArray()))
            : throw new ArgumentException($"{events.Count} events have {events.Count * Leaf.SaltSize} bytes of salt, not {salts.Length}.", nameof(salts));
    }

    private static LeafBatch Of(IReadOnlyList<NewEvent> events, Builder leaves)
    {
        ArgumentNullException.ThrowIfNull(events);
        foreach (var e in events)
        {
            leaves.Add(e);
        }

        return leaves.Build();
    }

    /// <summary>Takes the events of a batch as they are decided, so that their leaves are ready when the batch is.</summary>
    public sealed class Builder
    {
        // What an entry of ours takes, so that the buffer of a batch rarely grows; and salts are drawn many at a time.
        private const int UsualSize = 384;
        private const int FirstEvents = 32;

        private readonly List<(int End, MerkleHash Hash)> _entries = [];
        private byte[] _leaves = new byte[FirstEvents * UsualSize];
        private byte[] _salts;

        /// <summary>With salts that nobody can guess.</summary>
        public Builder()
            : this(RandomNumberGenerator.GetBytes(FirstEvents * Leaf.SaltSize))
        {
        }

        internal Builder(byte[] salts) => _salts = salts;

        private int Length => _entries.Count == 0 ? 0 : _entries[^1].End;

        /// <inheritdoc cref="Leaf.Write(StoredEvent, ReadOnlySpan{byte}, IBufferWriter{byte}, string)" path="/exception"/>
        public void Add(NewEvent @event) => Add(new Leaf.Facts(@event, Leaf.DefaultTenant));

        /// <inheritdoc cref="Leaf.Write(StoredEvent, ReadOnlySpan{byte}, IBufferWriter{byte}, string)" path="/exception"/>
        public void Add(StoredEvent @event) => Add(new Leaf.Facts(@event, Leaf.DefaultTenant));

        /// <summary>Adds the entry of a position that no event has, so that every position has a leaf.</summary>
        public void AddVoid()
        {
            var (start, count) = (Length, _entries.Count);
            Reserve(start, LengthSize + Leaf.Void.Length, count);
            Leaf.Void.CopyTo(_leaves.AsSpan(start + LengthSize));
            Put(start, Leaf.Void.Length);
        }

        /// <summary>Forgets the entries after the first <paramref name="count"/>.</summary>
        public void Truncate(int count) => _entries.RemoveRange(count, _entries.Count - count);

        /// <summary>Begins anew, with fresh salts. What was built before must not be needed any more: its bytes are written over.</summary>
        public void Clear()
        {
            RandomNumberGenerator.Fill(_salts.AsSpan(0, _entries.Count * Leaf.SaltSize));
            _entries.Clear();
        }

        /// <summary>The batch of all that was added. It shares the builder's bytes: it lasts until <see cref="Clear"/>.</summary>
        public LeafBatch Build()
        {
            var hashes = new MerkleHash[_entries.Count];
            for (var i = 0; i < hashes.Length; i++)
            {
                hashes[i] = _entries[i].Hash;
            }

            return new LeafBatch(_leaves.AsMemory(0, Length), _salts.AsMemory(0, hashes.Length * Leaf.SaltSize), hashes);
        }

        private void Add(in Leaf.Facts facts)
        {
            var (start, count) = (Length, _entries.Count);
            Reserve(start, LengthSize + facts.MaxLength, count);
            Put(start, Leaf.Encode(facts, _salts.AsSpan(count * Leaf.SaltSize, Leaf.SaltSize), _leaves.AsSpan(start + LengthSize)));
        }

        // Room for one more entry and its salt.
        private void Reserve(int start, int size, int count)
        {
            if (_leaves.Length - start < size)
            {
                Array.Resize(ref _leaves, Math.Max(2 * _leaves.Length, start + size));
            }

            if (_salts.Length == count * Leaf.SaltSize)
            {
                Array.Resize(ref _salts, 2 * _salts.Length);
                RandomNumberGenerator.Fill(_salts.AsSpan(count * Leaf.SaltSize));
            }
        }

        private void Put(int start, int length)
        {
            BinaryPrimitives.WriteUInt16BigEndian(_leaves.AsSpan(start), (ushort)length);
            _entries.Add((start + LengthSize + length, MerkleTree.LeafHash(_leaves.AsSpan(start + LengthSize, length))));
        }
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

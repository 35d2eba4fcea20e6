using System.Buffers;
using System.Numerics;

namespace Mbp.Ledger.Merkle;

/// <summary>
/// Hash trees as in RFC 6962, section 2.1: a leaf is SHA-256(0x00 || entry), a node SHA-256(0x01 || left || right), and the left subtree is
/// the largest full one that leaves something for the right. Unlike a tree that doubles its odd node, two lists never share a root.
/// </summary>
public static class MerkleTree
{
    /// <summary>The root of no entries: SHA-256 of the empty string.</summary>
    public static readonly MerkleHash Empty = MerkleHash.Of([]);

    public static MerkleHash LeafHash(ReadOnlySpan<byte> entry)
    {
        const int OnStack = 1024;
        var rented = entry.Length < OnStack ? null : ArrayPool<byte>.Shared.Rent(entry.Length + 1);
        var buffer = rented ?? stackalloc byte[OnStack];
        buffer[0] = 0;
        entry.CopyTo(buffer[1..]);
        var hash = MerkleHash.Of(buffer[..(entry.Length + 1)]);
        if (rented is not null)
        {
            ArrayPool<byte>.Shared.Return(rented);
        }

        return hash;
    }

    public static MerkleHash NodeHash(MerkleHash left, MerkleHash right)
    {
        Span<byte> buffer = stackalloc byte[1 + 2 * MerkleHash.Size];
        buffer[0] = 1;
        left.CopyTo(buffer[1..]);
        right.CopyTo(buffer[(1 + MerkleHash.Size)..]);
        return MerkleHash.Of(buffer);
    }

    /// <summary>The root over leaf hashes.</summary>
    public static MerkleHash Root(ReadOnlySpan<MerkleHash> leaves) => leaves.Length switch
    {
        0 => Empty,
        1 => leaves[0],
        var size => NodeHash(Root(leaves[..Split(size)]), Root(leaves[Split(size)..])),
    };

    /// <summary>The largest power of two below <paramref name="size"/>: where the left subtree ends.</summary>
    internal static int Split(int size) => 1 << BitOperations.Log2((uint)size - 1);
}

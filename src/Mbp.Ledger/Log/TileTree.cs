using System.Numerics;
using Mbp.Ledger.Merkle;

namespace Mbp.Ledger.Log;

/// <summary>Where a log's tiles come from: its host over HTTP, a folder, a table. One that is not there is an exception of the reader's own.</summary>
public interface ITileReader
{
    /// <summary>The bytes of a tile or of an entry bundle. A partial one may be answered by a wider one of the same index, of which the beginning is read.</summary>
    ValueTask<ReadOnlyMemory<byte>> ReadAsync(TilePath path, CancellationToken ct);
}

/// <summary>
/// The tree of a checkpoint, read through tiles and believed only as far as it hashes to the root: the partial tiles of the right edge together
/// have the root, and every full tile is the one that a hash of the level above stands for. One thread at a time.
/// </summary>
public sealed class TileTree
{
    private const int Height = 8;

    // 16 KiB each with the nodes between.
    private const int MostTiles = 1024;

    private readonly ITileReader _reader;
    private readonly MerkleHash? _expected;
    private readonly Dictionary<TilePath, HashTile> _edge = [];
    private readonly Dictionary<TilePath, HashTile> _full = [];
    private MerkleHash? _root;

    private TileTree(long size, MerkleHash? expected, ITileReader reader)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        ArgumentNullException.ThrowIfNull(reader);
        (Size, _expected, _reader) = (size, expected, reader);
    }

    /// <summary>The leaves of the tree.</summary>
    public long Size { get; }

    /// <summary>The tree that was signed.</summary>
    public static TileTree For(Checkpoint checkpoint, ITileReader reader)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        return new TileTree(checkpoint.Size, checkpoint.Root, reader);
    }

    /// <summary>A tree whose root is not known: its right edge is believed, and all else is held against that. For the log's own tiles.</summary>
    public static TileTree Of(long size, ITileReader reader) => new(size, expected: null, reader);

    /// <summary>The root, computed from the right edge.</summary>
    /// <exception cref="LogFaultException">It is not the root that was signed.</exception>
    public async ValueTask<MerkleHash> RootAsync(CancellationToken ct)
    {
        if (_root is { } known)
        {
            return known;
        }

        foreach (var path in TilePath.Edge(Size))
        {
            _edge[path] = new HashTile(path, (await _reader.ReadAsync(path, ct)).Span);
        }

        var subtrees = TilePath.Edge(Size).Reverse().SelectMany(path => _edge[path].Subtrees);
        var root = new MerkleFrontier(Size, subtrees).Root();
        if (_expected is { } expected && root != expected)
        {
            throw new LogFaultException(
                LogFaultKind.Root,
                $"The tree of {Size} leaves has the root {root}, not {expected}; one of these is wrong: {string.Join(", ", TilePath.Edge(Size))}.",
                TilePath.Edge(Size).Take(2).ToArray() is [var only] ? only : null);
        }

        _root = root;
        return root;
    }

    /// <summary>The root of a full subtree: of the leaves from <c>index * 2^level</c>, 2^level of them. At level 0, a leaf's hash.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The tree does not hold it.</exception>
    /// <exception cref="LogFaultException">A tile on the way is wrong.</exception>
    public async ValueTask<MerkleHash> HashAsync(int level, long index, CancellationToken ct)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(level);
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        if (level >= 63 || index >= Size >> level)
        {
            throw new ArgumentOutOfRangeException(nameof(index), index, $"A tree of {Size} leaves has no full subtree {index} on level {level}.");
        }

        var (row, height) = (level / Height, level % Height);
        var perTile = TilePath.FullWidth >> height;
        var tile = await TileAsync(row, index / perTile, ct);
        return tile.Node(height, (int)(index % perTile));
    }

    /// <summary>The siblings on the way from a leaf to the root, from the bottom: as <see cref="MerkleProof.Inclusion"/> over all leaves.</summary>
    /// <param name="index">The leaf's index: the event's position - 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">The tree has no such leaf.</exception>
    /// <exception cref="LogFaultException">A tile on the way is wrong.</exception>
    public async ValueTask<IReadOnlyList<MerkleHash>> InclusionAsync(long index, CancellationToken ct)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Size);
        var path = new List<MerkleHash>();
        var (start, end) = (0L, Size);
        while (end - start > 1)
        {
            var split = start + Split(end - start);
            if (index < split)
            {
                path.Add(await RangeAsync(split, end, ct));
                end = split;
            }
            else
            {
                path.Add(await RangeAsync(start, split, ct));
                start = split;
            }
        }

        path.Reverse();
        return path;
    }

    /// <summary>What proves that the tree of the first <paramref name="oldSize"/> leaves is a prefix of this one: as <see cref="MerkleProof.Consistency"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The tree is not so large.</exception>
    /// <exception cref="LogFaultException">A tile on the way is wrong.</exception>
    public async ValueTask<IReadOnlyList<MerkleHash>> ConsistencyAsync(long oldSize, CancellationToken ct)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(oldSize);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(oldSize, Size);
        var proof = new List<MerkleHash>();
        if (oldSize == 0 || oldSize == Size)
        {
            return proof;
        }

        var (start, end) = (0L, Size);
        while (oldSize != end)
        {
            var split = start + Split(end - start);
            if (oldSize <= split)
            {
                proof.Add(await RangeAsync(split, end, ct));
                end = split;
            }
            else
            {
                proof.Add(await RangeAsync(start, split, ct));
                start = split;
            }
        }

        // From the first leaf on it is the old tree itself, whose root the verifier has.
        if (start > 0)
        {
            proof.Add(await RangeAsync(start, end, ct));
        }

        proof.Reverse();
        return proof;
    }

    // The largest power of two below a size.
    private static long Split(long size) => 1L << BitOperations.Log2((ulong)size - 1);

    // The root over the leaves of a subtree that ends where the tree does, or is full.
    private async ValueTask<MerkleHash> RangeAsync(long start, long end, CancellationToken ct)
    {
        if (BitOperations.IsPow2(end - start))
        {
            var level = BitOperations.Log2((ulong)(end - start));
            return await HashAsync(level, start >> level, ct);
        }

        var split = start + Split(end - start);
        return MerkleTree.NodeHash(await RangeAsync(start, split, ct), await RangeAsync(split, end, ct));
    }

    private async ValueTask<HashTile> TileAsync(int level, long index, CancellationToken ct)
    {
        await RootAsync(ct);
        var hashes = Size >> (Height * level);
        var width = (int)Math.Min(TilePath.FullWidth, hashes - (index * TilePath.FullWidth));
        var path = TilePath.Tile(level, index, width);
        if (_edge.TryGetValue(path, out var edge))
        {
            return edge;
        }

        if (_full.TryGetValue(path, out var known))
        {
            return known;
        }

        // A full tile is a hash in one of the level above, which is on the edge or full itself; the topmost tile is on the edge.
        var above = await TileAsync(level + 1, index / TilePath.FullWidth, ct);
        var tile = new HashTile(path, (await _reader.ReadAsync(path, ct)).Span);
        if (tile.Root != above.Node(0, (int)(index % TilePath.FullWidth)))
        {
            throw new LogFaultException(
                LogFaultKind.Tile, $"{path} is not the tile that the level above it commits to.", path, HashTile.FirstPosition(path));
        }

        if (_full.Count >= MostTiles)
        {
            _full.Clear();
        }

        _full.Add(path, tile);
        return tile;
    }
}

using System.Globalization;

namespace Mbp.Ledger.Log;

/// <summary>
/// The name of a tile or of an entry bundle, by C2SP tlog-tiles: <c>tile/LEVEL/INDEX[.p/WIDTH]</c> or <c>tile/entries/INDEX[.p/WIDTH]</c>, the
/// index in groups of three digits of which all but the last begin with an x.
/// </summary>
public readonly record struct TilePath
{
    /// <summary>The hashes of a full tile, and the entries of a full bundle.</summary>
    public const int FullWidth = 256;

    /// <summary>The levels of a tree: a hash of level L stands for 256^L leaves.</summary>
    public const int MaxLevel = 63;

    private const string EntriesName = "entries";

    private TilePath(bool isEntries, int level, long index, int width)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(level);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(level, MaxLevel);
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(width, FullWidth);
        (IsEntries, Level, Index, Width) = (isEntries, level, index, width);
    }

    /// <summary>Whether it is an entry bundle, not a tile of hashes.</summary>
    public bool IsEntries { get; }

    /// <summary>From 0, the leaf hashes; 0 for a bundle.</summary>
    public int Level { get; }

    /// <summary>Which one on its level, from 0.</summary>
    public long Index { get; }

    /// <summary>How many hashes or entries: 1 to 256.</summary>
    public int Width { get; }

    public bool IsFull => Width == FullWidth;

    /// <summary>The same tile when the tree has grown over it; it may be served in place of a partial one.</summary>
    public TilePath Full => new(IsEntries, Level, Index, FullWidth);

    /// <summary>The tile of hashes.</summary>
    public static TilePath Tile(int level, long index, int width = FullWidth) => new(isEntries: false, level, index, width);

    /// <summary>The entry bundle.</summary>
    public static TilePath Bundle(long index, int width = FullWidth) => new(isEntries: true, level: 0, index, width);

    /// <summary>All tiles of hashes of a tree, level by level from the leaves; the last one of a level may be partial.</summary>
    /// <param name="size">The leaves of the tree.</param>
    public static IEnumerable<TilePath> Tiles(long size) => Tiles(0, size);

    /// <summary>The tiles of hashes that a tree has and a smaller one of the same log has not, or has narrower.</summary>
    public static IEnumerable<TilePath> Tiles(long oldSize, long size)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(oldSize);
        for (var level = 0; size > 0; (level, oldSize, size) = (level + 1, oldSize / FullWidth, size / FullWidth))
        {
            foreach (var (index, width) in Row(oldSize, size))
            {
                yield return Tile(level, index, width);
            }
        }
    }

    /// <summary>All entry bundles of a tree.</summary>
    public static IEnumerable<TilePath> Bundles(long size) => Bundles(0, size);

    /// <summary>The entry bundles that a tree has and a smaller one of the same log has not, or has narrower.</summary>
    public static IEnumerable<TilePath> Bundles(long oldSize, long size) => Row(oldSize, size).Select(tile => Bundle(tile.Index, tile.Width));

    /// <summary>The partial tiles of a tree from the leaves up: together they have its root.</summary>
    public static IEnumerable<TilePath> Edge(long size)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        for (var level = 0; size > 0; (level, size) = (level + 1, size / FullWidth))
        {
            if (size % FullWidth is > 0 and var width)
            {
                yield return Tile(level, size / FullWidth, (int)width);
            }
        }
    }

    /// <exception cref="LogFormatException">It is not such a path, or not its only spelling.</exception>
    public static TilePath Parse(string path) =>
        TryParse(path, out var tile) ? tile : throw new LogFormatException("A tile's path is tile/LEVEL/INDEX or tile/entries/INDEX, with .p/WIDTH when it is partial.");

    public static bool TryParse(string path, out TilePath tile)
    {
        ArgumentNullException.ThrowIfNull(path);
        tile = default;
        var parts = path.Split(".p/", 2);
        var names = parts[0].Split('/');
        if (names.Length is < 3 or > 9 || names[0] != "tile" || names[2..].Any(name => name.Length is < 3 or > 4))
        {
            return false;
        }

        var (level, width) = (0L, (long)FullWidth);
        if ((names[1] != EntriesName && (!LogText.TryNumber(names[1], out level) || level > MaxLevel))
            || (parts.Length == 2 && (!LogText.TryNumber(parts[1], out width) || width is < 1 or >= FullWidth))
            || !long.TryParse(string.Concat(names[2..]).Replace("x", "", StringComparison.Ordinal), NumberStyles.None, CultureInfo.InvariantCulture, out var index))
        {
            return false;
        }

        // What was read loosely is right when it is written so.
        tile = names[1] == EntriesName ? Bundle(index, (int)width) : Tile((int)level, index, (int)width);
        return tile.ToString() == path;
    }

    /// <summary>The path in the form that <see cref="Parse"/> reads.</summary>
    public override string ToString()
    {
        var index = (Index % 1000).ToString("000", CultureInfo.InvariantCulture);
        for (var rest = Index / 1000; rest > 0; rest /= 1000)
        {
            index = $"x{(rest % 1000).ToString("000", CultureInfo.InvariantCulture)}/{index}";
        }

        return $"tile/{(IsEntries ? EntriesName : LogText.Number(Level))}/{index}{(IsFull ? "" : $".p/{LogText.Number(Width)}")}";
    }

    private static IEnumerable<(long Index, int Width)> Row(long oldSize, long size)
    {
        // A partial tile of the old tree is a narrower one: it begins the new ones.
        for (var index = oldSize / FullWidth; index * FullWidth < size; index++)
        {
            if (size > oldSize)
            {
                yield return (index, (int)Math.Min(FullWidth, size - (index * FullWidth)));
            }
        }
    }
}

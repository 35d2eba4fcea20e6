using FsCheck;
using FsCheck.Fluent;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Xunit;

namespace Mbp.Ledger.Tests.Log;

public sealed class TileBuilderTests
{
    private static readonly MerkleHash[] Leaves = Keys.Leaves(66_000);

    [Fact]
    public void A_builder_gives_exactly_the_tiles_of_the_tree()
    {
        foreach (var size in new[] { 0, 1, 255, 256, 257, 65_536, 66_000 })
        {
            Assert.Equal(TilePath.Tiles(size).ToHashSet(), new MemoryTiles(size, Leaves).Paths.ToHashSet());
        }
    }

    [Fact]
    public void A_tile_has_the_roots_of_the_full_subtrees_below_it_and_its_own()
    {
        var tiles = new TileBuilder().Append(Leaves);
        Assert.Equal(Enumerable.Range(0, 257).Select(i => (0, (long)i)), tiles.Where(tile => tile.Level == 0).Select(tile => (tile.Level, tile.Index)));
        var above = Assert.Single(tiles, tile => tile.Level == 1);
        Assert.Equal(8192, above.Hashes.Length);
        for (var i = 0; i < 256; i++)
        {
            var root = MerkleTree.Root(Leaves.AsSpan(i * 256, 256));
            Assert.Equal(root, new MerkleHash(above.Hashes.Span.Slice(i * 32, 32)));
            Assert.Equal(root, tiles.First(tile => tile.Path == TilePath.Tile(0, i)).Root);
        }

        Assert.Equal(MerkleTree.Root(Leaves.AsSpan(0, 65_536)), above.Root);
        // Each before the one that holds its root.
        Assert.True(tiles.ToList().IndexOf(above) > tiles.ToList().FindIndex(tile => tile.Path == TilePath.Tile(0, 255)));
    }

    [Fact]
    public void The_root_is_the_one_over_all_leaves_at_every_size()
    {
        var builder = new TileBuilder();
        for (var size = 0; size < 600; size++)
        {
            Assert.Equal((size, MerkleTree.Root(Leaves.AsSpan(0, size))), (builder.Size, builder.Root()));
            builder.Append(Leaves[size]);
        }
    }

    [Fact]
    public void A_builder_that_was_stopped_goes_on_from_its_edge() =>
        Prop.ForAll(Gen.Choose(0, 3000).ToArbitrary(), Gen.Choose(0, 1000).ToArbitrary(), GoesOn).QuickCheckThrowOnFailure();

    [Fact]
    public void A_builder_that_was_stopped_goes_on_where_a_level_begins() => GoesOn(65_400, 300);

    private static void GoesOn(int first, int more)
    {
        var all = Math.Min(Leaves.Length, first + more);
        var whole = new TileBuilder();
        var before = whole.Append(Leaves.AsSpan(0, first));
        var restarted = new TileBuilder(first, whole.Edge);
        Assert.Equal(whole.Root(), restarted.Root());
        var (expected, got) = (whole.Append(Leaves.AsSpan(first, all - first)), restarted.Append(Leaves.AsSpan(first, all - first)));
        Assert.Equal(expected.Select(tile => (tile.Path, tile.Root, Convert.ToHexString(tile.Hashes.Span))), got.Select(tile => (tile.Path, tile.Root, Convert.ToHexString(tile.Hashes.Span))));
        Assert.Equal((whole.Root(), whole.Size), (restarted.Root(), restarted.Size));
        Assert.Equal(whole.Edge, restarted.Edge);
        Assert.True(before.Count >= first / 256);
    }

    [Fact]
    public void The_edge_of_another_size_is_refused()
    {
        var builder = new TileBuilder();
        builder.Append(Leaves.AsSpan(0, 300));
        Assert.Equal(45, builder.Edge.Count);
        Assert.Throws<ArgumentException>(() => new TileBuilder(301, builder.Edge));
        Assert.Throws<ArgumentException>(() => new TileBuilder(299, builder.Edge));
        Assert.Throws<ArgumentOutOfRangeException>(() => new TileBuilder(-1, []));
    }

    [Fact]
    public void Bundles_hold_their_entries_and_no_others()
    {
        ReadOnlyMemory<byte>[] entries = [new byte[] { 1, 2, 3 }, Array.Empty<byte>(), new byte[65_535]];
        var bundle = EntryBundle.Format(entries);
        Assert.Equal([0, 3, 1, 2, 3, 0, 0, 0xff, 0xff], bundle[..9]);
        Assert.Equal(entries.Select(entry => Convert.ToHexString(entry.Span)), EntryBundle.Parse(bundle, 3).Select(entry => Convert.ToHexString(entry.Span)));
        Assert.Throws<LogFormatException>(() => EntryBundle.Parse(bundle, 2));
        Assert.Throws<LogFormatException>(() => EntryBundle.Parse(bundle, 4));
        Assert.Throws<LogFormatException>(() => EntryBundle.Parse(bundle.AsMemory(0, bundle.Length - 1), 3));
        Assert.Throws<ArgumentException>(() => EntryBundle.Format([new byte[65_536]]));
    }
}

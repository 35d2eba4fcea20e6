using Mbp.Ledger.Log;
using Xunit;

namespace Mbp.Ledger.Tests.Log;

public sealed class TilePathTests
{
    [Theory]
    [InlineData("tile/0/000", 0, 0, 256, false)]
    [InlineData("tile/0/x001/x234/067", 0, 1234067, 256, false)]
    [InlineData("tile/0/x001/x234/067.p/1", 0, 1234067, 1, false)]
    [InlineData("tile/63/999.p/255", 63, 999, 255, false)]
    [InlineData("tile/1/x001/000", 1, 1000, 256, false)]
    [InlineData("tile/entries/000.p/112", 0, 0, 112, true)]
    [InlineData("tile/entries/x273/000", 0, 273000, 256, true)]
    [InlineData("tile/0/x009/x223/x372/x036/x854/x775/807", 0, long.MaxValue, 256, false)]
    public void A_path_is_read_and_written_back(string text, int level, long index, int width, bool entries)
    {
        var path = TilePath.Parse(text);
        Assert.Equal((level, index, width, entries), (path.Level, path.Index, path.Width, path.IsEntries));
        Assert.Equal(text, path.ToString());
        Assert.Equal(path, entries ? TilePath.Bundle(index, width) : TilePath.Tile(level, index, width));
    }

    [Theory]
    [InlineData("")]
    [InlineData("tile")]
    [InlineData("tile/0")]
    [InlineData("/tile/0/000")]
    [InlineData("tile/0/000/")]
    [InlineData("tile/00/000")]
    [InlineData("tile/64/000")]
    [InlineData("tile/-1/000")]
    [InlineData("tile/0/0")]
    [InlineData("tile/0/0000")]
    [InlineData("tile/0/x000")]
    [InlineData("tile/0/001/000")]
    [InlineData("tile/0/x000/001")]
    [InlineData("tile/0/x001/x234")]
    [InlineData("tile/0/xx01/067")]
    [InlineData("tile/0/0x1/067")]
    [InlineData("tile/0/-01")]
    [InlineData("tile/0/000.p")]
    [InlineData("tile/0/000.p/0")]
    [InlineData("tile/0/000.p/01")]
    [InlineData("tile/0/000.p/256")]
    [InlineData("tile/0/000.p/1/")]
    [InlineData("tile/0/000.p/1.p/1")]
    [InlineData("tile/0/x009/x223/x372/x036/x854/x775/808")]
    [InlineData("tile/0/x999/x999/x999/x999/x999/x999/x999/999")]
    [InlineData("tile/data/000")]
    [InlineData("tile/0/../000")]
    [InlineData("tile/0/\u0660\u0660\u0661")]
    public void Another_spelling_is_no_path(string text) => Assert.False(TilePath.TryParse(text, out _));

    [Fact]
    public void The_tiles_of_a_tree_are_those_of_the_specifications_example()
    {
        // C2SP tlog-tiles: 70,000 leaves.
        var tiles = TilePath.Tiles(70_000).ToList();
        Assert.Equal([(0, 273), (1, 1)], tiles.Where(tile => tile.IsFull).GroupBy(tile => tile.Level).Select(level => (level.Key, level.Count())));
        Assert.Equal(["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"], tiles.Where(tile => !tile.IsFull).Select(tile => tile.ToString()));
        Assert.Equal(tiles.Where(tile => !tile.IsFull), TilePath.Edge(70_000));
        Assert.Equal(["tile/0/000", "tile/1/000.p/1"], TilePath.Tiles(256).Select(tile => tile.ToString()));
        Assert.Equal(["tile/entries/000", "tile/entries/001.p/1"], TilePath.Bundles(257).Select(tile => tile.ToString()));
        Assert.Empty(TilePath.Tiles(0));
        Assert.Empty(TilePath.Edge(0));
    }

    [Fact]
    public void What_a_tree_has_more_than_a_smaller_one_is_what_it_has_and_the_smaller_has_not()
    {
        foreach (var (old, size) in new[] { (0L, 3L), (3, 3), (3, 4), (255, 256), (256, 257), (100, 700), (65_535, 65_536), (65_536, 65_537), (1_000, 70_000) })
        {
            Assert.Equal(TilePath.Tiles(size).Except(TilePath.Tiles(old)), TilePath.Tiles(old, size));
            Assert.Equal(TilePath.Bundles(size).Except(TilePath.Bundles(old)), TilePath.Bundles(old, size));
        }
    }
}

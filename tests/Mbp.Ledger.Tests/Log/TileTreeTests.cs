using FsCheck;
using FsCheck.Fluent;
using Mbp.Ledger.Log;
using Mbp.Ledger.Merkle;
using Xunit;

namespace Mbp.Ledger.Tests.Log;

public sealed class TileTreeTests
{
    private static readonly MerkleHash[] Leaves = Keys.Leaves(66_000);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(257)]
    [InlineData(511)]
    [InlineData(513)]
    [InlineData(65_535)]
    [InlineData(65_536)]
    [InlineData(65_537)]
    public async Task Proofs_from_tiles_are_the_proofs_over_all_leaves(int size)
    {
        var tree = Tree(size, new MemoryTiles(size, Leaves));
        Assert.Equal(MerkleTree.Root(Leaves.AsSpan(0, size)), await tree.RootAsync(default));
        foreach (var at in new[] { 0, 255, 257, 65_535, size - 1 }.Where(at => at < size).Distinct())
        {
            Assert.Equal(MerkleProof.Inclusion(Leaves.AsSpan(0, size), at), await tree.InclusionAsync(at, default));
            Assert.Equal(MerkleProof.Consistency(Leaves.AsSpan(0, size), at), await tree.ConsistencyAsync(at, default));
            Assert.Equal(Leaves[at], await tree.HashAsync(0, at, default));
        }

        Assert.Empty(await tree.ConsistencyAsync(size, default));
    }

    [Fact]
    public void Any_proof_of_any_tree_is_the_one_over_all_leaves() => Prop.ForAll(Gen.Choose(1, 3000).ToArbitrary(), Gen.Choose(0, 2999).ToArbitrary(), (size, n) =>
    {
        var at = n % size;
        var tree = Tree(size, new MemoryTiles(size, Leaves));
        Assert.Equal(MerkleProof.Inclusion(Leaves.AsSpan(0, size), at), tree.InclusionAsync(at, default).AsTask().GetAwaiter().GetResult());
        Assert.Equal(MerkleProof.Consistency(Leaves.AsSpan(0, size), at + 1), tree.ConsistencyAsync(at + 1, default).AsTask().GetAwaiter().GetResult());
    }).QuickCheckThrowOnFailure();

    [Fact]
    public async Task A_full_subtree_has_the_root_of_its_leaves()
    {
        var tree = Tree(66_000, new MemoryTiles(66_000, Leaves));
        foreach (var (level, index) in new[] { (1, 5), (7, 3), (8, 0), (8, 256), (9, 1), (15, 1), (16, 0) })
        {
            Assert.Equal(MerkleTree.Root(Leaves.AsSpan(index << level, 1 << level)), await tree.HashAsync(level, index, default));
        }

        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => tree.HashAsync(16, 1, default).AsTask());
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => tree.HashAsync(0, 66_000, default).AsTask());
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => tree.HashAsync(63, 0, default).AsTask());
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => tree.InclusionAsync(66_000, default).AsTask());
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => tree.ConsistencyAsync(66_001, default).AsTask());
    }

    [Fact]
    public async Task The_empty_tree_has_the_empty_root()
    {
        var tree = TileTree.For(new Checkpoint(Keys.Origin, 0, MerkleTree.Empty), new MemoryTiles(0, Leaves));
        Assert.Equal(MerkleTree.Empty, await tree.RootAsync(default));
        Assert.Empty(await tree.ConsistencyAsync(0, default));
        await Assert.ThrowsAsync<LogFaultException>(() => TileTree.For(new Checkpoint(Keys.Origin, 0, Leaves[0]), new MemoryTiles(0, Leaves)).RootAsync(default).AsTask());
    }

    [Fact]
    public async Task Any_damage_of_a_full_tile_names_it()
    {
        for (var bit = 0; bit < 8 * 8192; bit += 3001)
        {
            var tiles = new MemoryTiles(2100, Leaves);
            tiles.Damage(TilePath.Parse("tile/0/005"), bit);
            var fault = await Assert.ThrowsAsync<LogFaultException>(() => Tree(2100, tiles).HashAsync(0, 1300, default).AsTask());
            Assert.Equal((LogFaultKind.Tile, "tile/0/005", 1281), (fault.Kind, fault.Path.ToString(), fault.Position));
            // What does not need it is not held up.
            Assert.Equal(Leaves[2000], await Tree(2100, tiles).HashAsync(0, 2000, default));
        }
    }

    [Fact]
    public async Task A_damaged_tile_of_a_level_above_is_named_and_nothing_under_it_is_believed()
    {
        var tiles = new MemoryTiles(66_000, Leaves);
        tiles.Damage(TilePath.Parse("tile/1/000"), 77);
        var fault = await Assert.ThrowsAsync<LogFaultException>(() => Tree(66_000, tiles).HashAsync(0, 1300, default).AsTask());
        Assert.Equal((LogFaultKind.Tile, "tile/1/000", 1), (fault.Kind, fault.Path.ToString(), fault.Position));
    }

    [Fact]
    public async Task A_damaged_right_edge_does_not_have_the_root()
    {
        foreach (var path in TilePath.Edge(66_000))
        {
            var tiles = new MemoryTiles(66_000, Leaves);
            tiles.Damage(path, 5);
            var fault = await Assert.ThrowsAsync<LogFaultException>(() => Tree(66_000, tiles).InclusionAsync(0, default).AsTask());
            Assert.Equal((LogFaultKind.Root, null), (fault.Kind, fault.Path));
            Assert.Contains(path.ToString(), fault.Message, StringComparison.Ordinal);
            // Without a root to hold it against, what is under it does not fit any more.
            Assert.NotEqual(MerkleTree.Root(Leaves), await TileTree.Of(66_000, tiles).RootAsync(default));
        }
    }

    [Fact]
    public async Task A_tile_of_another_length_is_named()
    {
        foreach (var length in new[] { 0, 31, 33, 100 * 32, 300 * 32 })
        {
            var tiles = new MemoryTiles(300, Leaves);
            tiles.Replace(TilePath.Parse("tile/0/000"), new byte[length]);
            var fault = await Assert.ThrowsAsync<LogFaultException>(() => Tree(300, tiles).HashAsync(0, 7, default).AsTask());
            Assert.Equal("tile/0/000", fault.Path.ToString());
        }
    }

    [Fact]
    public async Task A_wider_tile_serves_in_place_of_a_partial_one()
    {
        var wider = new MemoryTiles(700, Leaves);
        var narrow = Tree(300, new Widened(wider));
        Assert.Equal(MerkleProof.Inclusion(Leaves.AsSpan(0, 300), 299), await narrow.InclusionAsync(299, default));
    }

    [Fact]
    public async Task A_tile_is_read_once()
    {
        var tiles = new MemoryTiles(66_000, Leaves);
        var tree = Tree(66_000, tiles);
        for (var i = 1270; i < 1540; i++)
        {
            await tree.InclusionAsync(i, default);
        }

        Assert.Equal(tiles.Read.Count, tiles.Read.Distinct().Count());
    }

    private static TileTree Tree(int size, ITileReader tiles) => TileTree.For(new Checkpoint(Keys.Origin, size, MerkleTree.Root(Leaves.AsSpan(0, size))), tiles);

    private sealed class Widened(MemoryTiles tiles) : ITileReader
    {
        public ValueTask<ReadOnlyMemory<byte>> ReadAsync(TilePath path, CancellationToken ct) => tiles.ReadAsync(path.Level == 0 ? path.Full : TilePath.Tile(1, 0, 2), ct);
    }
}

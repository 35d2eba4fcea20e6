using System.Buffers;
using Mbp.Ledger.Merkle;
using Xunit;
using static Mbp.Ledger.Tests.Given;

namespace Mbp.Ledger.Tests.Merkle;

public sealed class LeafBatchTests
{
    [Fact]
    public void Each_leaf_of_a_batch_is_found_and_is_the_one_that_its_event_has_alone()
    {
        var events = Events(Stream(), 1, 100);
        var salts = new byte[events.Count * Leaf.SaltSize];
        new Random(7).NextBytes(salts);
        var batch = LeafBatch.Of(events, salts);

        Assert.Equal(events.Count, LeafBatch.Entries(batch.Leaves).Count());
        for (var i = 0; i < events.Count; i++)
        {
            var alone = new ArrayBufferWriter<byte>();
            var hash = Leaf.Write(events[i], LeafBatch.Salt(batch.Salts, i).Span, alone);
            Assert.Equal(alone.WrittenMemory.Text(), LeafBatch.Entry(batch.Leaves, i).Text());
            Assert.Equal(hash, batch.Hashes[i]);
            Assert.Equal(hash, new MerkleHash(batch.PackedHashes().AsSpan(i * MerkleHash.Size, MerkleHash.Size)));
        }

        Assert.Equal(salts, batch.Salts.ToArray());
    }

    [Fact]
    public void A_batch_is_an_entry_bundle()
    {
        // C2SP tlog-tiles: a big-endian uint16, then as many bytes.
        var leaves = LeafBatch.Of([Event(Stream(), 1)]).Leaves.Span;
        Assert.Equal(leaves.Length - 2, (leaves[0] << 8) + leaves[1]);
        Assert.Equal((byte)'{', leaves[2]);
        Assert.Equal((byte)'}', leaves[^1]);
    }

    [Fact]
    public void Every_event_has_a_salt_of_its_own()
    {
        var events = Events(Stream(), 1, 50);
        var salts = new[] { LeafBatch.Of(events), LeafBatch.Of(events) }
            .SelectMany(batch => Enumerable.Range(0, events.Count).Select(i => Convert.ToHexString(LeafBatch.Salt(batch.Salts, i).Span)));
        Assert.Equal(2 * events.Count, salts.Distinct().Count());
    }

    [Fact]
    public void A_batch_without_events_has_no_leaves()
    {
        var batch = LeafBatch.Of([]);
        Assert.Equal((0, 0, 0, 0), (batch.Leaves.Length, batch.Salts.Length, batch.Hashes.Count, batch.PackedHashes().Length));
        Assert.Empty(LeafBatch.Entries(batch.Leaves));
    }

    [Fact]
    public void Salts_that_are_not_one_for_each_event_are_refused()
    {
        Assert.Throws<ArgumentException>(() => LeafBatch.Of(Events(Stream(), 1, 2), new byte[(2 * Leaf.SaltSize) - 1]));
        Assert.Throws<ArgumentException>(() => LeafBatch.Of(Events(Stream(), 1, 2), new byte[3 * Leaf.SaltSize]));
    }

    [Fact]
    public void A_leaf_that_is_not_there_is_not_made_up()
    {
        var leaves = LeafBatch.Of(Events(Stream(), 1, 2)).Leaves;
        Assert.Throws<ArgumentOutOfRangeException>(() => LeafBatch.Entry(leaves, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => LeafBatch.Entry(leaves, -1));
        Assert.Throws<InvalidDataException>(() => LeafBatch.Entry(leaves[..^1], 1));
        Assert.Throws<InvalidDataException>(() => LeafBatch.Entry(leaves[..1], 0));
    }
}

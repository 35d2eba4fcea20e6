using System.Runtime.CompilerServices;
using Mbp.Ledger.Reading;
using Xunit;

namespace Mbp.Ledger.Tests.Reading;

public sealed class DecodedPagesTests
{
    private static readonly EventCatalog Catalog = new EventCatalog().Add<Thing>("thing").Freeze();

    [Fact]
    public async Task Every_event_of_the_range_comes_once_and_in_order()
    {
        var store = new Store(last: 12_345);
        Assert.Equal(Positions(1, 12_345), await ReadAsync(store, 0, 12_345));
        Assert.Equal(Positions(8, 9_000), await ReadAsync(store, 7, 9_000));
        Assert.Empty(await ReadAsync(store, 12_345, 12_345));
    }

    [Fact]
    public async Task An_event_that_cannot_be_read_comes_after_those_before_it()
    {
        foreach (var (type, body, fault) in new[] { ("stranger", "{}", typeof(UnknownEventTypeException)), ("thing", """{"n": "no number"}""", typeof(UnreadableEventException)) })
        {
            var seen = new List<long>();
            var thrown = await Assert.ThrowsAnyAsync<Exception>(() => ReadAsync(new Store(last: 9_000) { Odd = (4_321, type, body) }, 0, 9_000, seen));
            Assert.Equal(fault, thrown.GetType());
            Assert.Contains("4321", thrown.Message, StringComparison.Ordinal);
            Assert.Equal(Positions(1, 4_320), seen);
        }
    }

    [Fact]
    public async Task A_store_that_fails_is_heard_of_after_what_it_gave()
    {
        var seen = new List<long>();
        await Assert.ThrowsAsync<StoreUnavailableException>(() => ReadAsync(new Store(last: 9_000) { FailsAt = 5_001 }, 0, 9_000, seen));
        Assert.Equal(Positions(1, seen.Count), seen);
        Assert.InRange(seen.Count, 4_000, 5_000);
    }

    [Fact]
    public async Task Whoever_stops_leaves_no_reader_behind_and_not_much_was_read_ahead()
    {
        // Endless: reading on without a bound would never come to the end of this test.
        var store = new Store(last: long.MaxValue);
        await foreach (var page in DecodedPages.ReadAsync(store, Catalog, 0, long.MaxValue, CancellationToken.None))
        {
            Assert.Equal(1, page[0].Position);
            break;
        }

        Assert.True(store.Stopped);
        Assert.InRange(store.Given, 1, 20 * 500);
    }

    [Fact]
    public async Task A_cancelled_read_ends()
    {
        using var stop = new CancellationTokenSource();
        var store = new Store(last: long.MaxValue);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var page in DecodedPages.ReadAsync(store, Catalog, 0, long.MaxValue, stop.Token))
            {
                await stop.CancelAsync();
            }
        });
        Assert.True(store.Stopped);
    }

    private static async Task<List<long>> ReadAsync(Store store, long after, long upTo, List<long>? seen = null)
    {
        seen ??= [];
        await foreach (var page in DecodedPages.ReadAsync(store, Catalog, after, upTo, CancellationToken.None))
        {
            Assert.NotEmpty(page);
            Assert.All(page, recorded => Assert.Equal(new Thing(recorded.Position), recorded.Data));
            seen.AddRange(page.Select(recorded => recorded.Position));
        }

        return seen;
    }

    private static IEnumerable<long> Positions(int first, int last) => Enumerable.Range(first, last - first + 1).Select(i => (long)i);

    private sealed record Thing(long N);

    /// <summary>A ledger that is made up while it is read.</summary>
    private sealed class Store(long last) : IEventStore
    {
        public (long Position, string Type, string Body)? Odd { get; init; }

        public long? FailsAt { get; init; }

        public long Given { get; private set; }

        public bool Stopped { get; private set; }

        public async IAsyncEnumerable<StoredEvent> ReadRangeAsync(long afterPosition, long lastPosition, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            try
            {
                for (var position = afterPosition + 1; position <= Math.Min(last, lastPosition); position++)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    if (position % 1_000 == 0)
                    {
                        await Task.Yield();
                    }

                    if (position == FailsAt)
                    {
                        throw new StoreUnavailableException("The disk is full.");
                    }

                    var (type, body) = Odd is { } odd && odd.Position == position ? (odd.Type, odd.Body) : ("thing", $$"""{"n": {{position}}}""");
                    Given++;
                    yield return new StoredEvent(
                        position, StreamId.Of("thing", "1"), position, Guid.Empty, type, System.Text.Encoding.UTF8.GetBytes(body), Tests.Given.Noon, "", "", default);
                }
            }
            finally
            {
                Stopped = true;
            }
        }

        public Task<Lease?> TryAcquireAsync(string holder, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<string?> HolderAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<long> AppendAsync(Lease lease, Batch batch) => throw new NotSupportedException();

        public IAsyncEnumerable<StoredEvent> ReadStreamAsync(StreamId stream, long afterVersion, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<IReadOnlyDictionary<StreamId, long>> FindVersionsAsync(IReadOnlyCollection<StreamId> streams, CancellationToken cancellationToken) => throw new NotSupportedException();

        public IAsyncEnumerable<StoredEvent> ReadAllAsync(long afterPosition, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<long> HeadAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task WaitBeyondAsync(long position, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<Snapshot?> LoadSnapshotAsync(StreamId stream, IFold fold, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task SaveSnapshotAsync(Snapshot snapshot, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<IReadOnlyDictionary<CommandKey, CommandRecord>> FindCommandsAsync(IReadOnlyCollection<CommandKey> keys, CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}

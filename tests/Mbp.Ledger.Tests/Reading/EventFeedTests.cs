using System.Collections.Concurrent;
using System.Text;
using Mbp.Ledger.Reading;
using Mbp.Ledger.Tests.Writing;
using Mbp.Ledger.Writing;
using NodaTime;
using Xunit;
using static Mbp.Ledger.Tests.Given;

namespace Mbp.Ledger.Tests.Reading;

/// <summary>Everybody who follows the ledger by the feed sees every event once, in order, in whole commands, whichever way it came.</summary>
public sealed class EventFeedTests : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly ListStore _store = new();
    private readonly EventCatalog _catalog = Counter.Catalog();
    private readonly ConcurrentQueue<Exception> _troubles = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _pumps = [];

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_pumps).WaitAsync(Patience);
        _stop.Dispose();
    }

    [Fact]
    public async Task A_follower_far_behind_reads_the_store_and_one_at_the_head_does_not()
    {
        _store.Add(Singles(1, 500));
        var feed = await FollowingAsync(fedHere: true);
        Commit(feed, Singles(501, 520));
        Assert.Equal(Run(1, 520), await PositionsAsync(feed, 0, 520, most: 64));
        var reads = _store.Reads;
        Assert.True(reads > 0);
        Assert.Equal(Run(501, 520), await PositionsAsync(feed, 500, 520, most: 7));
        Assert.Equal(reads, _store.Reads);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(64)]
    public async Task A_follower_that_is_overrun_loses_nothing(int capacity)
    {
        var feed = await FollowingAsync(fedHere: true, capacity);
        long cursor = 0;
        for (var round = 0; round < 20; round++)
        {
            Commit(feed, Singles(round * 50 + 1, round * 50 + 50));
            // It reads 20 of every 50, and is passed again and again.
            var some = await NextAsync(feed, cursor, 20);
            Assert.Equal(Run(cursor + 1, cursor + some.Count), Positions(some));
            cursor = some[^1].Position;
        }

        Assert.Equal(Run(cursor + 1, 1000), await PositionsAsync(feed, cursor, 1000, most: 33));
    }

    [Fact]
    public async Task Followers_of_a_busy_writer_see_every_position_once_and_in_order()
    {
        var log = new InMemoryLog();
        var here = new EventFeed(new InMemoryEventStore(log), _catalog, capacity: 16) { SelfCheck = TimeSpan.FromMilliseconds(5) };
        var elsewhere = new EventFeed(new InMemoryEventStore(log), _catalog, capacity: 16);
        await using var writer = new LedgerWriter(
            new InMemoryEventStore(log), _catalog, SystemClock.Instance, "here", new WriterOptions { BatchCommands = 20 }, here.Committed, (e, _) => _troubles.Enqueue(e));
        here.IsFedHere = () => writer.IsWriter;
        await UntilAsync(() => writer.IsWriter);
        Follow(here);
        Follow(elsewhere);
        const int Commands = 600;
        var followers = new[] { here, elsewhere }.SelectMany(feed => new[] { 1, 3, 500 }.Select(most => Task.Run(() => PositionsAsync(feed, 0, Commands * 2, most)))).ToList();
        await Parallel.ForAsync(0, Commands, async (i, _) => await writer.SubmitAsync(Pair(i % 7), new CommandContext("test", "trace", null, default), None));
        foreach (var follower in followers)
        {
            Assert.Equal(Run(1, Commands * 2), await follower.WaitAsync(Patience));
        }

        Assert.Empty(_troubles);
        Assert.Equal((Commands * 2L, Commands * 2L), (here.Head, elsewhere.Head));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_event_that_cannot_be_read_is_told_to_each_follower_in_its_turn_and_stops_nobody_else(bool fromMemory)
    {
        _store.Add(Singles(1, 1));
        var feed = await FollowingAsync(fedHere: false, fromMemory ? 100 : 1);
        _store.Add([.. Singles(2, 4), Stored(5, type: "from_the_future"), .. Singles(6, 7), Stored(8, body: """{"by":"many"}"""), Stored(9)]);
        await UntilAsync(() => feed.Head == 9);
        var reads = _store.Reads;
        for (var follower = 0; follower < 2; follower++)
        {
            Assert.Equal(Run(2, 4), Positions(await NextAsync(feed, 1, 100)));
            for (var again = 0; again < 2; again++)
            {
                Assert.Equal(5, (await Assert.ThrowsAsync<UnknownEventTypeException>(() => NextAsync(feed, 4, 100))).Position);
            }

            Assert.Equal(Run(6, 7), Positions(await NextAsync(feed, 5, 100)));
            Assert.Equal(8, (await Assert.ThrowsAsync<UnreadableEventException>(() => NextAsync(feed, 7, 100))).Position);
            Assert.Equal(Run(9, 9), Positions(await NextAsync(feed, 8, 100)));
        }

        Assert.Equal(fromMemory, _store.Reads == reads);
        _store.Add(Singles(10, 10));
        Assert.Equal(Run(10, 10), Positions(await NextAsync(feed, 9, 100)));
        Assert.Empty(_troubles);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Of_a_command_with_an_event_that_cannot_be_read_nothing_is_shown(bool fromMemory)
    {
        _store.Add(Singles(1, 1));
        var feed = await FollowingAsync(fedHere: false, fromMemory ? 100 : 1);
        _store.Add([.. Singles(2, 2), Stored(3, "pair"), Stored(4, "pair", type: "from_the_future"), .. Singles(5, 5)]);
        await UntilAsync(() => feed.Head == 5);
        Assert.Equal(Run(2, 2), Positions(await NextAsync(feed, 1, 100)));
        Assert.Equal(4, (await Assert.ThrowsAsync<UnknownEventTypeException>(() => NextAsync(feed, 2, 100))).Position);
    }

    [Fact]
    public async Task What_was_not_handed_over_is_read_from_the_store()
    {
        var feed = new EventFeed(_store, _catalog);
        _store.Add(Singles(1, 8));
        feed.Committed(Decoded(Singles(1, 3)));
        feed.Committed(Decoded(Singles(7, 8)));
        // What came already, and what overlaps with it, is not shown again.
        feed.Committed(Decoded(Singles(2, 3)));
        Commit(feed, Singles(9, 9));
        feed.Committed(Decoded(Singles(8, 9)));
        feed.Committed([]);
        Assert.Equal(Run(1, 9), await PositionsAsync(feed, 0, 9, most: 4));
    }

    [Fact]
    public async Task Positions_that_a_rolled_back_transaction_used_up_are_passed_over()
    {
        _store.Add([.. Singles(1, 3), .. Singles(10_000, 10_001)]);
        var feed = await FollowingAsync(fedHere: false);
        Assert.Equal([1, 2, 3, 10_000, 10_001], await PositionsAsync(feed, 0, 10_001, most: 10));
        Assert.Equal(10_000, (await NextAsync(feed, 3, 10))[0].Position);
        Assert.Equal(10_000, (await NextAsync(feed, 5_000, 10))[0].Position);
        _store.Add(Singles(20_000, 20_000));
        Assert.Equal([20_000], Positions(await NextAsync(feed, 10_001, 10)));
        Assert.Equal([20_000], Positions(await NextAsync(feed, 15_000, 10)));
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(10, true)]
    [InlineData(1, false)]
    [InlineData(10, false)]
    public async Task A_command_comes_whole_however_large_it_is(int most, bool fromMemory)
    {
        var events = new List<StoredEvent>();
        for (var size = 1; size <= 30; size++)
        {
            events.AddRange(Enumerable.Range(0, size).Select(i => Stored(events.Count + i + 1, $"of{size}")).ToList());
        }

        // Foreign ones without a causation: each is a command.
        events.AddRange(Enumerable.Range(events.Count + 1, 50).Select(p => Stored(p, "")).ToList());
        var feed = await FollowingAsync(fedHere: true, fromMemory ? 1_000 : 20);
        Commit(feed, events);
        long cursor = 0;
        while (cursor < events.Count)
        {
            var some = await NextAsync(feed, cursor, most);
            Assert.Equal(Run(cursor + 1, cursor + some.Count), Positions(some));
            cursor = some[^1].Position;
            Assert.True(cursor == events.Count || events[(int)cursor - 1].CausationId is var id && (id.Length == 0 || id != events[(int)cursor].CausationId));
            Assert.True(some.Count <= most || some.Select(e => e.Stored.CausationId).Distinct().Count() == 1);
        }
    }

    [Fact]
    public async Task A_follower_goes_on_elsewhere_while_the_writer_goes_on_at_once()
    {
        var feed = await FollowingAsync(fedHere: true);
        using var handedOver = new ManualResetEventSlim();
        var follower = FollowAsync();
        Commit(feed, Singles(1, 1));
        handedOver.Set();
        Assert.True(await follower.WaitAsync(Patience));

        async Task<bool> FollowAsync()
        {
            await feed.ReadAsync(0, 1, None).ConfigureAwait(false);
            // On the writer's own thread this would wait for ever.
            return handedOver.Wait(Patience);
        }
    }

    [Fact]
    public async Task A_wait_that_is_given_up_ends_at_once_and_harms_no_other()
    {
        var feed = await FollowingAsync(fedHere: true);
        for (var round = 0L; round < 100; round++)
        {
            using var enough = new CancellationTokenSource();
            var givenUp = Enumerable.Range(0, 3).Select(_ => feed.ReadAsync(round, 1, enough.Token).AsTask()).ToList();
            var patient = feed.ReadAsync(round, 1, None).AsTask();
            // At the same moment: each of them ends one way or the other.
            await Task.WhenAll(Task.Run(enough.Cancel), Task.Run(() => Commit(feed, Singles(round + 1, round + 1))));
            Assert.Equal(Run(round + 1, round + 1), Positions(await patient.WaitAsync(Patience)));
            foreach (var one in givenUp)
            {
                Assert.True(await Record.ExceptionAsync(() => one.WaitAsync(Patience)) is null or OperationCanceledException);
            }
        }

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => feed.ReadAsync(0, 1, new CancellationToken(canceled: true)).AsTask());
    }

    [Fact]
    public async Task A_database_that_is_away_is_waited_for()
    {
        _store.IsAway = true;
        var feed = new EventFeed(_store, _catalog, trouble: (e, _) => _troubles.Enqueue(e));
        Follow(feed);
        var follower = NextAsync(feed, 0, 10);
        await UntilAsync(() => !_troubles.IsEmpty);
        _store.Add(Singles(1, 2));
        _store.IsAway = false;
        Assert.Equal(Run(1, 2), Positions(await follower.WaitAsync(Patience)));
    }

    [Fact]
    public async Task What_somebody_else_appends_is_seen_while_commits_are_handed_over()
    {
        var feed = await FollowingAsync(fedHere: true);
        Commit(feed, Singles(1, 1));
        _store.Add(Singles(2, 2));
        Assert.Equal(Run(2, 2), Positions(await NextAsync(feed, 1, 10)));
    }

    private static IEnumerable<long> Run(long first, long last) => Enumerable.Range(0, (int)(last - first + 1)).Select(i => first + i);

    private static IEnumerable<long> Positions(IReadOnlyList<Recorded> events) => events.Select(e => e.Position);

    private static IEnumerable<StoredEvent> Singles(long first, long last) => Run(first, last).Select(position => Stored(position));

    private static StoredEvent Stored(long position, string? command = null, string type = "counted", string body = """{"by":1,"at":"2025-09-10T12:00:00Z"}""") => new(
        position, Counter.Stream("one"), position, Guid.CreateVersion7(), type, Encoding.UTF8.GetBytes(body), Noon, "trace", command ?? $"command {position}", default);

    /// <summary>A command that makes two events.</summary>
    private static Operation Pair(int key) => Operation.On(Counter.Fold.Of(Counter.Stream($"s{key}")), (Instant at, Count _) =>
        new Decision<StreamEvent>([Counter.Stream($"s{key}").With(new Counted(1, at)), Counter.Stream($"s{key}").With(new Counted(2, at))]));

    private static async Task UntilAsync(Func<bool> condition)
    {
        for (var until = DateTime.UtcNow + Patience; !condition(); await Task.Delay(5))
        {
            Assert.True(DateTime.UtcNow < until, "It did not come to that.");
        }
    }

    private static Task<IReadOnlyList<Recorded>> NextAsync(EventFeed feed, long after, int most) => feed.ReadAsync(after, most, None).AsTask().WaitAsync(Patience);

    /// <summary>All positions that a follower sees up to one.</summary>
    private static async Task<List<long>> PositionsAsync(EventFeed feed, long after, long last, int most)
    {
        List<long> seen = [];
        while (after < last)
        {
            var some = await NextAsync(feed, after, most);
            seen.AddRange(Positions(some));
            after = seen[^1];
        }

        return seen;
    }

    private List<Recorded> Decoded(IEnumerable<StoredEvent> events) => [.. events.Select(_catalog.Decode)];

    /// <summary>What the writer of this process does: durable first, then handed over.</summary>
    private void Commit(EventFeed feed, IEnumerable<StoredEvent> events)
    {
        List<StoredEvent> commit = [.. events];
        _store.Add(commit);
        feed.Committed(Decoded(commit));
    }

    private void Follow(EventFeed feed) => _pumps.Add(Task.Run(() => feed.FollowAsync(_stop.Token)));

    /// <summary>A feed that knows what the store has now.</summary>
    private async Task<EventFeed> FollowingAsync(bool fedHere, int capacity = 32_768)
    {
        var feed = new EventFeed(_store, _catalog, capacity, (e, _) => _troubles.Enqueue(e)) { IsFedHere = () => fedHere, SelfCheck = TimeSpan.FromMilliseconds(5) };
        var (head, looks) = (await _store.HeadAsync(None), _store.Looks);
        Follow(feed);
        await UntilAsync(() => feed.Head == head && _store.Looks > looks);
        return feed;
    }
}

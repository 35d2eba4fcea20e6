using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NodaTime;
using Xunit;
using static Mbp.Ledger.Tests.Given;

namespace Mbp.Ledger.Tests;

/// <summary>What every store promises. Each test works on streams of its own: the ledger is shared with the tests before it.</summary>
public abstract class EventStoreContract : IAsyncLifetime
{
    private readonly List<Lease> _leases = [];

    private IEventStore? _store;

    protected IEventStore Store => _store ?? throw new InvalidOperationException("Not initialized.");

    protected static CancellationToken None => CancellationToken.None;

    /// <summary>Another host on the same ledger.</summary>
    protected abstract IEventStore NewHost();

    /// <summary>Takes the lease away from behind, as when the session that holds it dies.</summary>
    protected abstract Task BreakLeaseAsync();

    public Task InitializeAsync()
    {
        _store = NewHost();
        return Task.CompletedTask;
    }

    public async Task DisposeAsync()
    {
        foreach (var lease in _leases)
        {
            await lease.DisposeAsync();
        }

        await ReleaseHostsAsync();
    }

    protected virtual Task ReleaseHostsAsync() => Task.CompletedTask;

    protected async Task<Lease> AcquireAsync(IEventStore? host = null)
    {
        for (var attempt = 0; attempt < 200; attempt++)
        {
            if (await (host ?? Store).TryAcquireAsync("test host", None) is { } lease)
            {
                _leases.Add(lease);
                return lease;
            }

            // A server takes a moment to let go of a dead session's lock.
            await Task.Delay(25);
        }

        throw new TimeoutException("The lease stays taken.");
    }

    [Fact]
    public async Task What_is_appended_is_read_back()
    {
        var lease = await AcquireAsync();
        var stream = Stream();
        var first = Event(stream, 1, """{"amount": "12.5", "who": {"a": [1, 2, null, true]}}""", Noon);
        var second = Event(stream, 2, """{}""", Noon + Duration.FromSeconds(1)) with { Headers = default, CausationId = "" };

        var head = await Store.AppendAsync(lease, new Batch(first, second));

        Assert.Equal(lease.Position + 2, head);
        Assert.Equal(head, await Store.HeadAsync(None));
        var read = await Store.ReadStreamAsync(stream, 0, None).AllAsync();
        Assert.Equal([head - 1, head], read.Select(e => e.Position));
        Assert.Equal([1, 2], read.Select(e => e.Version));
        Assert.Equal([first.Id, second.Id], read.Select(e => e.Id));
        Assert.Equal([first.At, second.At], read.Select(e => e.At));
        Assert.Equal("thing_happened", read[0].Type);
        Assert.Equal(stream, read[0].Stream);
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(first.Body.Data), JsonNode.Parse(read[0].Data.Span)));
        Assert.Equal(("trace-1", "command-1"), (read[0].CorrelationId, read[0].CausationId));
        Assert.Equal("tester", read[0].Header("actor"));
        Assert.Equal(("", true), (read[1].CausationId, read[1].Headers.IsEmpty));
        Assert.Equal(read[1], Assert.Single(await Store.ReadStreamAsync(stream, 1, None).AllAsync()), SamePlace.Comparer);
    }

    [Fact]
    public async Task The_whole_ledger_is_read_in_order_and_without_a_gap()
    {
        var lease = await AcquireAsync();
        var (a, b) = (Stream(), Stream());
        await Store.AppendAsync(lease, new Batch(Event(a, 1), Event(b, 1), Event(a, 2)));
        await Store.AppendAsync(lease, new Batch(Event(b, 2)));

        var all = await Store.ReadAllAsync(0, None).AllAsync();

        Assert.Equal(Enumerable.Range(1, all.Count).Select(i => (long)i), all.Select(e => e.Position));
        Assert.Equal([(a, 1L), (b, 1L), (a, 2L), (b, 2L)], all.TakeLast(4).Select(e => (e.Stream, e.Version)));
        Assert.Equal(2, (await Store.ReadAllAsync(all.Count - 2, None).AllAsync()).Count);
        Assert.Empty(await Store.ReadAllAsync(all.Count, None).AllAsync());
        Assert.Equal([2L], (await Store.ReadRangeAsync(1, 2, None).AllAsync()).Select(e => e.Position));
    }

    [Fact]
    public async Task The_versions_of_streams_are_told_in_one_question()
    {
        var lease = await AcquireAsync();
        var (a, b, never) = (Stream(), Stream(), Stream());
        await Store.AppendAsync(lease, new Batch(Event(a, 1), Event(b, 1), Event(a, 2)));

        var versions = await Store.FindVersionsAsync([a, never, b], None);

        Assert.Equal([(a, 2L), (b, 1L)], versions.OrderByDescending(v => v.Value).Select(v => (v.Key, v.Value)));
        Assert.Empty(await Store.FindVersionsAsync([], None));
    }

    /// <summary>A reader may share between rows what they have in common, and only that.</summary>
    [Fact]
    public async Task Rows_that_look_alike_are_told_apart()
    {
        var lease = await AcquireAsync();
        var stream = Stream();
        string[] texts = ["trace-1", "trace-2", "", "trace-2", "rastro-à", "rastro-á", new('x', 511), new('x', 512), new('x', 513), new('y', 513), "trace-1"];
        string[] actors = ["op-1", "op-2", "op-2", new('a', 490), new('a', 600), new('b', 600), "avó", "avô", "op-1", "op-1", "op-2"];
        var written = texts.Select((text, i) => Event(stream, i + 1, $$"""{"n": {{i}}, "filler": "{{new string('z', i * 20_000)}}"}""", type: $"thing_{text.Length}_{i % 2}") with
        {
            CorrelationId = text, CausationId = texts[^(i + 1)], Headers = Encoding.UTF8.GetBytes($$"""{"actor": "{{actors[i]}}"}"""),
        }).ToList();
        await Store.AppendAsync(lease, new Batch([.. written]));

        var read = await Store.ReadStreamAsync(stream, 0, None).AllAsync();

        Assert.Equal(texts, read.Select(e => e.CorrelationId));
        Assert.Equal(texts.Reverse(), read.Select(e => e.CausationId));
        Assert.Equal(actors, read.Select(e => e.Header("actor")));
        Assert.Equal(written.Select(e => e.Body.Type), read.Select(e => e.Type));
        Assert.All(read.Zip(written), pair => Assert.True(JsonNode.DeepEquals(JsonNode.Parse(pair.Second.Body.Data), JsonNode.Parse(pair.First.Data.Span))));
    }

    [Fact]
    public async Task A_wrong_version_leaves_nothing_and_no_gap()
    {
        var lease = await AcquireAsync();
        var (good, bad) = (Stream(), Stream());
        var head = await Store.AppendAsync(lease, new Batch(Event(bad, 1), Event(bad, 2)));

        foreach (var version in new[] { 1, 2, 4 })
        {
            var batch = new Batch([Event(good, 1), Event(bad, version)], [Command($"k-{good}", 0, 2)], [new(Guid.NewGuid(), "bus", new byte[] { 1 })]);
            var refused = await Assert.ThrowsAsync<ConcurrencyException>(() => Store.AppendAsync(lease, batch));
            Assert.Contains($"{bad} is at version 2", refused.Message, StringComparison.Ordinal);
        }

        Assert.Equal(head, await Store.HeadAsync(None));
        Assert.Empty(await Store.ReadStreamAsync(good, 0, None).AllAsync());
        Assert.Empty(await Store.FindCommandsAsync([new("alice", $"k-{good}")], None));
        Assert.False(lease.Lost.IsCancellationRequested);
        Assert.Equal(head + 1, await Store.AppendAsync(lease, new Batch(Event(bad, 3))));
    }

    [Fact]
    public async Task A_version_that_a_new_stream_cannot_have_is_refused()
    {
        var lease = await AcquireAsync();
        var stream = Stream();
        await Assert.ThrowsAsync<ConcurrencyException>(() => Store.AppendAsync(lease, new Batch(Event(stream, 2))));
        await Assert.ThrowsAsync<ArgumentException>(() => Store.AppendAsync(lease, new Batch(Event(stream, 0))));
        await Assert.ThrowsAsync<ArgumentException>(() => Store.AppendAsync(lease, new Batch(Event(stream, 1), Event(stream, 3))));
        Assert.Empty(await Store.ReadStreamAsync(stream, 0, None).AllAsync());
    }

    [Fact]
    public async Task Only_one_host_holds_the_lease()
    {
        var lease = await AcquireAsync();
        var other = NewHost();
        Assert.Null(await other.TryAcquireAsync("other", None));
        Assert.Equal("test host", await other.HolderAsync(None));

        await lease.DisposeAsync();

        var next = await AcquireAsync(other);
        Assert.True(next.Epoch > lease.Epoch);
        await Assert.ThrowsAsync<FencedException>(() => Store.AppendAsync(lease, new Batch(Event(Stream(), 1))));
    }

    [Fact]
    public async Task A_writer_that_lost_its_lease_cannot_commit()
    {
        var lease = await AcquireAsync();
        var stream = Stream();
        await Store.AppendAsync(lease, new Batch(Event(stream, 1, at: Noon)));
        await BreakLeaseAsync();
        var other = NewHost();
        var next = await AcquireAsync(other);
        Assert.Equal(await other.HeadAsync(None), next.Position);
        Assert.True(next.At >= Noon);
        Assert.True(next.Epoch > lease.Epoch);

        await Assert.ThrowsAsync<FencedException>(() => Store.AppendAsync(lease, new Batch(Event(stream, 2))));
        await WaitForAsync(lease.Lost);

        await other.AppendAsync(next, new Batch(Event(stream, 2)));
        Assert.Equal([1, 2], (await other.ReadStreamAsync(stream, 0, None).AllAsync()).Select(e => e.Version));
    }

    [Fact]
    public async Task A_lost_lease_is_noticed_without_a_commit()
    {
        var lease = await AcquireAsync();
        await BreakLeaseAsync();
        await WaitForAsync(lease.Lost);
    }

    [Fact]
    public async Task Commands_and_messages_are_committed_with_their_events()
    {
        var lease = await AcquireAsync();
        var stream = Stream();
        var key = Guid.NewGuid().ToString();
        var message = new OutboxMessage(Guid.CreateVersion7(), "bus", Encoding.UTF8.GetBytes("hello"));

        var head = await Store.AppendAsync(lease, new Batch(Events(stream, 1, 3), [Command(key + "a", 0, 1), Command(key + "b", 1, 2), Command(key + "c", 3, 0)], [message]));

        var found = await Store.FindCommandsAsync([new("alice", key + "a"), new("alice", key + "b"), new("alice", key + "c"), new("bob", key + "a")], None);
        Assert.Equal(3, found.Count);
        Assert.Equal((head - 2, 1), (found[new("alice", key + "a")].LastPosition, found[new("alice", key + "a")].EventCount));
        Assert.Equal((head, 2), (found[new("alice", key + "b")].LastPosition, found[new("alice", key + "b")].EventCount));
        Assert.Equal((head, 0), (found[new("alice", key + "c")].LastPosition, found[new("alice", key + "c")].EventCount));
        Assert.Equal([1, 2, 3], found[new("alice", key + "a")].Hash.ToArray());
        Assert.Equal(Noon, found[new("alice", key + "a")].At);
        Assert.Equal(["hello"], await MessagesAsync(message.Id));

        var taken = await Assert.ThrowsAsync<ConcurrencyException>(() => Store.AppendAsync(lease, new Batch([Event(stream, 4)], [Command(key + "a", 0, 1)], [])));
        Assert.Contains("taken", taken.Message, StringComparison.Ordinal);
        Assert.Equal(head, await Store.HeadAsync(None));
    }

    protected abstract Task<IReadOnlyList<string>> MessagesAsync(Guid id);

    protected abstract Task<long> DeleteOldCommandsAsync(Instant before);

    [Fact]
    public async Task A_batch_of_commands_alone_moves_nothing()
    {
        var lease = await AcquireAsync();
        var key = Guid.NewGuid().ToString();
        var head = await Store.AppendAsync(lease, new Batch([], [Command(key, 0, 0)], []));
        Assert.Equal(lease.Position, head);
        Assert.Equal(head, (await Store.FindCommandsAsync([new("alice", key)], None))[new("alice", key)].LastPosition);
        Assert.Equal(head, await Store.AppendAsync(lease, new Batch()));
    }

    [Fact]
    public async Task Old_commands_are_forgotten_and_young_ones_kept()
    {
        var lease = await AcquireAsync();
        var key = Guid.NewGuid().ToString();
        var old = Command(key + "old", 0, 0) with { At = Instant.FromUtc(2001, 1, 1, 0, 0) };
        await Store.AppendAsync(lease, new Batch([], [old, Command(key + "young", 0, 0)], []));

        Assert.Equal(1, await DeleteOldCommandsAsync(Instant.FromUtc(2001, 1, 1, 0, 1)));

        Assert.Equal([new CommandKey("alice", key + "young")], (await Store.FindCommandsAsync([new("alice", key + "old"), new("alice", key + "young")], None)).Keys);
    }

    [Fact]
    public async Task An_unknown_type_is_read_as_stored_and_refused_by_the_catalog()
    {
        var lease = await AcquireAsync();
        var stream = Stream();
        await Store.AppendAsync(lease, new Batch(Event(stream, 1, type: "from_the_future_v9")));
        var stored = Assert.Single(await Store.ReadStreamAsync(stream, 0, None).AllAsync());
        Assert.Equal("from_the_future_v9", stored.Type);
        var unknown = Assert.Throws<UnknownEventTypeException>(() => new EventCatalog().Freeze().Decode(stored));
        Assert.Equal(stored.Position, unknown.Position);
    }

    [Fact]
    public async Task A_stream_of_ten_thousand_events_is_read_whole_and_from_any_version()
    {
        var lease = await AcquireAsync();
        var stream = Stream();
        for (var from = 1; from <= 10_001; from += 1000)
        {
            await Store.AppendAsync(lease, new Batch([.. Events(stream, from, Math.Min(1000, 10_002 - from))]));
        }

        var all = await Store.ReadStreamAsync(stream, 0, None).AllAsync();
        Assert.Equal(Enumerable.Range(1, 10_001).Select(i => (long)i), all.Select(e => e.Version));
        Assert.Equal(2, (await Store.ReadStreamAsync(stream, 9_999, None).AllAsync()).Count);
        await foreach (var stored in Store.ReadAllAsync(0, None))
        {
            // A reader may leave at any time.
            Assert.Equal(1, stored.Position);
            break;
        }
    }

    [Theory]
    [InlineData("Vai chover em São Paulo? 🌧️👩‍👩‍👧")]
    [InlineData("e\u0301 is not é")]
    [InlineData("\u202Eright to left: مرحبا שלום")]
    [InlineData("quotes \" and \\ and \u0007 and \u2028")]
    [InlineData("an escaped backslash before u0000: \\u0000")]
    public async Task Text_of_every_kind_survives(string text)
    {
        var lease = await AcquireAsync();
        var stream = Stream();
        var body = JsonSerializer.Serialize(new { text });
        await Store.AppendAsync(lease, new Batch(Event(stream, 1, body) with { CorrelationId = text }));
        var stored = Assert.Single(await Store.ReadStreamAsync(stream, 0, None).AllAsync());
        using var read = JsonDocument.Parse(stored.Data);
        Assert.Equal(text, read.RootElement.GetProperty("text").GetString());
        Assert.Equal(text, stored.CorrelationId);
    }

    [Fact]
    public async Task What_PostgreSQL_cannot_keep_is_refused_in_clear_words()
    {
        var lease = await AcquireAsync();
        var stream = Stream();
        var nul = await Assert.ThrowsAsync<ArgumentException>(() => Store.AppendAsync(lease, new Batch(Event(stream, 1, "{\"a\": \"x\\u0000\"}"))));
        Assert.Contains("U+0000", nul.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentException>(() => Store.AppendAsync(lease, new Batch(Event(stream, 1) with { CorrelationId = "\0" })));
        await Assert.ThrowsAsync<ArgumentException>(() => Store.AppendAsync(lease, new Batch(Event(stream, 1) with { CausationId = "\ud83c" })));
        await Assert.ThrowsAsync<ArgumentException>(() => Store.AppendAsync(lease, new Batch(Event(stream, 1, "{\"a\": \"\\ud83c\"}"))));
        await Assert.ThrowsAsync<ArgumentException>(() => Store.AppendAsync(lease, new Batch(Event(stream, 1, "{\"a\": "))));
        await Assert.ThrowsAsync<ArgumentException>(() => Store.AppendAsync(lease, new Batch(Event(stream, 1, at: Noon.PlusNanoseconds(1)))));
        Assert.Equal(lease.Position + 1, await Store.AppendAsync(lease, new Batch(Event(stream, 1))));
    }

    [Fact]
    public async Task The_largest_names_bodies_and_batches_fit()
    {
        var lease = await AcquireAsync();
        var stream = StreamId.Parse("market-" + string.Concat(Enumerable.Repeat("é", StreamId.MaxLength - 39)) + Guid.NewGuid().ToString("n"));
        Assert.Equal(StreamId.MaxLength, stream.Value.Length);
        var body = $$"""{"text": "{{new string('x', 1 << 20)}}"}""";
        await Store.AppendAsync(lease, new Batch(Event(stream, 1, body)));
        var head = await Store.AppendAsync(lease, new Batch([.. Enumerable.Range(0, 1000).Select(_ => Event(Stream(), 1))]));

        Assert.Equal(lease.Position + 1001, head);
        var stored = Assert.Single(await Store.ReadStreamAsync(stream, 0, None).AllAsync());
        Assert.Equal((stream, body), (stored.Stream, stored.Data.Text()));
    }

    [Fact]
    public async Task Times_keep_their_microseconds()
    {
        var lease = await AcquireAsync();
        var stream = Stream();
        Instant[] times = [Instant.FromUtc(1969, 12, 31, 23, 59, 59).PlusTicks(9_999_990), Instant.FromUtc(2025, 9, 10, 12, 0).PlusTicks(1_234_560), Instant.FromUtc(2199, 2, 28, 0, 0).PlusTicks(10)];
        await Store.AppendAsync(lease, new Batch([.. times.Select((at, i) => Event(stream, i + 1, at: at))]));
        Assert.Equal(times, (await Store.ReadStreamAsync(stream, 0, None).AllAsync()).Select(e => e.At));
        await lease.DisposeAsync();
        Assert.Equal(times[^1], (await AcquireAsync()).At);
    }

    [Fact]
    public async Task A_snapshot_is_replaced_by_newer_ones_only()
    {
        var stream = Stream();
        var fold = new Fold<object>("counter", version: 2, new object(), (state, _) => state);
        Snapshot At(int foldVersion, long version) => new(stream, "counter", foldVersion, version, Encoding.UTF8.GetBytes($"{foldVersion}.{version}"));
        Assert.Null(await Store.LoadSnapshotAsync(stream, fold, None));

        await Store.SaveSnapshotAsync(At(1, 90), None);
        Assert.Null(await Store.LoadSnapshotAsync(stream, fold, None));
        await Store.SaveSnapshotAsync(At(2, 50), None);
        await Store.SaveSnapshotAsync(At(2, 40), None);
        await Store.SaveSnapshotAsync(At(1, 99), None);

        var kept = await Store.LoadSnapshotAsync(stream, fold, None);
        Assert.Equal((50, "2.50"), (kept!.Version, kept.State.Text()));
        Assert.Null(await Store.LoadSnapshotAsync(stream, new Fold<object>("other", 2, new object(), (state, _) => state), None));
    }

    [Fact]
    public async Task A_waiter_wakes_when_the_ledger_grows()
    {
        var lease = await AcquireAsync();
        var reader = NewHost();
        await Store.AppendAsync(lease, new Batch(Event(Stream(), 1)));
        var head = await Store.HeadAsync(None);
        await reader.WaitBeyondAsync(head - 1, None).WaitAsync(TimeSpan.FromSeconds(5));
        var waiting = reader.WaitBeyondAsync(head, None);
        await Task.Delay(50);
        Assert.False(waiting.IsCompleted);

        await Store.AppendAsync(lease, new Batch(Event(Stream(), 1)));

        await waiting.WaitAsync(TimeSpan.FromSeconds(5));
        using var cancel = new CancellationTokenSource(50);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reader.WaitBeyondAsync(long.MaxValue, cancel.Token));
    }

    [Fact]
    public async Task Appends_at_the_same_time_take_turns()
    {
        var lease = await AcquireAsync();
        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Store.AppendAsync(lease, new Batch(Event(Stream(), 1)))));
        Assert.Equal(lease.Position + 20, await Store.HeadAsync(None));
    }

    protected static async Task WaitForAsync(CancellationToken token)
    {
        var fired = new TaskCompletionSource();
        await using var registration = token.Register(fired.SetResult);
        await fired.Task.WaitAsync(TimeSpan.FromSeconds(10), None);
    }

    // Records with memory compare by reference; the place says enough.
    private sealed class SamePlace : IEqualityComparer<StoredEvent>
    {
        public static SamePlace Comparer { get; } = new();

        public bool Equals(StoredEvent? x, StoredEvent? y) => (x?.Position, x?.Id, x?.Data.Text()) == (y?.Position, y?.Id, y?.Data.Text());

        public int GetHashCode(StoredEvent stored) => stored.Position.GetHashCode();
    }
}

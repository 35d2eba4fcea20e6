using System.Collections.Concurrent;
using Mbp.Ledger.Merkle;
using Mbp.Ledger.Writing;
using NodaTime;
using Xunit;

namespace Mbp.Ledger.Tests.Writing;

/// <summary>The writer over a ledger in memory, with faults to order: who is told what, and what is there afterwards.</summary>
public sealed class LedgerWriterTests : IAsyncDisposable
{
    private readonly InMemoryLog _log = new();
    private readonly StepClock _clock = new();
    private readonly ConcurrentQueue<Batch> _commits = new();
    private readonly ConcurrentQueue<string> _troubles = new();
    private readonly List<Recorded> _published = [];
    private readonly List<LedgerWriter> _writers = [];

    public LedgerWriterTests() => _log.Faults = Count;

    public async ValueTask DisposeAsync()
    {
        foreach (var writer in _writers)
        {
            await writer.DisposeAsync();
        }
    }

    [Fact]
    public async Task Commands_that_wait_together_are_committed_together_and_in_order()
    {
        var writer = await WriterAsync();
        var answers = await BlockedAsync<CommandOutcome>(writer, () => [.. Enumerable.Range(0, 50).Select(i => Send(writer, Counter.Add($"s{i % 5}", 1)))]);
        Assert.All(answers, answer => Assert.Null(answer.Rejection));
        // The command that held the writer up, and with it all that came meanwhile.
        Assert.Equal([51], _commits.Select(batch => batch.Events.Count));
        Assert.Equal(Enumerable.Range(2, 50).Select(p => (long)p), answers.Select(answer => answer.Position));
        Assert.Equal(Enumerable.Range(1, 51).Select(p => (long)p), _published.Select(e => e.Position));
    }

    [Fact]
    public async Task A_refusal_is_told_only_when_what_it_rests_on_is_durable()
    {
        var writer = await WriterAsync();
        _log.Faults = batch => batch.Events.Any(e => e.Stream == Counter.Stream("full")) ? CommitFault.Unavailable : Count(batch);
        using var hold = new ManualResetEventSlim();
        var holder = ErrorAsync(Send(writer, Counter.Add("holder", 1, hold.Wait)));
        await UntilAsync(() => writer.QueueDepth == 0);
        var sent = new[] { ErrorAsync(Send(writer, Counter.Add("full", 1000))), ErrorAsync(Send(writer, Counter.Add("full", 1))) };
        hold.Set();
        Exception?[] answers = [await holder, .. await Task.WhenAll(sent)];
        // The first was never written, so the second must not be refused because of it.
        Assert.All(answers, error => Assert.IsType<LedgerBusyException>(error));
        _log.Faults = Count;
        // The lease is taken again first; what is sent before that is refused as busy, and may be sent again.
        var taken = Send(writer, Counter.Add("full", 1));
        for (var until = DateTimeOffset.UtcNow.AddSeconds(10); await ErrorAsync(taken) is LedgerBusyException or NotWriterException && DateTimeOffset.UtcNow < until;)
        {
            await Task.Delay(5);
            taken = Send(writer, Counter.Add("full", 1));
        }

        Assert.Null((await taken).Rejection);
        Assert.Equal(Counter.TooFar, (await Send(writer, Counter.Add("full", 1000))).Rejection);
    }

    [Fact]
    public async Task What_was_decided_on_a_lost_commit_falls_with_it()
    {
        var writer = await WriterAsync();
        using var committing = new ManualResetEventSlim();
        using var release = new ManualResetEventSlim();
        _log.Faults = batch =>
        {
            committing.Set();
            release.Wait();
            return CommitFault.Unavailable;
        };
        var first = ErrorAsync(Send(writer, Counter.Add("a", 1)));
        committing.Wait();
        // Decided while the first is on its way, on a state that the first alone would have made.
        var second = ErrorAsync(Send(writer, Counter.Add("a", 1)));
        await UntilAsync(() => writer.QueueDepth == 0);
        _log.Faults = Count;
        release.Set();
        Assert.IsType<LedgerBusyException>(await first);
        Assert.IsType<LedgerBusyException>(await second);
        await UntilAsync(() => writer.IsWriter);
        Assert.Equal(1, (await Send(writer, Counter.Add("a", 1))).Position);
        Assert.Equal(1, _log.Head);
    }

    [Fact]
    public async Task A_state_that_was_never_read_before_is_read_after_the_batch_that_moves_its_stream()
    {
        var writer = await WriterAsync();
        using var hold = new ManualResetEventSlim();
        var first = Send(writer, Counter.Add("a", 1, hold.Wait));
        await UntilAsync(() => writer.QueueDepth == 0);
        // The same stream under another fold: the batch in hand has moved the stream, and the store does not show it yet.
        var second = Send(writer, Operation.On(Counter.Twice.Of(Counter.Stream("a")), (Instant at, Count count) =>
            new Decision<StreamEvent>([Counter.Stream("a").With(new Counted(count.N, at))])));
        hold.Set();
        Assert.Equal(1, (await first).Position);
        Assert.Equal(2, Assert.IsType<Counted>((await second).Events[0].Data).By);
        Assert.Empty(_troubles);
    }

    [Fact]
    public async Task Streams_that_are_only_written_to_are_not_read_and_their_versions_are_asked_for_once()
    {
        var away = new Away(_log);
        var writer = await WriterAsync(store: away);
        await Send(writer, Counter.Add("a", 1));
        await Send(writer, Counter.Add("b", 5));
        await Send(writer, Counter.Add("payer", 1));
        away.Read.Clear();
        var outcome = await Send(writer, Append("a", "b", "new", "a"));
        Assert.Equal([2, 2, 1, 3], outcome.Events.Select(e => e.Stored.Version));
        await Send(writer, Append("new", "other"));
        // Those of a and b were in memory, and that of the third after the first time.
        Assert.Equal([1, 1], away.Versions);
        Assert.Empty(away.Read);
        // A state that is in memory moved on with it; one that is not is read after the commit.
        Assert.Equal(Counter.TooFar, (await Send(writer, Counter.Add("a", 998))).Rejection);
        Assert.Equal(Counter.TooFar, (await Send(writer, Counter.Add("new", 999))).Rejection);
        Assert.Equal(3, (await Send(writer, Counter.Add("new", 998))).Events[0].Stored.Version);
        Assert.Empty(_troubles);
    }

    [Fact]
    public async Task A_stream_that_was_written_to_unseen_is_read_after_its_commit()
    {
        var writer = await WriterAsync();
        var answers = await BlockedAsync<CommandOutcome>(writer, () => [Send(writer, Append("x", "y")), Send(writer, Counter.Add("x", 1)), Send(writer, Append("x"))]);
        Assert.Equal([1, 2, 3], answers.Select(answer => answer.Events[0].Stored.Version));
        Assert.Empty(_troubles);
    }

    [Fact]
    public async Task A_stream_that_was_written_to_unseen_and_that_somebody_else_moved_is_told_of()
    {
        var away = new Away(_log);
        var writer = await WriterAsync(store: away);
        await Send(writer, Append("x"));
        away.Foreign = new Batch(Given.Event(Counter.Stream("x"), 2));
        Assert.IsType<LedgerBusyException>(await ErrorAsync(Send(writer, Append("x"))));
    }

    [Fact]
    public async Task Streams_that_are_only_written_to_push_nothing_out_of_the_memory()
    {
        var away = new Away(_log);
        var writer = await WriterAsync(new WriterOptions { CachedStreams = 4 }, store: away);
        await Send(writer, Counter.Add("payer", 1));
        await Send(writer, Counter.Add("hot", 1));
        for (var i = 0; i < 5; i++)
        {
            await Send(writer, Append([.. Enumerable.Range(0, 10).Select(n => $"s{i}-{n}")]));
        }

        away.Read.Clear();
        await Send(writer, Counter.Add("hot", 1));
        Assert.Empty(away.Read);
        Assert.InRange(writer.CachedStreams, 1, 15);
    }

    // One more in each stream, whatever is in it.
    private static Operation Append(params string[] names) => Operation.On(
        [Counter.Fold.Of(Counter.Stream("payer"))], [.. names.Select(Counter.Stream).Distinct()],
        (_, at) => new Decision<StreamEvent>([.. names.Select(name => Counter.Stream(name).With(new Counted(1, at)))]));

    [Fact]
    public async Task A_key_that_is_being_committed_is_not_carried_out_twice()
    {
        var writer = await WriterAsync();
        using var committing = new ManualResetEventSlim();
        using var release = new ManualResetEventSlim();
        _log.Faults = batch =>
        {
            committing.Set();
            release.Wait();
            return Count(batch);
        };
        var context = new CommandContext("ana", "trace", new CommandKey("ana", "k"), new byte[] { 1 });
        var first = writer.SubmitAsync(Counter.Add("a", 1), context, CancellationToken.None);
        committing.Wait();
        var second = writer.SubmitAsync(Counter.Add("a", 1), context, CancellationToken.None);
        await UntilAsync(() => writer.QueueDepth == 0);
        release.Set();
        Assert.Equal((await first).Position, (await second).Position);
        Assert.True((await second).Replayed);
        Assert.Equal(1, _log.Head);
    }

    [Fact]
    public async Task A_command_that_waits_too_long_is_not_carried_out()
    {
        var writer = await WriterAsync(new WriterOptions { Deadline = TimeSpan.FromMilliseconds(300) });
        using var hold = new ManualResetEventSlim();
        var holder = ErrorAsync(Send(writer, Counter.Add("a", 1, hold.Wait)));
        await UntilAsync(() => writer.QueueDepth == 0);
        var late = Send(writer, Counter.Add("b", 1));
        await Assert.ThrowsAsync<LedgerBusyException>(() => late);
        // The one under way has an open outcome, and its caller is told so.
        Assert.IsType<UnknownOutcomeException>(await holder);
        hold.Set();
        await UntilAsync(() => _log.Head == 1);
        await Send(writer, Counter.Add("c", 1));
        Assert.Equal(["counter-a", "counter-c"], _commits.SelectMany(batch => batch.Events).Select(e => e.Stream.Value));
    }

    [Fact]
    public async Task A_full_queue_refuses_at_once()
    {
        var writer = await WriterAsync(new WriterOptions { QueueLength = 2 });
        var answers = await BlockedAsync<Exception?>(writer, () => [.. Enumerable.Range(0, 5).Select(_ => ErrorAsync(Send(writer, Counter.Add("a", 1))))]);
        Assert.Equal([false, false, true, true, true], answers.Select(error => error is LedgerBusyException));
        Assert.Equal(3, _log.Head);
    }

    [Theory]
    [InlineData(CommitFault.LostAfterCommit)]
    [InlineData(CommitFault.LostBeforeCommit)]
    public async Task An_unknown_outcome_is_settled_by_asking_the_ledger(CommitFault fault)
    {
        var writer = await WriterAsync();
        await Send(writer, Counter.Add("a", 1));
        var once = 1;
        _log.Faults = batch => Interlocked.Exchange(ref once, 0) == 1 ? fault : Count(batch);
        var error = await ErrorAsync(Send(writer, Counter.Add("a", 2), "k"));
        Assert.Equal(fault == CommitFault.LostAfterCommit, error is null);
        Assert.True(error is null or LedgerBusyException);
        await UntilAsync(() => writer.IsWriter);

        // With the same key it is there exactly once, whichever way it went; states were folded anew.
        await Send(writer, Counter.Add("a", 2), "k");
        await Send(writer, Counter.Add("a", 3));
        Assert.Equal([1, 2, 3], await CountedAsync("a"));
        // Each commit was handed to the followers once.
        Assert.Equal([1L, 2, 3], _published.Select(e => e.Position));
    }

    // Found by the simulation: a batch without events had nothing to be recognized by.
    [Theory]
    [InlineData(CommitFault.LostAfterCommit)]
    [InlineData(CommitFault.LostBeforeCommit)]
    public async Task An_unknown_outcome_of_keys_alone_is_settled_too(CommitFault fault)
    {
        var writer = await WriterAsync();
        var once = 1;
        _log.Faults = batch => Interlocked.Exchange(ref once, 0) == 1 ? fault : Count(batch);
        var error = await ErrorAsync(Send(writer, Counter.Add("a", 0), "so"));
        Assert.Equal(fault == CommitFault.LostAfterCommit, error is null);
        await UntilAsync(() => writer.IsWriter);
        Assert.Equal(error is null, (await Send(writer, Counter.Add("a", 0), "so")).Replayed);
    }

    // Found by the simulation.
    [Fact]
    public async Task A_commit_that_is_found_is_published_once_even_if_the_lease_cannot_be_given_back()
    {
        var store = new Away(_log) { IsDeaf = true };
        var writer = await WriterAsync(store: store);
        var once = 1;
        _log.Faults = batch => Interlocked.Exchange(ref once, 0) == 1 ? CommitFault.LostAfterCommit : Count(batch);
        await Send(writer, Counter.Add("a", 1));
        await UntilAsync(() => writer.IsWriter);
        await Send(writer, Counter.Add("a", 1));
        Assert.Equal([1L, 2], _published.Select(e => e.Position));
    }

    // Found by the simulation: the writer kept the lease and never answered anybody again.
    [Fact]
    public async Task A_failure_that_nobody_foresaw_ends_with_an_answer_and_a_new_lease()
    {
        var writer = await WriterAsync();
        Exception? next = new TimeoutException("nobody foresaw this");
        _log.Faults = batch => Interlocked.Exchange(ref next, null) is { } failure ? throw failure : Count(batch);
        // Sent together, so that one waits for the outcome of the other.
        var sent = new[] { ErrorAsync(Send(writer, Counter.Add("a", 1), "k")), ErrorAsync(Send(writer, Counter.Add("a", 1), "k")) };
        Assert.All(await Task.WhenAll(sent), error => Assert.True(error is null or LedgerBusyException or NotWriterException));
        await UntilAsync(() => writer.IsWriter);
        next = new ArgumentException("the batch is one that no store could hold");
        Assert.IsType<ArgumentException>(await ErrorAsync(Send(writer, Counter.Add("b", 1))));
        await UntilAsync(() => writer.IsWriter);
        await Send(writer, Counter.Add("b", 2));
        Assert.Equal([2], await CountedAsync("b"));
    }

    // Found by the simulation: nothing was written, so no fence stood in the way of an answer that no position of the ledger would give.
    [Fact]
    public async Task A_writer_that_lost_its_lease_unawares_does_not_decide_on_what_its_successor_wrote()
    {
        var store = new Away(_log) { IsDeaf = true };
        var writer = await WriterAsync(store: store);
        await Send(writer, Counter.Add("a", 1));
        _log.BreakLease();
        var other = _log.TryAcquire("other")!;
        _log.Append(other, new Batch(Given.Event(Counter.Stream("b"), 1, """{"by":1000,"at":"2025-09-10T12:00:00Z"}""", _clock.Now, "counted")));
        Assert.IsType<LedgerBusyException>(await ErrorAsync(Send(writer, Counter.Add("b", 1))));
    }

    // Found by the simulation.
    [Fact]
    public async Task A_repeated_command_whose_answer_is_being_read_is_answered_before_the_writer_goes()
    {
        var store = new Away(_log);
        var writer = await WriterAsync(store: store);
        await Send(writer, Counter.Add("a", 1), "k");
        store.Reading = new TaskCompletionSource();
        var again = Send(writer, Counter.Add("a", 1), "k");
        await Send(writer, Counter.Add("a", 1));
        var going = writer.DisposeAsync().AsTask();
        await UntilAsync(() => _log.TryAcquire("next") is not null);
        Assert.NotSame(going, await Task.WhenAny(going, Task.Delay(200)));
        store.Reading.SetResult();
        await going;
        Assert.True(again.IsCompleted && (await again).Replayed);
    }

    [Fact]
    public async Task A_store_that_stays_away_leaves_the_outcome_unknown()
    {
        var store = new Away(_log);
        var writer = await WriterAsync(new WriterOptions { Deadline = TimeSpan.FromMilliseconds(400), LeaseRetry = TimeSpan.FromMilliseconds(20) }, store: store);
        _log.Faults = _ =>
        {
            store.IsAway = true;
            return CommitFault.LostAfterCommit;
        };
        Assert.IsType<UnknownOutcomeException>(await ErrorAsync(Send(writer, Counter.Add("a", 1), "k")));
        _log.Faults = Count;
        store.IsAway = false;
        await UntilAsync(() => writer.IsWriter);
        Assert.True((await Send(writer, Counter.Add("a", 1), "k")).Replayed);
        Assert.Equal(1, _log.Head);
    }

    [Fact]
    public async Task A_fenced_writer_writes_nothing_and_says_who_can()
    {
        var first = await WriterAsync(holder: "first");
        await Send(first, Counter.Add("a", 1));
        // The session is gone and the holder does not know yet; another takes the lease.
        Lease? other = null;
        _log.Faults = _ =>
        {
            if (other is null)
            {
                _log.BreakLease();
                other = _log.TryAcquire("second");
            }

            return CommitFault.None;
        };
        Assert.IsType<NotWriterException>(await ErrorAsync(Send(first, Counter.Add("a", 2))));
        await UntilAsync(() => first.OtherHolder is not null);
        var told = Assert.IsType<NotWriterException>(await ErrorAsync(Send(first, Counter.Add("a", 3))));
        Assert.Equal("second", told.Holder);
        Assert.Equal([1], await CountedAsync("a"));

        await other!.DisposeAsync();
        await UntilAsync(() => first.IsWriter);
        await Send(first, Counter.Add("a", 4));
        Assert.Equal([1, 4], await CountedAsync("a"));
        Assert.Equal(3, first.Epoch);
    }

    [Fact]
    public async Task What_somebody_else_appended_is_adopted_at_the_next_try()
    {
        var store = new Away(_log);
        var writer = await WriterAsync(store: store);
        await Send(writer, Counter.Add("a", 1));
        store.Foreign = new Batch(Given.Event(Counter.Stream("a"), 2, """{"by":100,"at":"2025-09-10T12:00:00Z"}""", _clock.Now, "counted"));
        Assert.IsType<LedgerBusyException>(await ErrorAsync(Send(writer, Counter.Add("a", 10))));
        await UntilAsync(() => writer.IsWriter);
        await Send(writer, Counter.Add("a", 10));
        Assert.Equal([1, 100, 10], await CountedAsync("a"));
        // The count is of all three: 111 + 889 is the most.
        Assert.Null((await Send(writer, Counter.Add("a", 889))).Rejection);
    }

    [Fact]
    public async Task A_stream_that_cannot_be_read_fails_only_its_own_commands()
    {
        var before = _log.TryAcquire("before")!;
        _log.Append(before, new Batch(Given.Event(Counter.Stream("bad"), 1, """{"n":1}""", type: "from_the_future")));
        await before.DisposeAsync();
        var writer = await WriterAsync();
        var answers = await BlockedAsync<Exception?>(writer, () =>
            [ErrorAsync(Send(writer, Counter.Add("good", 1))), ErrorAsync(Send(writer, Counter.Add("bad", 1))), ErrorAsync(Send(writer, Counter.Add("good", 2)))]);
        Assert.Equal([null, typeof(UnknownEventTypeException), null], answers.Select(error => error?.GetType()));
        Assert.Equal([1, 2], await CountedAsync("good"));
    }

    [Fact]
    public async Task A_decision_that_throws_fails_only_its_own_command()
    {
        var writer = await WriterAsync();
        var answers = await BlockedAsync<Exception?>(writer, () =>
            [ErrorAsync(Send(writer, Counter.Add("a", 1))), ErrorAsync(Send(writer, Counter.Add("a", 2, () => throw new DivideByZeroException()))), ErrorAsync(Send(writer, Counter.Add("a", 4)))]);
        Assert.Equal([null, typeof(DivideByZeroException), null], answers.Select(error => error?.GetType()));
        Assert.Equal([1, 4], await CountedAsync("a"));
    }

    [Fact]
    public async Task What_waits_is_committed_before_the_writer_goes()
    {
        var writer = await WriterAsync();
        Task? going = null;
        var answers = await BlockedAsync<CommandOutcome>(writer, () =>
        {
            var sent = Enumerable.Range(0, 20).Select(_ => Send(writer, Counter.Add("a", 1))).ToList();
            going = writer.DisposeAsync().AsTask();
            return sent;
        });
        Assert.All(answers, answer => Assert.Null(answer.Rejection));
        await going!;
        Assert.Equal(21, _log.Head);
        Assert.True(await ErrorAsync(Send(writer, Counter.Add("a", 1))) is NotWriterException or LedgerBusyException);
        // The lease is given back.
        Assert.NotNull(_log.TryAcquire("next"));
    }

    [Fact]
    public async Task A_state_is_folded_from_its_snapshot_and_what_came_after()
    {
        var writer = await WriterAsync();
        for (var i = 1; i <= 25; i++)
        {
            await Send(writer, Counter.Add("a", 1));
        }

        await UntilAsync(() => _log.Snapshot(Counter.Stream("a"), "count")?.Version == 20);
        await writer.DisposeAsync();
        var store = new Away(_log);
        var second = await WriterAsync(store: store);
        await Send(second, Counter.Add("a", 1));
        // From the snapshot's own event on, whose position says whose it is.
        Assert.Equal([19], store.ReadAfter);
        Assert.Equal(Counter.TooFar, (await Send(second, Counter.Add("a", 975))).Rejection);
        Assert.Null((await Send(second, Counter.Add("a", 974))).Rejection);
    }

    [Fact]
    public async Task No_more_streams_stay_in_memory_than_allowed_and_the_least_used_go_first()
    {
        var store = new Away(_log);
        var writer = await WriterAsync(new WriterOptions { CachedStreams = 3 }, store: store);
        foreach (var key in new[] { "a", "b", "c", "a", "d", "a", "b" })
        {
            await Send(writer, Counter.Add(key, 1));
            await UntilAsync(() => writer.CachedStreams <= 3);
        }

        // a was used again and again, so it was read once; b had to go for d.
        Assert.Equal(["counter-a", "counter-b", "counter-c", "counter-d", "counter-b"], store.Read);
        Assert.Equal([1, 1, 1], await CountedAsync("a"));
    }

    [Fact]
    public async Task Time_goes_on_when_the_clock_goes_back()
    {
        var writer = await WriterAsync();
        await Send(writer, Counter.Add("a", 1));
        _clock.Now -= Duration.FromHours(3);
        await Send(writer, Counter.Add("a", 1));
        await writer.DisposeAsync();
        _clock.Now -= Duration.FromDays(1);
        var second = await WriterAsync();
        await Send(second, Counter.Add("a", 1));
        var times = _log.All(0).Select(e => e.At).ToList();
        Assert.Equal([times[0], times[0].PlusTicks(10), times[0].PlusTicks(20)], times);
    }

    [Fact]
    public async Task A_key_is_answered_alike_within_a_batch_after_it_and_by_the_next_writer()
    {
        var writer = await WriterAsync();
        var answers = await BlockedAsync<CommandOutcome>(writer, () =>
            [Send(writer, Counter.Add("a", 1), "k"), Send(writer, Counter.Add("a", 1), "k"), Send(writer, Counter.Add("a", 0), "so"), Send(writer, Counter.Add("b", 1)), Send(writer, Counter.Add("a", 1), "k", hash: 9)]);
        Assert.Equal([false, true, false, false, false], answers.Select(answer => answer.Replayed));
        Assert.Equal(LedgerErrors.KeyMismatch, answers[4].Rejection);
        Assert.Equal(answers[0].Position, answers[1].Position);
        Assert.Null(answers[2].Find<Counted>());

        await writer.DisposeAsync();
        var second = await WriterAsync();
        var again = await Send(second, Counter.Add("a", 1), "k");
        Assert.Equal((answers[0].Position, true), (again.Position, again.Replayed));
        Assert.Equal(new Counted(1, again.Events[0].At), again.Find<Counted>());
        Assert.Equal(answers[2].Position, (await Send(second, Counter.Add("a", 0), "so")).Position);
        Assert.Equal(LedgerErrors.KeyMismatch, (await Send(second, Counter.Add("a", 1), "k", hash: 9)).Rejection);
        Assert.Equal(3, _log.Head);
    }

    [Fact]
    public async Task A_standby_takes_over_where_the_first_stopped()
    {
        var first = await WriterAsync(holder: "first");
        var second = New("second");
        await Send(first, Counter.Add("a", 1));
        await UntilAsync(() => second.OtherHolder == "first");
        Assert.Equal("first", Assert.IsType<NotWriterException>(await ErrorAsync(Send(second, Counter.Add("a", 1)))).Holder);
        await first.DisposeAsync();
        await UntilAsync(() => second.IsWriter);
        Assert.Equal(2, (await Send(second, Counter.Add("a", 1))).Position);
        Assert.Null(second.OtherHolder);
    }

    [Fact]
    public async Task Repeated_commands_beyond_one_batch_are_all_answered()
    {
        // Found under load: none of them joins a batch, so no commit came after which the writer would have looked at the rest.
        var writer = await WriterAsync(new WriterOptions { BatchCommands = 2 });
        await Task.WhenAll(Enumerable.Range(0, 40).Select(i => Send(writer, Counter.Add("a", 1), $"k{i}")));
        var again = await BlockedAsync<CommandOutcome>(writer, () => [.. Enumerable.Range(0, 40).Select(i => Send(writer, Counter.Add("a", 1), $"k{i}").WaitAsync(TimeSpan.FromSeconds(5)))]);
        Assert.All(again, answer => Assert.True(answer.Replayed));
    }

    [Fact]
    public async Task A_hundred_thousand_streams_pass_through_a_cache_of_a_thousand()
    {
        const int streams = 100_000, cached = 1_000, atOnce = 2_000;
        var options = new WriterOptions { CachedStreams = cached };
        var writer = await WriterAsync(options);
        var largest = 0;
        for (var done = 0; done < streams; done += atOnce)
        {
            await Task.WhenAll(Enumerable.Range(done, atOnce).Select(i => Send(writer, Counter.Add($"s{i}", 1))));
            largest = Math.Max(largest, writer.CachedStreams);
        }

        // What is decided and not yet durable stays whatever the bound says: at most two batches.
        Assert.InRange(largest, cached, cached + (2 * options.BatchCommands));
        // And those that had to go are what they were.
        var again = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => Send(writer, Counter.Add($"s{i * 499}", 1))));
        Assert.All(again, answer => Assert.Equal(2, answer.Events[0].Version));
    }

    [Fact]
    public async Task Every_command_of_a_batch_has_a_receipt_under_one_signature()
    {
        var signer = new CountingSigner();
        var writer = await WriterAsync(signer: signer);
        var answers = await BlockedAsync<CommandOutcome>(writer, () => [.. Enumerable.Range(0, 50).Select(i => Send(writer, Counter.Add($"s{i % 5}", 1)))]);
        Assert.Equal(1, signer.Signed);
        Assert.All(answers, answer =>
        {
            var receipt = answer.Receipt!;
            Assert.Equal(answer.Position, receipt.Position);
            Assert.Equal(_log.Leaves[(int)answer.Position - 1], receipt.Leaf);
            Assert.Equal(receipt.Batch.Root, MerkleTree.Root([.. _log.Leaves]));
            Assert.Equal(receipt.Batch.Root.ToString(), System.Text.Encoding.ASCII.GetString(receipt.Batch.Signature.Span));
            Assert.True(receipt.Holds);
            Assert.False((receipt with { Position = receipt.Position - 1 }).Holds);
        });
        // What writes nothing has nothing to show.
        Assert.Null((await Send(writer, Counter.Add("s0", 1000))).Receipt);
    }

    [Fact]
    public async Task A_signer_that_fails_costs_the_receipts_and_not_the_answers()
    {
        var writer = await WriterAsync(signer: new CountingSigner { Fails = true });
        var answer = await Send(writer, Counter.Add("a", 1));
        Assert.Equal((null, null, 1L), (answer.Rejection, answer.Receipt, answer.Position));
        Assert.Contains(_troubles, trouble => trouble.Contains("without receipts", StringComparison.Ordinal));
    }

    private sealed class CountingSigner : IBatchSigner
    {
        public int Signed { get; private set; }

        public bool Fails { get; init; }

        public BatchSignature Sign(MerkleHash root, long firstPosition, int size)
        {
            Signed++;
            return Fails ? throw new InvalidOperationException("No key.") : new BatchSignature(1, System.Text.Encoding.ASCII.GetBytes(root.ToString()));
        }
    }

    private LedgerWriter New(string holder = "here", WriterOptions? options = null, IEventStore? store = null, IBatchSigner? signer = null)
    {
        var writer = new LedgerWriter(
            store ?? new InMemoryEventStore(_log), Counter.Catalog(), _clock, holder, (options ?? new WriterOptions()) with { LeaseRetry = TimeSpan.FromMilliseconds(20) },
            _published.AddRange, (exception, consequence) => _troubles.Enqueue($"{consequence} {exception.Message}"), signer);
        _writers.Add(writer);
        return writer;
    }

    private async Task<LedgerWriter> WriterAsync(WriterOptions? options = null, string holder = "here", IEventStore? store = null, IBatchSigner? signer = null)
    {
        var writer = New(holder, options, store, signer);
        await UntilAsync(() => writer.IsWriter);
        return writer;
    }

    private static Task<CommandOutcome> Send(LedgerWriter writer, Operation operation, string? key = null, byte hash = 1) => writer.SubmitAsync(
        operation, new CommandContext("tester", "trace", key is null ? null : new CommandKey("tester", key), new[] { hash }), CancellationToken.None);

    /// <summary>Holds the writer up with one command while others are sent, so that they form one batch.</summary>
    private static async Task<IReadOnlyList<T>> BlockedAsync<T>(LedgerWriter writer, Func<IReadOnlyList<Task<T>>> send)
    {
        using var hold = new ManualResetEventSlim();
        var holder = Send(writer, Counter.Add("holder", 1, hold.Wait));
        await UntilAsync(() => writer.QueueDepth == 0);
        var sent = send();
        hold.Set();
        await holder;
        return await Task.WhenAll(sent);
    }

    private static async Task<Exception?> ErrorAsync(Task task) => await Record.ExceptionAsync(() => task);

    private static async Task UntilAsync(Func<bool> condition)
    {
        for (var until = DateTimeOffset.UtcNow.AddSeconds(10); !condition(); await Task.Delay(5))
        {
            Assert.True(DateTimeOffset.UtcNow < until, "It did not happen.");
        }
    }

    private async Task<List<int>> CountedAsync(string key)
    {
        List<int> counted = [];
        await foreach (var stored in new InMemoryEventStore(_log).ReadStreamAsync(Counter.Stream(key), 0, CancellationToken.None))
        {
            counted.Add(((Counted)Counter.Catalog().Decode(stored).Data).By);
        }

        return counted;
    }

    private CommitFault Count(Batch batch)
    {
        _commits.Enqueue(batch);
        return CommitFault.None;
    }

    private sealed class StepClock : IClock
    {
        public Instant Now { get; set; } = Given.Noon;

        public Instant GetCurrentInstant() => Now;
    }

    /// <summary>A store that can be out of reach, and that remembers what was read of it.</summary>
    private sealed class Away(InMemoryLog log) : IEventStore
    {
        private readonly InMemoryEventStore _inner = new(log);

        public volatile bool IsAway;

        /// <summary>What somebody beside us appends just before the next commit.</summary>
        public Batch? Foreign { get; set; }

        public ConcurrentQueue<string> Read { get; } = new();

        public ConcurrentQueue<long> ReadAfter { get; } = new();

        /// <summary>Of how many streams the versions were asked for, question by question.</summary>
        public ConcurrentQueue<int> Versions { get; } = new();

        /// <summary>Its leases do not hear that they are lost, and their end is reported as a failure.</summary>
        public bool IsDeaf { get; init; }

        /// <summary>What the reading of a range waits for.</summary>
        public TaskCompletionSource? Reading { get; set; }

        public async Task<Lease?> TryAcquireAsync(string holder, CancellationToken cancellationToken) =>
            IsAway ? throw new StoreUnavailableException("away")
            : await _inner.TryAcquireAsync(holder, cancellationToken) is { } lease ? (IsDeaf ? new DeafLease(lease) : lease)
            : null;

        public Task<string?> HolderAsync(CancellationToken cancellationToken) => _inner.HolderAsync(cancellationToken);

        public async Task<long> AppendAsync(Lease lease, Batch batch)
        {
            if (Foreign is { } foreign)
            {
                Foreign = null;
                await _inner.AppendAsync(lease, foreign);
            }

            return await _inner.AppendAsync((lease as DeafLease)?.Inner ?? lease, batch);
        }

        public IAsyncEnumerable<StoredEvent> ReadStreamAsync(StreamId stream, long afterVersion, CancellationToken cancellationToken)
        {
            Read.Enqueue(stream.Value);
            ReadAfter.Enqueue(afterVersion);
            return _inner.ReadStreamAsync(stream, afterVersion, cancellationToken);
        }

        public Task<IReadOnlyDictionary<StreamId, long>> FindVersionsAsync(IReadOnlyCollection<StreamId> streams, CancellationToken cancellationToken)
        {
            Versions.Enqueue(streams.Count);
            return _inner.FindVersionsAsync(streams, cancellationToken);
        }

        public IAsyncEnumerable<StoredEvent> ReadAllAsync(long afterPosition, CancellationToken cancellationToken) =>
            IsAway ? throw new StoreUnavailableException("away") : _inner.ReadAllAsync(afterPosition, cancellationToken);

        public async IAsyncEnumerable<StoredEvent> ReadRangeAsync(
            long afterPosition, long toPosition, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await (Reading?.Task ?? Task.CompletedTask);
            await foreach (var stored in IsAway ? throw new StoreUnavailableException("away") : _inner.ReadRangeAsync(afterPosition, toPosition, cancellationToken))
            {
                yield return stored;
            }
        }

        public Task<long> HeadAsync(CancellationToken cancellationToken) => _inner.HeadAsync(cancellationToken);

        public Task WaitBeyondAsync(long position, CancellationToken cancellationToken) => _inner.WaitBeyondAsync(position, cancellationToken);

        public Task<Snapshot?> LoadSnapshotAsync(StreamId stream, IFold fold, CancellationToken cancellationToken) => _inner.LoadSnapshotAsync(stream, fold, cancellationToken);

        public Task SaveSnapshotAsync(Snapshot snapshot, CancellationToken cancellationToken) => _inner.SaveSnapshotAsync(snapshot, cancellationToken);

        public Task<IReadOnlyDictionary<CommandKey, CommandRecord>> FindCommandsAsync(IReadOnlyCollection<CommandKey> keys, CancellationToken cancellationToken) => _inner.FindCommandsAsync(keys, cancellationToken);
    }
    private sealed class DeafLease(Lease inner) : Lease
    {
        public Lease Inner => inner;

        public override long Epoch => inner.Epoch;

        public override long Position => inner.Position;

        public override Instant At => inner.At;

        public override CancellationToken Lost => CancellationToken.None;

        public override void Abort() => inner.Abort();

        public override async ValueTask DisposeAsync()
        {
            await inner.DisposeAsync();
            throw new StoreUnavailableException("The session was gone already.");
        }
    }
}

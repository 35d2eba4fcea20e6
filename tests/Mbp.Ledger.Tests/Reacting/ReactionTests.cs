using Mbp.Ledger.Reacting;
using Mbp.Ledger.Tests.Writing;
using Mbp.Ledger.Writing;
using Xunit;

namespace Mbp.Ledger.Tests.Reacting;

/// <summary>Event in, command out: each at least once, and carried out once, whenever the process dies.</summary>
public sealed class ReactionTests : IAsyncDisposable
{
    private readonly InMemoryEventStore _ledger = new();
    private readonly MemorySubscriptions _store = new();
    private readonly Stage _stage;

    public ReactionTests() => _stage = new Stage(_ledger, _store);

    public ValueTask DisposeAsync() => _stage.DisposeAsync();

    [Fact]
    public async Task Every_event_is_answered_in_order_under_the_reactions_name_and_the_events_trace()
    {
        await _stage.ReadyAsync();
        var runner = _stage.Runner(Stage.Copy("a", "b"));
        _stage.Run(runner.RunAsync);
        for (var i = 1; i <= 20; i++)
        {
            await _stage.CountAsync("a", i);
        }

        await _stage.UntilAsync(() => runner.Position == 40);
        Assert.Equal(Enumerable.Range(1, 20), await _stage.CountedAsync("b"));
        var answer = (await _ledger.ReadStreamAsync(Counter.Stream("b"), 6, default).AllAsync())[0];
        Assert.Equal(("worker:reaction:copy-a-b", "trace-a-7"), (answer.Header("actor"), answer.CorrelationId));
    }

    [Theory]
    [InlineData("before submit")]
    [InlineData("after submit")]
    [InlineData("before advance")]
    [InlineData("after advance")]
    public async Task A_crash_anywhere_leaves_every_command_carried_out_once(string where)
    {
        await _stage.ReadyAsync();
        for (var i = 1; i <= 3; i++)
        {
            await _stage.CountAsync("a", i);
        }

        var (sent, submit) = (0, _stage.Submit);
        Stage.Process? first = null;
        using var begun = new ManualResetEventSlim();
        void CrashAt(string point)
        {
            begun.Wait();
            if (point == where && first is { } process)
            {
                first = null;
                process.Crash();
            }
        }

        _stage.Submit = async (operation, context, _) =>
        {
            // The second command: one is done, one is in hand, one is to come.
            var isSecond = ++sent == 2;
            if (isSecond)
            {
                CrashAt("before submit");
            }

            // A command that is on its way is carried out, whoever dies.
            var outcome = await submit(operation, context, default);
            if (isSecond)
            {
                CrashAt("after submit");
            }

            return outcome;
        };
        _store.Before = step => CrashAt($"before {step}");
        _store.After = step => CrashAt($"after {step}");
        first = _stage.Run(_stage.Runner(Stage.Copy("a", "b")).RunAsync);
        var crashing = first;
        begun.Set();
        await crashing.Work;
        Assert.Null(first);

        var second = _stage.Runner(Stage.Copy("a", "b"));
        _stage.Run(second.RunAsync);
        await _stage.CountAsync("a", 4);
        // Four, and their four answers.
        await _stage.UntilAsync(() => second.Position >= 8);
        Assert.Equal([1, 2, 3, 4], await _stage.CountedAsync("b"));
    }

    [Fact]
    public async Task A_refusal_is_an_answer()
    {
        await _stage.ReadyAsync();
        await _stage.CountAsync("b", 1_000);
        var refused = await _stage.CountAsync("a", 5);
        await _stage.CountAsync("a", 0);
        var last = await _stage.CountAsync("c", 1);
        var runner = _stage.Runner(Stage.Copy("a", "b"));
        _stage.Run(runner.RunAsync);
        await _stage.UntilAsync(() => runner.Position >= last);
        Assert.Equal([(refused, Counter.TooFar)], _stage.Refusals);
        Assert.Null(runner.Fault);
    }

    [Fact]
    public async Task What_passes_is_waited_out_at_the_same_event()
    {
        await _stage.ReadyAsync();
        var (submit, tries) = (_stage.Submit, 0);
        _stage.Submit = async (operation, context, cancellation) => ++tries switch
        {
            1 => throw new LedgerBusyException("full"),
            2 => throw new StoreUnavailableException("away"),
            3 => await submit(operation, context, cancellation) is null ? throw new InvalidOperationException() : throw new UnknownOutcomeException("too late"),
            _ => await submit(operation, context, cancellation),
        };
        await _stage.CountAsync("a", 1);
        await _stage.CountAsync("a", 2);
        _stage.Run(_stage.Runner(Stage.Copy("a", "b")).RunAsync);
        await _stage.UntilAsync(() => _store.At("mbp:reaction:copy-a-b") >= 2);
        Assert.Equal([1, 2], await _stage.CountedAsync("b"));
        Assert.Equal(5, tries);
        Assert.Equal(3, _stage.Reports.Count);
    }

    [Fact]
    public async Task Only_where_the_writer_is_anybody_reacts_and_a_lost_lease_means_to_begin_again_at_the_cursor()
    {
        await _stage.ReadyAsync();
        _stage.IsWriter = false;
        await _stage.CountAsync("a", 1);
        var runner = _stage.Runner(Stage.Copy("a", "b"));
        _stage.Run(runner.RunAsync);
        await _stage.UntilAsync(() => _stage.Time.Pending.Count > 0, timeGoesOn: false);
        Assert.Equal((-1, null), (runner.Position, _store.At("mbp:reaction:copy-a-b")));

        var (submit, isLost) = (_stage.Submit, true);
        _stage.Submit = (operation, context, cancellation) => !isLost ? submit(operation, context, cancellation) : Task.FromException<CommandOutcome>(new NotWriterException("there"));
        _stage.IsWriter = true;
        await _stage.UntilAsync(() => runner.Position == 0);
        // Another process was the writer for a while, and reacted to the first.
        Assert.True(await _store.AdvanceAsync("mbp:reaction:copy-a-b", 0, 1, [], default));
        await _stage.UntilAsync(() => runner.Position == 1);
        isLost = false;
        await _stage.CountAsync("a", 2);
        await _stage.UntilAsync(() => runner.Position >= 3);
        Assert.Equal([2], await _stage.CountedAsync("b"));
    }

    [Fact]
    public async Task A_reaction_that_fails_stops_alone_before_the_event_and_tries_again_on_restart()
    {
        await _stage.ReadyAsync();
        await _stage.CountAsync("a", 1);
        var bad = await _stage.CountAsync("a", 2);
        await _stage.CountAsync("a", 3);
        var isFixed = false;
        var copy = Stage.Copy("a", "b");
        var fragile = copy with { Name = "fragile", React = e => e.Position == bad && !isFixed ? throw new FormatException("no such thing") : copy.React(e) };
        var (stopped, other) = (_stage.Runner(fragile), _stage.Runner(Stage.Copy("a", "c")));
        _stage.Run(stopped.RunAsync, other.RunAsync);
        await _stage.UntilAsync(() => stopped.Fault is not null && other.Position >= 3);
        Assert.Equal($"The reaction 'fragile' stopped at counted, position {bad}: no such thing", stopped.Fault!.Message);
        Assert.Equal((bad - 1, bad - 1), (stopped.Position, _store.At("mbp:reaction:fragile")));
        Assert.Equal([("fragile", stopped.Fault)], _stage.Reports);
        await _stage.UntilAsync(() => _store.At("mbp:reaction:copy-a-c") >= 3);
        Assert.Equal([1, 2, 3], await _stage.CountedAsync("c"));

        isFixed = true;
        var again = _stage.Runner(fragile);
        _stage.Run(again.RunAsync);
        await _stage.UntilAsync(() => again.Position >= 3);
        Assert.Equal([1, 2, 3], await _stage.CountedAsync("b"));
    }

    [Fact]
    public async Task A_decision_that_fails_stops_it_too()
    {
        await _stage.ReadyAsync();
        var position = await _stage.CountAsync("a", 1);
        var runner = _stage.Runner(new Reaction("bug", e => Counter.Add("b", 1, () => throw new InvalidOperationException("a bug")), After: 0));
        _stage.Run(runner.RunAsync);
        await _stage.UntilAsync(() => runner.Fault is not null);
        Assert.Equal(("counted", position), (runner.Fault!.Type, runner.Fault.Position));
    }

    [Fact]
    public async Task A_foreign_event_stops_whoever_comes_to_it_and_a_new_reaction_begins_at_the_head()
    {
        var ledger = new InMemoryEventStore();
        await using (var lease = await ledger.TryAcquireAsync("somebody else", default))
        {
            await ledger.AppendAsync(lease!, new Batch(Given.Event(Given.Stream(), 1)));
        }

        await using var stage = new Stage(ledger, _store);
        await stage.ReadyAsync();
        await stage.UntilAsync(() => stage.Feed.Head == 1);
        var (stopped, fresh) = (stage.Runner(Stage.Copy("a", "b")), stage.Runner(Stage.Copy("a", "c", after: null)));
        stage.Run(stopped.RunAsync, fresh.RunAsync);
        await stage.UntilAsync(() => stopped.Fault is not null && fresh.Position == 1);
        Assert.Equal(("thing_happened", 1), (stopped.Fault!.Type, stopped.Fault.Position));
        await stage.CountAsync("a", 7);
        await stage.UntilAsync(() => fresh.Position >= 2);
        Assert.Null(fresh.Fault);
        Assert.Single(await ledger.ReadStreamAsync(Counter.Stream("c"), 0, default).AllAsync());
    }
}

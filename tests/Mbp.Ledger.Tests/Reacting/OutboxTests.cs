using System.Collections.Concurrent;
using System.Text;
using Mbp.Ledger.Reacting;
using Mbp.Ledger.Tests.Writing;
using Xunit;

namespace Mbp.Ledger.Tests.Reacting;

/// <summary>Messages to others: at least once and in order, each destination by itself.</summary>
public sealed class OutboxTests : IAsyncDisposable
{
    private readonly MemorySubscriptions _store = new();
    private readonly Stage _stage;

    public OutboxTests() => _stage = new Stage(new InMemoryEventStore(), _store);

    public ValueTask DisposeAsync() => _stage.DisposeAsync();

    [Theory]
    [InlineData("before advance")]
    [InlineData("after advance")]
    [InlineData("after send")]
    [InlineData("before delete")]
    [InlineData("after delete")]
    public async Task A_crash_anywhere_loses_no_message_and_what_comes_twice_has_the_same_id(string where)
    {
        await _stage.ReadyAsync();
        for (var i = 1; i <= 3; i++)
        {
            await _stage.CountAsync("a", i);
        }

        Stage.Process? first = null;
        using var begun = new ManualResetEventSlim();
        void CrashAt(string point)
        {
            begun.Wait();
            if (point == where && Interlocked.Exchange(ref first, null) is { } process)
            {
                process.Crash();
            }
        }

        _store.Before = step => CrashAt($"before {step}");
        _store.After = step => CrashAt($"after {step}");
        var inbox = new Inbox("x") { After = () => CrashAt("after send") };
        var crashing = first = Start(inbox);
        begun.Set();
        await crashing.Work;
        Assert.Null(first);

        Start(inbox);
        await _stage.CountAsync("a", 4);
        await _stage.UntilAsync(() => _store.At("mbp:outbox:tell") == 4 && _store.Waiting == 0);
        Assert.Equal(["1", "2", "3", "4"], inbox.Distinct);
        Assert.Equal(where is "after send" or "before delete" ? 5 : 4, inbox.Received.Count);
    }

    [Fact]
    public async Task A_command_made_of_a_message_takes_effect_once_though_the_process_dies_before_the_delete()
    {
        await _stage.ReadyAsync();
        await OutboxCommand.CheckAsync(_stage, crash => _store.Before = step =>
        {
            if (step == "delete")
            {
                crash();
            }
        });
    }

    [Fact]
    public async Task A_destination_that_fails_is_left_alone_longer_each_time_and_holds_nobody_up()
    {
        await _stage.ReadyAsync();
        var (isAway, down, up) = (true, new Inbox("down"), new Inbox("up"));
        down.Before = () => _ = isAway ? throw new IOException("refused") : true;
        var delivery = new OutboxDelivery([down, up], _store, () => true, _stage.Time, (name, e) => _stage.Reports.Enqueue((name, e)));
        var lane = delivery.Lanes.Single(lane => lane.Name == "down");
        var rules = new[] { down, up }.Select(inbox => new OutboxFiller(Rule(inbox.Name, $"tell-{inbox.Name}"), delivery, _stage.Context)).ToList();
        var process = _stage.Run([delivery.RunAsync, .. rules.Select<OutboxFiller, Func<CancellationToken, Task>>(rule => rule.RunAsync)]);
        await _stage.CountAsync("a", 1);
        await _stage.CountAsync("a", 2);
        await _stage.UntilAsync(() => up.Received.Count == 2 && lane.Failures > 0, timeGoesOn: false);

        int[] seconds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300];
        for (var i = 0; i < seconds.Length; i++)
        {
            // What it waits for is there, and until then nothing is tried.
            var pause = TimeSpan.FromSeconds(seconds[i]);
            await _stage.UntilAsync(() => lane.Failures == i + 1 && _stage.Time.Pending.Contains(pause), timeGoesOn: false);
            _stage.Time.Advance(pause - TimeSpan.FromTicks(1));
            Assert.Equal(i + 1, lane.Failures);
            isAway = i < seconds.Length - 1;
            _stage.Time.Advance(TimeSpan.FromTicks(1));
        }

        await _stage.UntilAsync(() => _store.Waiting == 0, timeGoesOn: false);
        Assert.Equal(0, lane.Failures);
        Assert.Equal(["1", "2"], down.Distinct);
        await process.EndAsync();
    }

    [Fact]
    public async Task A_message_to_nobody_stops_its_rule()
    {
        await _stage.ReadyAsync();
        var position = await _stage.CountAsync("a", 1);
        var filler = new OutboxFiller(Rule("nobody"), new OutboxDelivery([], _store, () => true, _stage.Time, (_, _) => { }), _stage.Context);
        _stage.Run(filler.RunAsync);
        await _stage.UntilAsync(() => filler.Fault is not null);
        Assert.Equal($"The outbox 'tell' stopped at counted, position {position}: There is no destination 'nobody'.", filler.Fault!.Message);
        Assert.Equal(0, _store.Waiting);
    }

    [Fact]
    public async Task What_another_process_left_behind_is_found_without_a_call()
    {
        await _stage.ReadyAsync();
        var inbox = new Inbox("x");
        var delivery = new OutboxDelivery([inbox], _store, () => true, _stage.Time, (_, _) => { });
        _stage.Run(delivery.RunAsync);
        await _stage.UntilAsync(() => _stage.Time.Pending.Contains(TimeSpan.FromSeconds(30)), timeGoesOn: false);
        await _store.CreateAsync("other", 0, default);
        await _store.AdvanceAsync("other", 0, 1, [new(1, new OutboxMessage(Guid.NewGuid(), "x", "left"u8.ToArray()))], default);
        _stage.Time.Advance(TimeSpan.FromSeconds(30));
        await _stage.UntilAsync(() => inbox.Received.Count == 1 && _store.Waiting == 0, timeGoesOn: false);
    }

    private Stage.Process Start(Inbox inbox)
    {
        var delivery = new OutboxDelivery([inbox], _store, () => true, _stage.Time, (name, e) => _stage.Reports.Enqueue((name, e)));
        var filler = new OutboxFiller(Rule(inbox.Name), delivery, _stage.Context);
        return _stage.Run(filler.RunAsync, delivery.RunAsync);
    }

    private static OutboxRule Rule(string destination, string name = "tell") => new(
        name, e => e.Data is Counted counted && e.Stream == Counter.Stream("a") ? new OutboxContent(destination, Encoding.UTF8.GetBytes($"{counted.By}")) : null, After: 0);

    private sealed class Inbox(string name) : IOutboxDestination
    {
        public string Name => name;

        public ConcurrentQueue<OutboxMessage> Received { get; } = new();

        public Action Before { get; set; } = () => { };

        public Action After { get; set; } = () => { };

        /// <summary>What a receiver makes of it that knows the ids it has seen.</summary>
        public IEnumerable<string> Distinct => Received.DistinctBy(message => message.Id).Select(message => message.Body.Text());

        public Task SendAsync(OutboxMessage message, CancellationToken cancellationToken)
        {
            Before();
            Received.Enqueue(message);
            After();
            return Task.CompletedTask;
        }
    }
}

using System.Collections.Concurrent;
using Mbp.Ledger.Reacting;
using Mbp.Ledger.Reading;
using Mbp.Ledger.Tests.Writing;
using Mbp.Ledger.Writing;
using NodaTime;
using Xunit;

namespace Mbp.Ledger.Tests.Reacting;

/// <summary>A ledger with its writer and feed, and processes that react on it: each is begun, and may end at any moment.</summary>
internal sealed class Stage : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly CancellationTokenSource _end = new();
    private readonly List<Task> _running = [];
    private readonly LedgerWriter _writer;

    public Stage(IEventStore ledger, ISubscriptionStore store)
    {
        Feed = new EventFeed(ledger, Counter.Catalog());
        _writer = new LedgerWriter(ledger, Counter.Catalog(), SystemClock.Instance, "here", new WriterOptions(), Feed.Committed, (e, _) => Reports.Enqueue(("writer", e)));
        Feed.IsFedHere = () => _writer.IsWriter;
        Submit = _writer.SubmitAsync;
        Context = new SubscriptionContext(Feed, store, ledger.HeadAsync, () => IsWriter && _writer.IsWriter, Time, (name, e) => Reports.Enqueue((name, e)));
        _running.Add(Feed.FollowAsync(_end.Token));
    }

    public ManualTime Time { get; } = new();

    public EventFeed Feed { get; }

    public SubscriptionContext Context { get; }

    public volatile bool IsWriter = true;

    public ConcurrentQueue<(string Name, Exception Error)> Reports { get; } = new();

    public ConcurrentQueue<(long Position, Rejection Rejection)> Refusals { get; } = new();

    /// <summary>How reactions reach the writer.</summary>
    public Func<Operation, CommandContext, CancellationToken, Task<CommandOutcome>> Submit { get; set; }

    public async Task ReadyAsync() => await UntilAsync(() => _writer.IsWriter);

    public async Task<long> CountAsync(string key, int by) =>
        (await _writer.SubmitAsync(Counter.Add(key, by), new CommandContext("test", $"trace-{key}-{by}"), CancellationToken.None)).Position;

    public Task<CommandOutcome> SendAsync(Operation operation, CommandContext context) => _writer.SubmitAsync(operation, context, CancellationToken.None);

    public ReactionRunner Runner(Reaction reaction) =>
        new(reaction, (operation, context, cancellation) => Submit(operation, context, cancellation), Context, (position, rejection) => Refusals.Enqueue((position, rejection)));

    /// <summary>Counts on one stream what is counted on another.</summary>
    public static Reaction Copy(string from, string to, long? after = 0) =>
        new($"copy-{from}-{to}", e => e.Data is Counted counted && e.Stream == Counter.Stream(from) ? Counter.Add(to, counted.By) : null, after);

    /// <summary>A process that runs these, until it crashes or is ended.</summary>
    public Process Run(params Func<CancellationToken, Task>[] parts)
    {
        var process = new Process(_end.Token);
        process.Work = Task.WhenAll(parts.Select(part => Task.Run(() => part(process.Token))));
        _running.Add(process.Work);
        return process;
    }

    /// <summary>What was counted on a stream, in order.</summary>
    public async Task<IReadOnlyList<int>> CountedAsync(string key)
    {
        var counted = new List<int>();
        var head = await Context.Head(CancellationToken.None);
        for (long at = 0; at < head;)
        {
            var events = await Feed.ReadAsync(at, 1_000, CancellationToken.None).AsTask().WaitAsync(Patience);
            counted.AddRange(events.Where(e => e.Stream == Counter.Stream(key)).Select(e => ((Counted)e.Data).By));
            at = events[^1].Position;
        }

        return counted;
    }

    /// <summary>Lets time go on until something is so.</summary>
    public async Task UntilAsync(Func<bool> condition, bool timeGoesOn = true)
    {
        for (var until = DateTime.UtcNow + Patience; !condition(); await Task.Delay(5))
        {
            Assert.True(DateTime.UtcNow < until, $"It did not come to that. {string.Join('\n', Reports)}");
            if (timeGoesOn)
            {
                Time.Advance(TimeSpan.FromMilliseconds(100));
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await Task.WhenAll(_running).WaitAsync(Patience);
        await _writer.DisposeAsync();
        _end.Dispose();
    }

    internal sealed class Process(CancellationToken end)
    {
        private readonly CancellationTokenSource _crash = CancellationTokenSource.CreateLinkedTokenSource(end);

        public CancellationToken Token => _crash.Token;

        public Task Work { get; set; } = Task.CompletedTask;

        /// <summary>Nothing after this point is carried out any more.</summary>
        public void Crash()
        {
            _crash.Cancel();
            throw new OperationCanceledException(_crash.Token);
        }

        public async Task EndAsync()
        {
            await _crash.CancelAsync();
            await Work.WaitAsync(Patience);
        }
    }
}

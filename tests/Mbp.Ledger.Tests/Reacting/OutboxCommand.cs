using System.Globalization;
using Mbp.Ledger.Reacting;
using Mbp.Ledger.Tests.Writing;
using Xunit;

namespace Mbp.Ledger.Tests.Reacting;

/// <summary>Event, outbox, command: the destination's command has the message's id for its key.</summary>
internal sealed class OutboxCommand(Stage stage) : IOutboxDestination
{
    private static readonly OutboxRule Rule = new(
        "ask", e => e.Data is Counted counted && e.Stream == Counter.Stream("a") ? new OutboxContent("counter", BitConverter.GetBytes(counted.By)) : null, After: 0);

    private int _sent;

    public string Name => "counter";

    public async Task SendAsync(OutboxMessage message, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _sent);
        var outcome = await stage.SendAsync(Counter.Add("b", BitConverter.ToInt32(message.Body.Span)), Deduplication.ForMessage(Name, message));
        Assert.Null(outcome.Rejection);
    }

    /// <summary>One process dies when the command was carried out and its message is not yet deleted; the next goes on.</summary>
    /// <param name="arrange">Is given what to call at the delete.</param>
    public static async Task CheckAsync(Stage stage, Action<Action> arrange)
    {
        var destination = new OutboxCommand(stage);
        Stage.Process? first = null;
        using var begun = new ManualResetEventSlim();
        arrange(() =>
        {
            begun.Wait();
            Interlocked.Exchange(ref first, null)?.Crash();
        });
        var crashing = first = Start();
        begun.Set();
        await stage.CountAsync("a", 5);
        await crashing.Work;
        Assert.Equal("5", string.Join(' ', (await stage.CountedAsync("b")).Select(by => by.ToString(CultureInfo.InvariantCulture))));

        Start();
        await stage.CountAsync("a", 6);
        await stage.UntilAsync(() => Volatile.Read(ref destination._sent) == 3);
        await stage.CountAsync("done", 1);
        Assert.Equal([5, 6], await stage.CountedAsync("b"));

        Stage.Process Start()
        {
            var delivery = new OutboxDelivery([destination], stage.Context.Store, () => true, stage.Time, (name, e) => stage.Reports.Enqueue((name, e)));
            return stage.Run(delivery.RunAsync, new OutboxFiller(Rule, delivery, stage.Context).RunAsync);
        }
    }
}

using System.Collections.Concurrent;

namespace Mbp.Ledger.Writing;

/// <summary>
/// A thread for the writer alone. When a batch is durable, hundreds of answers go to the thread pool at once; the writer's own next step must not
/// queue up behind them, or the database waits for the answers of the batch before.
/// </summary>
internal sealed class WriterThread : TaskScheduler, IDisposable
{
    private readonly BlockingCollection<Task> _tasks = [];
    private readonly Thread _thread;

    public WriterThread()
    {
        _thread = new Thread(Run) { IsBackground = true, Name = "ledger writer" };
        _thread.Start();
    }

    public override int MaximumConcurrencyLevel => 1;

    /// <summary>Ends the thread once all that was queued has run.</summary>
    public void Dispose() => _tasks.CompleteAdding();

    protected override void QueueTask(Task task) => _tasks.Add(task);

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) =>
        !taskWasPreviouslyQueued && Thread.CurrentThread == _thread && TryExecuteTask(task);

    protected override IEnumerable<Task> GetScheduledTasks() => _tasks;

    private void Run()
    {
        foreach (var task in _tasks.GetConsumingEnumerable())
        {
            TryExecuteTask(task);
        }

        _tasks.Dispose();
    }
}

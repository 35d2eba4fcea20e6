namespace Mbp.Ledger.Writing;

/// <summary>
/// A thread for the writer alone. When a batch is durable, hundreds of answers go to the thread pool at once; the writer's own next step must not
/// queue up behind them, or the database waits for the answers of the batch before.
/// </summary>
internal sealed class WriterThread : TaskScheduler, IDisposable
{
    // A plain monitor: what ships for this spins before it sleeps, and at a hundred commands a second that is most of what the thread would do.
    private readonly Queue<Task> _tasks = new();
    private readonly Thread _thread;
    private bool _ended;

    public WriterThread()
    {
        _thread = new Thread(Run) { IsBackground = true, Name = "ledger writer" };
        _thread.Start();
    }

    public override int MaximumConcurrencyLevel => 1;

    /// <summary>Ends the thread once all that was queued has run.</summary>
    public void Dispose()
    {
        lock (_tasks)
        {
            _ended = true;
            Monitor.Pulse(_tasks);
        }
    }

    protected override void QueueTask(Task task)
    {
        lock (_tasks)
        {
            _tasks.Enqueue(task);
            Monitor.Pulse(_tasks);
        }
    }

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) =>
        !taskWasPreviouslyQueued && Thread.CurrentThread == _thread && TryExecuteTask(task);

    protected override IEnumerable<Task> GetScheduledTasks()
    {
        lock (_tasks)
        {
            return [.. _tasks];
        }
    }

    private void Run()
    {
        while (Next() is { } task)
        {
            TryExecuteTask(task);
        }
    }

    private Task? Next()
    {
        lock (_tasks)
        {
            while (_tasks.Count == 0)
            {
                if (_ended)
                {
                    return null;
                }

                Monitor.Wait(_tasks);
            }

            return _tasks.Dequeue();
        }
    }
}

namespace Mbp.Simulation.Tests.Machine;

/// <summary>
/// A simulated process: the scheduler of everything that it does. A crash drops all of it for ever, whatever it was waiting for; a pause (a
/// long collection, a frozen machine) keeps it for later while the others go on.
/// </summary>
internal sealed class Process(World world, string name, int number) : TaskScheduler
{
    private List<Task>? _paused;

    public string Name => name;

    public int Number => number;

    public bool IsDead { get; private set; }

    /// <summary>When it was last allowed to run on after a pause.</summary>
    public long ResumedAt { get; private set; }

    public bool IsPaused => _paused is not null;

    public TimeProvider Time => field ??= new VirtualTime(world, this);

    /// <summary>Begins work in this process. What fails without being caught there is a bug of the simulation or of the product.</summary>
    public void Begin(Func<Task> work) => Task.Factory.StartNew(
        async () =>
        {
            try
            {
                await work();
            }
            catch (Exception e)
            {
                world.Violate($"{name} failed: {e}");
            }
        },
        CancellationToken.None,
        TaskCreationOptions.DenyChildAttach,
        this);

    /// <summary>To the tick, where Task.Delay rounds to milliseconds.</summary>
    public Task Delay(TimeSpan time)
    {
        var over = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _ = new VirtualTimer(world, over.SetResult, time);
        return over.Task;
    }

    public void Crash()
    {
        IsDead = true;
        _paused = null;
        world.Withdraw(this);
    }

    public void Pause(TimeSpan time)
    {
        if (IsDead || IsPaused)
        {
            return;
        }

        _paused = world.Withdraw(this);
        _ = new VirtualTimer(world, Resume, time);
    }

    private void Resume()
    {
        var tasks = _paused;
        (_paused, ResumedAt) = (null, world.Now);
        tasks?.ForEach(task => world.Enqueue(this, task));
    }

    public void Execute(Task task)
    {
        if (!IsDead)
        {
            TryExecuteTask(task);
        }
    }

    protected override void QueueTask(Task task)
    {
        if (IsDead)
        {
            return;
        }

        if (_paused is { } paused)
        {
            paused.Add(task);
        }
        else
        {
            world.Enqueue(this, task);
        }
    }

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) =>
        world.Inlines && !taskWasPreviouslyQueued && !IsDead && Current == this && TryExecuteTask(task);

    protected override IEnumerable<Task> GetScheduledTasks() => [];
}

using NodaTime;

namespace Mbp.Simulation.Tests.Machine;

/// <summary>
/// One thread, one random source, one clock. Everything that is ready to run lies in one list, and the seed says what runs next; when nothing
/// is ready, time jumps to the next timer. So a seed is a whole history, and the same seed is the same history again.
/// </summary>
internal sealed class World
{
    public static readonly Instant Start = Instant.FromUtc(2025, 9, 10, 12, 0);

    private readonly List<(Process Process, Task Task)> _ready = [];
    private readonly PriorityQueue<VirtualTimer.Alarm, (long Due, long Order)> _timers = new();
    private readonly int _thread = Environment.CurrentManagedThreadId;
    private readonly Order _order;
    private readonly double _drift;
    private readonly Dictionary<string, int> _counts = new(StringComparer.Ordinal);
    private long _timersSet;
    private string? _escape;

    public World(int seed, bool keepTrace)
    {
        Seed = seed;
        Random = new Random(seed);
        Trace = new Trace(keepTrace);
        (_order, _drift, Inlines) = ((Order)Random.Next(3), Random.Next(4) * 0.02, Random.Next(2) == 0);
    }

    /// <summary>Which of the ready tasks goes first.</summary>
    private enum Order
    {
        Any,
        MostlyOldest,
        MostlyNewest,
    }

    public int Seed { get; }

    public Random Random { get; }

    public Trace Trace { get; }

    /// <summary>Whether a continuation may run inside the task that completes what it waits for, as on the thread pool. Off: every await is a place where others may come first.</summary>
    public bool Inlines { get; }

    /// <summary>Virtual time since the start, in ticks of 100 ns.</summary>
    public long Now { get; private set; }

    public long Steps { get; private set; }

    /// <summary>The first rule that was broken; the run ends with it.</summary>
    public string? Violation { get; private set; }

    /// <summary>Asked before every step: the place where a crash can come at any await.</summary>
    public Action? BeforeStep { get; set; }

    public Instant Instant => Start.PlusTicks(Now);

    public void Violate(string what)
    {
        if (Violation is null)
        {
            Violation = what;
            Say("world", $"VIOLATION {what}");
        }
    }

    /// <summary>How often what happened.</summary>
    public IReadOnlyDictionary<string, int> Counts => _counts;

    public void Count(string what) => _counts[what] = _counts.GetValueOrDefault(what) + 1;

    public void Say(string who, string what) => Trace.Add(Now, who, what);

    public bool Chance(double probability) => probability > 0 && Random.NextDouble() < probability;

    public TimeSpan Between(TimeSpan least, TimeSpan most) => least + TimeSpan.FromTicks(Random.NextInt64(Math.Max(1, (most - least).Ticks)));

    /// <summary>Whoever calls must be in the simulation, and in the process that it claims to be.</summary>
    public void MustBeIn(Process process)
    {
        if (Environment.CurrentManagedThreadId != _thread || TaskScheduler.Current != process)
        {
            Volatile.Write(ref _escape, $"Code of {process.Name} ran outside of it, under {(TaskScheduler.Current as Process)?.Name ?? "the thread pool"}. {Environment.StackTrace}");
        }
    }

    public void Enqueue(Process process, Task task)
    {
        if (Environment.CurrentManagedThreadId != _thread)
        {
            // Not put into the list, nor said at once: that would be a race. The run ends anyway.
            Volatile.Write(ref _escape, $"A continuation of {process.Name} came from another thread. {Environment.StackTrace}");
            return;
        }

        _ready.Add((process, task));
    }

    /// <summary>What is ready in a process is taken out: it stands still, or it is dead.</summary>
    public List<Task> Withdraw(Process process)
    {
        var withdrawn = _ready.Where(ready => ready.Process == process).Select(ready => ready.Task).ToList();
        _ready.RemoveAll(ready => ready.Process == process);
        return withdrawn;
    }

    public void Set(VirtualTimer.Alarm alarm, long due) => _timers.Enqueue(alarm, (due, ++_timersSet));

    /// <summary>Runs until <paramref name="done"/>, a violation, or the bounds of patience.</summary>
    public void Run(Func<bool> done, long maxSteps)
    {
        while (Violation is null && !done())
        {
            if (Volatile.Read(ref _escape) is { } escape)
            {
                Violate(escape);
                return;
            }

            if (++Steps > maxSteps)
            {
                Violate($"Not finished after {maxSteps} steps.");
                return;
            }

            if (_ready.Count == 0 && !Advance())
            {
                Violate("Nothing is ready, no timer is set, and the work is not done.");
                return;
            }

            if (_drift > 0 && _ready.Count > 0 && Chance(_drift))
            {
                Drift();
            }

            BeforeStep?.Invoke();
            if (_ready.Count > 0)
            {
                var next = Pick();
                var (process, task) = _ready[next];
                _ready.RemoveAt(next);
                Trace.Mix(((ulong)_ready.Count << 32) ^ (uint)next ^ ((ulong)process.Number << 16));
                process.Execute(task);
            }
        }
    }

    private int Pick() => _order switch
    {
        _ when _ready.Count == 1 => 0,
        Order.MostlyOldest when Random.Next(5) > 0 => 0,
        Order.MostlyNewest when Random.Next(5) > 0 => _ready.Count - 1,
        _ => Random.Next(_ready.Count),
    };

    /// <summary>Nothing is ready: on to the next timer.</summary>
    private bool Advance()
    {
        while (_timers.TryDequeue(out var alarm, out var at))
        {
            if (!alarm.IsOff)
            {
                Now = Math.Max(Now, at.Due);
                alarm.Ring();
                return true;
            }
        }

        return false;
    }

    /// <summary>Work takes time: timers also fire while something is still ready.</summary>
    private void Drift()
    {
        Now += Random.Next(20_000);
        while (_timers.TryPeek(out var alarm, out var at) && at.Due <= Now)
        {
            _timers.Dequeue();
            if (!alarm.IsOff)
            {
                alarm.Ring();
            }
        }
    }
}

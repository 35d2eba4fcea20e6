using NodaTime;

namespace Mbp.Simulation.Tests.Machine;

/// <summary>The time of one process: its timers' callbacks run in it, and die with it.</summary>
internal sealed class VirtualTime(World world, Process process) : TimeProvider
{
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => world.Instant.ToDateTimeOffset();

    public override long GetTimestamp() => world.Now;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new VirtualTimer(world, Fire, dueTime, period);
        return timer;

        void Fire() => Task.Factory.StartNew(new Action<object?>(callback), state, CancellationToken.None, TaskCreationOptions.DenyChildAttach, process);
    }
}

internal sealed class VirtualTimer : ITimer
{
    private readonly World _world;
    private readonly Action _ring;
    private TimeSpan _period;
    private Alarm? _alarm;

    public VirtualTimer(World world, Action ring, TimeSpan dueTime, TimeSpan? period = null)
    {
        (_world, _ring) = (world, ring);
        Change(dueTime, period ?? Timeout.InfiniteTimeSpan);
    }

    public bool Change(TimeSpan dueTime, TimeSpan period)
    {
        _period = period;
        Set(dueTime);
        return true;
    }

    public void Dispose() => Set(Timeout.InfiniteTimeSpan);

    public ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }

    private void Set(TimeSpan dueTime)
    {
        _alarm?.TurnOff();
        _alarm = null;
        if (dueTime != Timeout.InfiniteTimeSpan)
        {
            _alarm = new Alarm(this);
            _world.Set(_alarm, _world.Now + dueTime.Ticks);
        }
    }

    private void Ring()
    {
        Set(_period > TimeSpan.Zero ? _period : Timeout.InfiniteTimeSpan);
        _ring();
    }

    /// <summary>One setting of a timer; changing the timer turns it off.</summary>
    internal sealed class Alarm(VirtualTimer timer)
    {
        public bool IsOff { get; private set; }

        public void TurnOff() => IsOff = true;

        public void Ring()
        {
            IsOff = true;
            timer.Ring();
        }
    }
}

/// <summary>A host's wall clock: virtual time, wrong by as much as somebody set it.</summary>
internal sealed class WallClock(World world) : IClock
{
    public Duration Wrong { get; set; }

    public Instant GetCurrentInstant() => world.Instant + Wrong;
}

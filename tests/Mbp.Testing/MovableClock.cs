using NodaTime;

namespace Mbp.Testing;

/// <summary>The real clock, set forward (or back) by a test: windows of hours pass at once, and time still goes on by itself.</summary>
public sealed class MovableClock : IClock
{
    private long _offsetTicks;

    public void Advance(Duration by) => Interlocked.Add(ref _offsetTicks, by.BclCompatibleTicks);

    public Instant GetCurrentInstant() => SystemClock.Instance.GetCurrentInstant().PlusTicks(Interlocked.Read(ref _offsetTicks));
}

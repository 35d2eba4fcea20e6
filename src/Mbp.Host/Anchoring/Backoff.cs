namespace Mbp.Host.Anchoring;

/// <summary>Waits that double from a second to a limit, each with some chance in it, so that what failed together is not tried together.</summary>
internal sealed class Backoff(TimeSpan most)
{
    private TimeSpan _next = TimeSpan.FromSeconds(1);

    public TimeSpan Next()
    {
        var wait = _next;
        _next = wait * 2 < most ? wait * 2 : most;
        return wait * (0.75 + (Random.Shared.NextDouble() / 2));
    }

    /// <summary>It went well: the next failure is a first one again.</summary>
    public TimeSpan Good(TimeSpan wait)
    {
        _next = TimeSpan.FromSeconds(1);
        return wait;
    }
}

namespace Mbp.Host.Streaming;

/// <summary>What followers over HTTP may cost. Not on the command line: only a test sets it.</summary>
/// <param name="Clients">How many at a time; the next is refused with <c>503 stream.full</c>.</param>
public sealed record StreamLimits(int Clients = 4_096)
{
    /// <summary>Silence never lasts longer: proxies cut connections on which nothing comes for half a minute.</summary>
    public TimeSpan Heartbeat { get; init; } = TimeSpan.FromSeconds(12);

    /// <summary>A client that takes nothing for so long is cut off. It comes back to where it was.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);
}

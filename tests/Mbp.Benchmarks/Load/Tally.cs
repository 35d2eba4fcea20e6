namespace Mbp.Benchmarks.Load;

/// <summary>What came of the requests of one stretch of time. Any number of connections count into it.</summary>
internal sealed class Tally
{
    private const int LargestStatus = 600;

    private readonly long[] _byStatus = new long[LargestStatus];
    private long _broken;
    private long _unsent;

    public LatencyHistogram Latency { get; } = new();

    public long Accepted => ByStatus(200);

    /// <summary>Refused by a rule of the market: an answer like any other, but no trade.</summary>
    public long Rejected => ByStatus(409) + ByStatus(422);

    /// <summary>Connections that broke under a request.</summary>
    public long Broken => Volatile.Read(ref _broken);

    /// <summary>Open loop: requests that were due and found no free connection before the end.</summary>
    public long Unsent => Volatile.Read(ref _unsent);

    /// <summary>Answers of 500 and above.</summary>
    public long ServerErrors => _byStatus.AsSpan(500).ToArray().Sum();

    /// <summary>Everything that is neither an accepted trade nor a refusal, by status; <c>broken</c> = no answer, <c>unsent</c> = never asked.</summary>
    public IReadOnlyDictionary<string, long> Errors
    {
        get
        {
            var errors = new SortedDictionary<string, long>(StringComparer.Ordinal);
            for (var status = 0; status < LargestStatus; status++)
            {
                if (status is not (200 or 409 or 422) && ByStatus(status) is > 0 and var count)
                {
                    errors[$"{status}"] = count;
                }
            }

            foreach (var (name, count) in new[] { ("broken", Broken), ("unsent", Unsent) })
            {
                if (count > 0)
                {
                    errors[name] = count;
                }
            }

            return errors;
        }
    }

    public void Answered(int status, TimeSpan latency)
    {
        Interlocked.Increment(ref _byStatus[status is > 0 and < LargestStatus ? status : 0]);
        Latency.Record(latency);
    }

    public void Broke() => Interlocked.Increment(ref _broken);

    /// <summary>It never got its turn. What it has waited is the least that its latency would have been, and leaving it out would flatter.</summary>
    public void NotSent(TimeSpan waited)
    {
        Interlocked.Increment(ref _unsent);
        Latency.Record(waited);
    }

    private long ByStatus(int status) => Volatile.Read(ref _byStatus[status]);
}

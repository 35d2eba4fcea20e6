using System.Collections.Concurrent;

namespace Mbp.Ledger.Writing;

/// <summary>
/// Ends the wait of callers whose deadline has passed. All wait equally long, so the oldest is always the first to go: one timer looks after
/// all of them, and a command costs a place in a queue instead of a timer of its own.
/// </summary>
internal sealed class Deadlines : IDisposable
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentQueue<Submission> _oldestFirst = new();
    private readonly Lock _oneAtATime = new();
    private readonly TimeSpan _deadline;
    private readonly TimeProvider _time;
    private readonly long _length;
    private readonly ITimer _timer;

    public Deadlines(TimeSpan deadline, TimeProvider time)
    {
        (_deadline, _time) = (deadline, time);
        _length = (long)(deadline.TotalSeconds * time.TimestampFrequency);
        _timer = time.CreateTimer(static deadlines => ((Deadlines)deadlines!).Look(), this, LookEvery, LookEvery);
    }

    /// <summary>The time stamp up to which a command that comes now is waited for.</summary>
    public long Next() => _time.GetTimestamp() + _length;

    public void Watch(Submission submission) => _oldestFirst.Enqueue(submission);

    /// <summary>Returns when everybody has an answer: those of repeated commands are read beside the writer's loop.</summary>
    public async Task AllAnsweredAsync()
    {
        foreach (var submission in _oldestFirst)
        {
            await ((Task)submission.Answer).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }
    }

    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        lock (_oneAtATime)
        {
            var now = _time.GetTimestamp();
            while (_oldestFirst.TryPeek(out var oldest) && (oldest.Answer.IsCompleted || oldest.Until <= now))
            {
                _oldestFirst.TryDequeue(out _);
                if (!oldest.Answer.IsCompleted)
                {
                    oldest.Expire(_deadline);
                }
            }
        }
    }
}

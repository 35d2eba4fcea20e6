using System.Threading.Tasks.Sources;

namespace Mbp.Ledger.Writing;

/// <summary>Wakes one waiter. A call that comes while nobody waits is kept for the next wait; several count as one.</summary>
internal sealed class WakeUp : IValueTaskSource
{
    private const int Quiet = 0;
    private const int Called = 1;
    private const int Waiting = 2;

    private ManualResetValueTaskSourceCore<bool> _source = new() { RunContinuationsAsynchronously = true };
    private int _state = Quiet;

    /// <summary>From any thread.</summary>
    public void Call()
    {
        if (Volatile.Read(ref _state) != Called && Interlocked.Exchange(ref _state, Called) == Waiting)
        {
            _source.SetResult(true);
        }
    }

    /// <summary>Returns after a call that came since the last wait ended. One waiter at a time.</summary>
    public ValueTask WaitAsync()
    {
        if (Interlocked.CompareExchange(ref _state, Quiet, Called) == Called)
        {
            return ValueTask.CompletedTask;
        }

        _source.Reset();
        if (Interlocked.CompareExchange(ref _state, Waiting, Quiet) == Quiet)
        {
            return new ValueTask(this, _source.Version);
        }

        // Called between the two looks.
        Interlocked.Exchange(ref _state, Quiet);
        return ValueTask.CompletedTask;
    }

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);

    void IValueTaskSource.GetResult(short token)
    {
        // What is called from here on is news; what was called before is looked at after this.
        Interlocked.Exchange(ref _state, Quiet);
        _source.GetResult(token);
    }
}

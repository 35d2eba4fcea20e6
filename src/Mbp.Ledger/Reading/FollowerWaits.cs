using System.Threading.Tasks.Sources;

namespace Mbp.Ledger.Reading;

/// <summary>
/// The followers that wait for the ledger to grow. A place to wait is used again and again, so a commit makes no garbage for those it wakes; they
/// go on as work of the thread pool, never on the thread that woke them.
/// </summary>
internal sealed class FollowerWaits
{
    private readonly Lock _gate = new();
    private readonly List<Wait> _waiting = [];
    private readonly Stack<Wait> _idle = [];

    /// <summary>A place from which the next growth is not missed, from now on.</summary>
    public Wait Enter()
    {
        lock (_gate)
        {
            var wait = _idle.TryPop(out var used) ? used : new Wait(this);
            _waiting.Add(wait);
            return wait;
        }
    }

    public void EndAll()
    {
        lock (_gate)
        {
            foreach (var wait in _waiting)
            {
                wait.Grown();
            }

            _waiting.Clear();
        }
    }

    private bool Leave(Wait wait)
    {
        lock (_gate)
        {
            return _waiting.Remove(wait);
        }
    }

    private void TakeBack(Wait wait)
    {
        lock (_gate)
        {
            _idle.Push(wait);
        }
    }

    internal sealed class Wait(FollowerWaits owner) : IValueTaskSource
    {
        private ManualResetValueTaskSourceCore<bool> _source = new() { RunContinuationsAsynchronously = true };
        private CancellationTokenRegistration _cancelled;

        /// <summary>To be awaited once; then the place is somebody else's.</summary>
        public ValueTask UntilGrownAsync(CancellationToken cancellationToken)
        {
            _cancelled = cancellationToken.UnsafeRegister(static (wait, token) => ((Wait)wait!).Cancel(token), this);
            return new ValueTask(this, _source.Version);
        }

        public void Grown() => _source.SetResult(true);

        ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _source.GetStatus(token);

        void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
            _source.OnCompleted(continuation, state, token, flags);

        void IValueTaskSource.GetResult(short token)
        {
            // Waits for a cancellation that is under way: it must not meet the next one who waits here.
            _cancelled.Dispose();
            try
            {
                _source.GetResult(token);
            }
            finally
            {
                _source.Reset();
                owner.TakeBack(this);
            }
        }

        // Whoever takes it off the list ends it: growth or cancellation, never both.
        private void Cancel(CancellationToken token)
        {
            if (owner.Leave(this))
            {
                _source.SetException(new OperationCanceledException(token));
            }
        }
    }
}

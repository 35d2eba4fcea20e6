using Mbp.Ledger;
using Mbp.Ledger.Reading;

namespace Mbp.Host.Platform;

/// <summary>Follows the ledger by the feed and keeps <see cref="Current"/> up to it.</summary>
internal sealed class LiveLedger(IEventStore store, EventFeed feed, ViewCheckpoint checkpoint, ILogger<LiveLedger> log) : BackgroundService
{
    private const int Page = 5_000;

    // What is shown, and what is folded: the same but for the first catch-up, of which nobody is to see half.
    private volatile LedgerView _current = LedgerView.Empty;
    private LedgerView _folded = LedgerView.Empty;
    private volatile Exception? _fault;
    private TaskCompletionSource _moved = NewSignal();

    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _caughtUp = NewSignal();

    public LedgerView Current => _current;

    /// <summary>The present view for a caller. A view that is still catching up at the start would show an old state as the present one.</summary>
    /// <exception cref="ReadBehindException">The first catch-up is under way.</exception>
    public LedgerView Present => CaughtUp.IsCompleted ? _current : throw new ReadBehindException(_folded.Position);

    /// <summary>Why the view stopped, if it did: an event that this build cannot read or fold. It is never skipped.</summary>
    public Exception? Fault => _fault;

    /// <summary>Fires once the view first reached the head that it found at its start.</summary>
    public Task CaughtUp => _caughtUp.Task;

    /// <summary>The position of the checkpoint that this run began from; 0 = from the first event.</summary>
    public long StartedAt { get; private set; }

    /// <summary>Returns the view once it is at <paramref name="position"/> or beyond.</summary>
    /// <exception cref="ReadBehindException">It was not in time.</exception>
    public async Task<LedgerView> AtLeastAsync(long position, TimeSpan patience, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(patience);
        while (true)
        {
            var moved = Volatile.Read(ref _moved);
            if (_current.Position >= position)
            {
                return _current;
            }

            try
            {
                await moved.Task.WaitAsync(timeout.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                throw new ReadBehindException(position, _current.Position);
            }
        }
    }

    /// <summary>Takes an event as it is stored now, its texts erased. False where the view does not show them.</summary>
    public bool Erase(Recorded erased)
    {
        lock (_gate)
        {
            var view = _folded.Erased(erased);
            if (ReferenceEquals(view, _folded))
            {
                return false;
            }

            Publish(view);
            return true;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var started = false;
        long? head = null;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (!started)
                {
                    _folded = await checkpoint.LoadAsync(stoppingToken).ConfigureAwait(false);
                    (started, StartedAt) = (true, _folded.Position);
                }

                head ??= await store.HeadAsync(stoppingToken).ConfigureAwait(false);
                if (_folded.Position >= head)
                {
                    ShowFromNowOn();
                }

                var events = await feed.ReadAsync(_folded.Position, Page, stoppingToken).ConfigureAwait(false);
                lock (_gate)
                {
                    Publish(_folded.Apply(events));
                }
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is UnknownEventTypeException or UnreadableEventException or InvalidOperationException)
            {
                // A ledger that does not fold is not something to read around: say so, stay where it was, and let an operator look.
                _fault = e;
                ShowFromNowOn();
                Log.FollowerStopped(log, e, _folded.Position);
                return;
            }
            catch (Exception e)
            {
                Log.WorkerTrouble(log, e, "the read models");
                await Task.Delay(TimeSpan.FromMilliseconds(500), stoppingToken).ConfigureAwait(false);
            }
        }
    }

    private void ShowFromNowOn()
    {
        if (!_caughtUp.Task.IsCompleted)
        {
            Show(_folded);
            _caughtUp.TrySetResult();
        }
    }

    private void Publish(LedgerView view)
    {
        _folded = view;
        if (_caughtUp.Task.IsCompleted)
        {
            Show(view);
        }
    }

    private void Show(LedgerView view)
    {
        _current = view;
        Interlocked.Exchange(ref _moved, NewSignal()).TrySetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>The read models did not reach the asked position in time.</summary>
public sealed class ReadBehindException : Exception
{
    public ReadBehindException(long asked, long present)
        : base($"The read models are at position {present}; {asked} was asked for and did not arrive in time.")
    {
        Field = "min_position";
    }

    public ReadBehindException(long present)
        : base($"The host has just started: its read models are at position {present} and not at the ledger's head yet. Commands are not affected.")
    {
    }

    /// <summary>The request's field that could not be met; null where nothing was asked that could.</summary>
    public string? Field { get; }
}

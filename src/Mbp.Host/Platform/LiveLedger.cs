using System.Threading.Channels;
using Mbp.Ledger;

namespace Mbp.Host.Platform;

/// <summary>
/// Follows the ledger and keeps <see cref="Current"/> up to it. The writer of this process hands over what it commits; what another process
/// commits is read from the database when it signals. Either way events arrive in order, and a gap is filled by reading.
/// </summary>
internal sealed class LiveLedger : BackgroundService
{
    private const int CatchUpPage = 5_000;

    // While commits are handed over, the database is still looked at now and then: for what somebody else appended.
    private static readonly TimeSpan SelfCheck = TimeSpan.FromSeconds(1);

    private readonly IEventStore _store;
    private readonly EventCatalog _catalog;
    private readonly ViewCheckpoint _checkpoint;
    private readonly ILogger<LiveLedger> _log;
    private readonly Channel<IReadOnlyList<Recorded>> _committed = Channel.CreateBounded<IReadOnlyList<Recorded>>(
        new BoundedChannelOptions(1_024) { SingleReader = true, FullMode = BoundedChannelFullMode.DropOldest });

    // What is shown, and what is folded: the same but for the first catch-up, of which nobody is to see half.
    private volatile LedgerView _current = LedgerView.Empty;
    private LedgerView _folded = LedgerView.Empty;
    private volatile Exception? _fault;
    private TaskCompletionSource _moved = NewSignal();

    public LiveLedger(IEventStore store, EventCatalog catalog, ViewCheckpoint checkpoint, ILogger<LiveLedger> log) =>
        (_store, _catalog, _checkpoint, _log) = (store, catalog, checkpoint, log);

    public LedgerView Current => _current;

    /// <summary>The present view for a caller. A view that is still catching up at the start would show an old state as the present one.</summary>
    /// <exception cref="ReadBehindException">The first catch-up is under way.</exception>
    public LedgerView Present => CaughtUp.IsCompleted ? _current : throw new ReadBehindException(_folded.Position);

    /// <summary>Whether this process is the writer: then commits are handed over, and asking the database for them would be waste.</summary>
    public Func<bool> IsFedHere { get; set; } = () => false;

    /// <summary>Why the view stopped, if it did: an event that this build cannot read or fold. It is never skipped.</summary>
    public Exception? Fault => _fault;

    /// <summary>Fires once the view first reached the head that it found at its start.</summary>
    public Task CaughtUp => _caughtUp.Task;

    /// <summary>The position of the checkpoint that this run began from; 0 = from the first event.</summary>
    public long StartedAt { get; private set; }

    private readonly TaskCompletionSource _caughtUp = NewSignal();

    /// <summary>Takes a commit of this process. Never waits: what does not fit is read from the database instead.</summary>
    public void Committed(IReadOnlyList<Recorded> events) => _committed.Writer.TryWrite(events);

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

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var started = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (!started)
                {
                    _folded = await _checkpoint.LoadAsync(stoppingToken).ConfigureAwait(false);
                    (started, StartedAt) = (true, _folded.Position);
                }

                await CatchUpAsync(stoppingToken).ConfigureAwait(false);
                ShowFromNowOn();
                await NextAsync(stoppingToken).ConfigureAwait(false);
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
                Log.FollowerStopped(_log, e, _folded.Position);
                return;
            }
            catch (Exception e)
            {
                Log.WorkerTrouble(_log, e, "the read models");
                await Task.Delay(TimeSpan.FromMilliseconds(500), stoppingToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Takes batches from this process as long as they follow on; returns when the database must be asked.</summary>
    private async Task NextAsync(CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var elsewhere = IsFedHere() ? Task.Delay(SelfCheck, stop.Token) : _store.WaitBeyondAsync(_folded.Position, stop.Token);
        try
        {
            while (true)
            {
                while (_committed.Reader.TryRead(out var batch))
                {
                    var fresh = batch.Count > 0 && batch[0].Position <= _folded.Position
                        ? [.. batch.Where(e => e.Position > _folded.Position)]
                        : batch;
                    if (fresh.Count == 0)
                    {
                        continue;
                    }

                    if (fresh[0].Position != _folded.Position + 1)
                    {
                        return;
                    }

                    Publish(_folded.Apply(fresh));
                }

                var here = _committed.Reader.WaitToReadAsync(cancellationToken).AsTask();
                if (await Task.WhenAny(here, elsewhere).ConfigureAwait(false) == elsewhere)
                {
                    await elsewhere.ConfigureAwait(false);
                    return;
                }

                // Else a wait that was cancelled would be asked for again and again, inside the very call that cancels the other one.
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await elsewhere.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default).ConfigureAwait(false);
        }
    }

    private async Task CatchUpAsync(CancellationToken cancellationToken)
    {
        // Pages end between commands, so that a reader never sees half of one.
        var page = new List<Recorded>(CatchUpPage);
        await foreach (var stored in _store.ReadAllAsync(_folded.Position, cancellationToken).ConfigureAwait(false))
        {
            if (page.Count >= CatchUpPage && page[^1].Stored.CausationId != stored.CausationId)
            {
                Publish(_folded.Apply(page));
                page.Clear();
            }

            page.Add(_catalog.Decode(stored));
        }

        if (page.Count > 0)
        {
            Publish(_folded.Apply(page));
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

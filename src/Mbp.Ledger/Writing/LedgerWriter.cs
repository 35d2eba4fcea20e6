using System.Threading.Channels;
using Mbp.Ledger.Merkle;
using NodaTime;

namespace Mbp.Ledger.Writing;

/// <summary>
/// The one writer of a ledger: takes commands from a bounded queue, decides them in order over states held in memory, and commits what
/// was decided together in one transaction (group commit). A caller is answered only after its batch is durable.
/// </summary>
/// <remarks>
/// docs/architecture.md, "The path of a command", has the picture. No await in this folder leaves the scheduler that it began on, and no time
/// is read but from <see cref="WriterOptions.Time"/>: that is what lets a simulation run this very code step by step, by a seed.
/// </remarks>
public sealed class LedgerWriter : IAsyncDisposable
{
    private readonly IEventStore _store;
    private readonly WriterOptions _options;
    private readonly string _holder;
    private readonly Action<Exception, string> _trouble;
    private readonly Channel<Submission> _queue;
    private readonly StateCache _states;
    private readonly BatchDecider _decider;
    private readonly BatchCommitter _committer;
    private readonly Deadlines _deadlines;
    private readonly LeafBatch.Builder[] _leaves = [new(), new()];
    private readonly CancellationTokenSource _stopping = new();
    private readonly WakeUp _wake = new();
    private readonly WriterThread? _thread;
    private readonly Task _loop;
    private Lease? _lease;
    private string? _otherHolder;
    private int _inHand;

    /// <param name="store">Where to.</param>
    /// <param name="catalog">The events' names.</param>
    /// <param name="clock">The one clock of the ledger: events are stamped max(now, last + 1 us).</param>
    /// <param name="holder">Where this process can be reached; others are told so when they do not hold the lease.</param>
    /// <param name="options">Bounds.</param>
    /// <param name="committed">Called in ledger order after each commit; the next commit waits for it, so it must be quick.</param>
    /// <param name="trouble">Told of every failure that the writer survives, with what it does about it.</param>
    /// <param name="signer">Signs each batch for its receipts; without one, answers carry none.</param>
    public LedgerWriter(
        IEventStore store,
        EventCatalog catalog,
        IClock clock,
        string holder,
        WriterOptions options,
        Action<IReadOnlyList<Recorded>> committed,
        Action<Exception, string> trouble,
        IBatchSigner? signer = null)
        : this(
            store, catalog, clock, holder, options,
            new StateCache(store, catalog, (options ?? throw new ArgumentNullException(nameof(options))).CachedStreams),
            new BatchCommitter(store, holder, options, committed, trouble, signer),
            trouble)
    {
    }

    internal LedgerWriter(
        IEventStore store,
        EventCatalog catalog,
        IClock clock,
        string holder,
        WriterOptions options,
        StateCache states,
        BatchCommitter committer,
        Action<Exception, string> trouble)
    {
        (_store, _holder, _options, _trouble, _states, _committer) = (store, holder, options, trouble, states, committer);
        _decider = new BatchDecider(store, catalog, clock, states, options, trouble);
        _deadlines = new Deadlines(options.Deadline, options.Time);
        _queue = Channel.CreateBounded<Submission>(new BoundedChannelOptions(options.QueueLength) { SingleReader = true });
        // Under a scheduler of somebody's own, a simulation's, everything stays on that.
        _thread = TaskScheduler.Current == TaskScheduler.Default ? new WriterThread() : null;
        _loop = Task.Factory.StartNew(RunAsync, CancellationToken.None, TaskCreationOptions.DenyChildAttach, _thread ?? TaskScheduler.Current).Unwrap();
    }

    /// <summary>True while this process holds the lease and takes commands.</summary>
    public bool IsWriter => Volatile.Read(ref _lease) is { } lease && !lease.Lost.IsCancellationRequested;

    /// <summary>Who else holds the lease, as far as is known.</summary>
    public string? OtherHolder => Volatile.Read(ref _otherHolder);

    /// <summary>The fencing epoch of the present lease; 0 without one.</summary>
    public long Epoch => Volatile.Read(ref _lease)?.Epoch ?? 0;

    public int QueueDepth => _queue.Reader.Count;

    /// <summary>Commands that nobody has answered yet: in the queue, decided, and being committed.</summary>
    public int Unanswered => QueueDepth + Volatile.Read(ref _inHand);

    /// <summary>How many commands may wait.</summary>
    public int QueueLength => _options.QueueLength;

    public int CachedStreams => _states.Count;

    /// <summary>Decides and commits one command.</summary>
    /// <param name="operation">What is asked.</param>
    /// <param name="context">By whom, and under which key.</param>
    /// <param name="cancellationToken">Fires when the caller has gone. A command that was looked at by then is carried out all the same.</param>
    /// <exception cref="LedgerBusyException">The queue is full or the deadline passed before the command was looked at; nothing was written.</exception>
    /// <exception cref="NotWriterException">Another process is the writer; nothing was written.</exception>
    /// <exception cref="UnknownOutcomeException">The deadline passed while it was being committed; ask again with the same key.</exception>
    public Task<CommandOutcome> SubmitAsync(Operation operation, CommandContext context, CancellationToken cancellationToken)
    {
        if (!IsWriter)
        {
            return Task.FromException<CommandOutcome>(new NotWriterException(OtherHolder));
        }

        var submission = new Submission(operation, context, _deadlines.Next(), cancellationToken);
        if (!_queue.Writer.TryWrite(submission))
        {
            return Task.FromException<CommandOutcome>(new LedgerBusyException(
                _stopping.IsCancellationRequested ? "The writer is shutting down." : $"{_options.QueueLength} commands are waiting already."));
        }

        _wake.Call();
        _deadlines.Watch(submission);
        return submission.Answer;
    }

    /// <summary>Has a stream's states folded again from the store: a text in them was erased there.</summary>
    public void Forget(StreamId stream)
    {
        _states.Forget(stream);
        _wake.Call();
    }

    /// <summary>Refuses new commands, commits those that wait, then gives the lease back.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested)
        {
            return;
        }

        _queue.Writer.TryComplete();
        _stopping.Cancel();
        _wake.Call();
        await _loop;
        await _deadlines.AllAnsweredAsync();
        _thread?.Dispose();
        _deadlines.Dispose();
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                if (await TryBecomeWriterAsync())
                {
                    await ServeAsync();
                }
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e)
            {
                // The loop outlives every failure of the store; what a failure leaves open is settled by the next lease.
                _trouble(e, "The writer drops its states and takes the lease anew.");
            }

            _states.Clear();
            await LeaveAsync();
            if (!_stopping.IsCancellationRequested)
            {
                await Task.Delay(_options.LeaseRetry, _options.Time, CancellationToken.None);
            }
        }

        await LeaveAsync();
        while (_queue.Reader.TryRead(out var left))
        {
            left.Fail(new LedgerBusyException("The writer has shut down; nothing was written."));
        }
    }

    private async Task<bool> TryBecomeWriterAsync()
    {
        var lease = await _store.TryAcquireAsync(_holder, _stopping.Token);
        if (lease is null)
        {
            Volatile.Write(ref _otherHolder, await _store.HolderAsync(_stopping.Token));
            return false;
        }

        _decider.StartAt(lease.At);
        Volatile.Write(ref _otherHolder, null);
        Volatile.Write(ref _lease, lease);
        return true;
    }

    /// <summary>Gives the lease back. Also called from a commit whose outcome is unknown, so it leaves the decider's states alone.</summary>
    private async Task LeaveAsync()
    {
        if (_lease is not { } lease)
        {
            return;
        }

        Volatile.Write(ref _lease, null);
        try
        {
            await lease.DisposeAsync();
        }
        catch (Exception e)
        {
            _trouble(e, "The lease could not be given back; the database drops it with the session.");
        }
    }

    /// <summary>
    /// Two batches are in hand: one is being committed while the next is decided on top of it, as its commands come in, so that it is ready when
    /// the commit returns. When a commit fails, so does what was built on it, and the lease is taken anew.
    /// </summary>
    private async Task ServeAsync()
    {
        var lease = _lease!;
        var taken = new List<Submission>(_options.BatchCommands);
        using var lost = lease.Lost.UnsafeRegister(static wake => ((WakeUp)wake!).Call(), _wake);
        var (pending, underWay, committing) = (Begin(lease, null), (PendingBatch?)null, Task.CompletedTask);
        try
        {
            while (!lease.Lost.IsCancellationRequested)
            {
                _states.LetGo();
                await TakeInAsync();
                Volatile.Write(ref _inHand, pending.Commands + (committing.IsCompleted ? 0 : underWay!.Commands));
                if (committing.IsCompleted)
                {
                    await committing;
                    if (_queue.Reader.Count > pending.Commands)
                    {
                        // More came in than is ready: that goes along, or the commit would be a small one and all of them wait for it.
                        await TakeInAsync();
                    }

                    if (pending.Commands > 0)
                    {
                        (underWay, pending) = (pending, Begin(lease, pending));
                        committing = CommitAsync(lease, underWay);
                        _ = CallWhenDoneAsync(committing);
                        _states.Trim();
                        continue;
                    }

                    if (_stopping.IsCancellationRequested && taken.Count == 0 && _queue.Reader.Count == 0)
                    {
                        return;
                    }
                }

                // More than one batch's worth may have come in with one call, and not all of it joins a batch: what was carried out before is answered aside.
                if (taken.Count > 0 || _queue.Reader.Count == 0 || pending.Commands >= _options.BatchCommands)
                {
                    await _wake.WaitAsync();
                }
            }

            await committing;
        }
        finally
        {
            await committing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);

            // Whatever went wrong above, nobody is left without an answer.
            var failure = new LedgerBusyException("What the command was decided on could not be committed; nothing of it was written. Try again.");
            pending.Fail(failure);
            taken.ForEach(submission => submission.Fail(failure));
        }

        async ValueTask TakeInAsync()
        {
            Drain(taken);
            if (taken.Count > 0 && pending.Commands < _options.BatchCommands)
            {
                await _decider.DecideAsync(taken, pending, underWay, lease.Lost);
            }
        }
    }

    private PendingBatch Begin(Lease lease, PendingBatch? before)
    {
        var number = _states.BeginBatch();
        return new PendingBatch(number, before?.LastPosition ?? lease.Position, LeavesFor(number), before);
    }

    private async Task CommitAsync(Lease lease, PendingBatch pending)
    {
        await _committer.CommitAsync(lease, pending, LeaveAsync);
        _states.Committed(pending.Number);
    }

    private async Task CallWhenDoneAsync(Task committing)
    {
        await committing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        _wake.Call();
    }

    // Two batches are in hand at a time, so two builders do for all of them.
    private LeafBatch.Builder LeavesFor(long batch)
    {
        var leaves = _leaves[batch % _leaves.Length];
        leaves.Clear();
        return leaves;
    }

    private void Drain(List<Submission> taken)
    {
        while (taken.Count < _options.BatchCommands && _queue.Reader.TryRead(out var submission))
        {
            if (submission.TryTake())
            {
                taken.Add(submission);
            }
        }
    }
}

using System.Text.Json;
using System.Threading.Channels;
using Mbp.Ledger.Json;
using NodaTime;

namespace Mbp.Ledger.Writing;

/// <summary>
/// The one writer of a ledger: takes commands from a bounded queue, decides them in order over states held in memory, and commits what
/// was decided together in one transaction (group commit). A caller is answered only after its batch is durable.
/// </summary>
/// <remarks>docs/architecture.md, "The path of a command", has the picture.</remarks>
public sealed class LedgerWriter : IAsyncDisposable
{
    private readonly IEventStore _store;
    private readonly EventCatalog _catalog;
    private readonly IClock _clock;
    private readonly WriterOptions _options;
    private readonly string _holder;
    private readonly Action<IReadOnlyList<Recorded>> _committed;
    private readonly Action<Exception, string> _trouble;
    private readonly Channel<Submission> _queue;
    private readonly StateCache _states;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _loop;
    private Lease? _lease;
    private string? _otherHolder;
    private long _head;
    private Instant _lastAt = Instant.MinValue;

    /// <param name="store">Where to.</param>
    /// <param name="catalog">The events' names.</param>
    /// <param name="clock">The one clock of the ledger: events are stamped max(now, last + 1 us).</param>
    /// <param name="holder">Where this process can be reached; others are told so when they do not hold the lease.</param>
    /// <param name="options">Bounds.</param>
    /// <param name="committed">Called in ledger order after each commit, in the writer's loop: must be quick.</param>
    /// <param name="trouble">Told of every failure that the writer survives, with what it does about it.</param>
    public LedgerWriter(
        IEventStore store,
        EventCatalog catalog,
        IClock clock,
        string holder,
        WriterOptions options,
        Action<IReadOnlyList<Recorded>> committed,
        Action<Exception, string> trouble)
    {
        ArgumentNullException.ThrowIfNull(options);
        (_store, _catalog, _clock, _holder, _options, _committed, _trouble) = (store, catalog, clock, holder, options, committed, trouble);
        _states = new StateCache(store, catalog, options.CachedStreams);
        _queue = Channel.CreateBounded<Submission>(new BoundedChannelOptions(options.QueueLength) { SingleReader = true });
        _loop = Task.Run(RunAsync);
    }

    /// <summary>True while this process holds the lease and takes commands.</summary>
    public bool IsWriter => Volatile.Read(ref _lease) is { } lease && !lease.Lost.IsCancellationRequested;

    /// <summary>Who else holds the lease, as far as is known.</summary>
    public string? OtherHolder => Volatile.Read(ref _otherHolder);

    /// <summary>The fencing epoch of the present lease; 0 without one.</summary>
    public long Epoch => Volatile.Read(ref _lease)?.Epoch ?? 0;

    public int QueueDepth => _queue.Reader.Count;

    public int CachedStreams => _states.Count;

    /// <summary>Decides and commits one command.</summary>
    /// <exception cref="LedgerBusyException">The queue is full or the deadline passed before the command was looked at; nothing was written.</exception>
    /// <exception cref="NotWriterException">Another process is the writer; nothing was written.</exception>
    /// <exception cref="UnknownOutcomeException">The deadline passed while it was being committed; ask again with the same key.</exception>
    public async Task<CommandOutcome> SubmitAsync(Operation operation, CommandContext context, CancellationToken cancellationToken)
    {
        if (!IsWriter)
        {
            throw new NotWriterException(OtherHolder);
        }

        var submission = new Submission(operation, context, DateTimeOffset.UtcNow + _options.Deadline);
        if (!_queue.Writer.TryWrite(submission))
        {
            throw new LedgerBusyException(
                _stopping.IsCancellationRequested ? "The writer is shutting down." : $"{_options.QueueLength} commands are waiting already.");
        }

        try
        {
            return await submission.Answer.WaitAsync(_options.Deadline, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            if (submission.Answer.IsCompleted)
            {
                // It came at the very moment that the wait ended.
                return await submission.Answer.ConfigureAwait(false);
            }

            throw submission.TryAbandon()
                ? new LedgerBusyException($"The command waited {_options.Deadline.TotalSeconds:0} s without being looked at; nothing was written.")
                : new UnknownOutcomeException("The command was being committed when the wait ended. Ask again with the same idempotency key.", e);
        }
    }

    /// <summary>Refuses new commands, commits those that wait, then gives the lease back.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested)
        {
            return;
        }

        _queue.Writer.TryComplete();
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        while (!_stopping.IsCancellationRequested || (_lease is not null && _queue.Reader.Count > 0))
        {
            try
            {
                if (await TryBecomeWriterAsync().ConfigureAwait(false))
                {
                    await ServeAsync().ConfigureAwait(false);
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

            await LeaveAsync().ConfigureAwait(false);
            await Task.Delay(_options.LeaseRetry, CancellationToken.None).ConfigureAwait(false);
        }

        await LeaveAsync().ConfigureAwait(false);
        while (_queue.Reader.TryRead(out var left))
        {
            left.Fail(new LedgerBusyException("The writer has shut down; nothing was written."));
        }
    }

    private async Task<bool> TryBecomeWriterAsync()
    {
        var lease = await _store.TryAcquireAsync(_holder, _stopping.Token).ConfigureAwait(false);
        if (lease is null)
        {
            Volatile.Write(ref _otherHolder, await _store.HolderAsync(_stopping.Token).ConfigureAwait(false));
            return false;
        }

        _head = lease.Position;
        _lastAt = Instant.Max(_lastAt, lease.At);
        Volatile.Write(ref _otherHolder, null);
        Volatile.Write(ref _lease, lease);
        return true;
    }

    private async Task LeaveAsync()
    {
        if (_lease is not { } lease)
        {
            return;
        }

        _states.Clear();
        Volatile.Write(ref _lease, null);
        try
        {
            await lease.DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            _trouble(e, "The lease could not be given back; the database drops it with the session.");
        }
    }

    private async Task ServeAsync()
    {
        var batch = new List<Submission>(_options.BatchCommands);
        using var wait = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token, _lease!.Lost);
        while (true)
        {
            if (_lease.Lost.IsCancellationRequested)
            {
                return;
            }

            try
            {
                if (!await _queue.Reader.WaitToReadAsync(wait.Token).ConfigureAwait(false))
                {
                    return;
                }
            }
            catch (OperationCanceledException) when (!_stopping.IsCancellationRequested)
            {
                // The lease is lost: what waits is carried out under the next one.
                return;
            }
            catch (OperationCanceledException) when (_queue.Reader.Count > 0)
            {
                // Shutting down: what was accepted into the queue is still carried out.
            }

            batch.Clear();
            while (batch.Count < _options.BatchCommands && _queue.Reader.TryRead(out var submission))
            {
                if (submission.TryTake())
                {
                    batch.Add(submission);
                }
            }

            try
            {
                await CarryOutAsync(batch).ConfigureAwait(false);
            }
            finally
            {
                // Whatever went wrong above, nobody is left without an answer.
                foreach (var submission in batch.Where(s => !s.Answer.IsCompleted && !s.IsHandedOver))
                {
                    submission.Fail(new LedgerBusyException("The writer failed before the command was committed; nothing was written. Try again."));
                }
            }
        }
    }

    private async Task CarryOutAsync(List<Submission> batch)
    {
        var keys = batch.Where(s => s.Context.Key is not null).Select(s => s.Context.Key!.Value).Distinct().ToList();
        var known = keys.Count == 0
            ? new Dictionary<CommandKey, CommandRecord>()
            : await _store.FindCommandsAsync(keys, CancellationToken.None).ConfigureAwait(false);
        var unreadable = await _states.LoadAsync(batch.SelectMany(s => s.Operation.Reads), CancellationToken.None).ConfigureAwait(false);

        var pending = new PendingBatch(_head);
        foreach (var submission in batch)
        {
            if (submission.Context.Key is { } key && known.TryGetValue(key, out var record))
            {
                Replay(submission, record);
            }
            else if (unreadable.Count > 0 && submission.Operation.Reads.FirstOrDefault(unreadable.ContainsKey) is { Fold: not null } reference)
            {
                _trouble(unreadable[reference], $"Commands on {reference.Stream} fail until a build that can read it runs; all others go on.");
                submission.Fail(unreadable[reference]);
            }
            else if (!pending.TryJoin(submission))
            {
                DecideOne(submission, pending);
            }
        }

        await CommitAsync(pending).ConfigureAwait(false);
        _states.Trim();
    }

    private void DecideOne(Submission submission, PendingBatch pending)
    {
        var at = NextInstant();
        try
        {
            var decision = submission.Operation.Decide(_states, at);
            if (decision.Rejection is { } rejection)
            {
                pending.Reject(submission, rejection);
                return;
            }

            var events = decision.Events;
            var headers = JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, string> { ["actor"] = submission.Context.Actor }, LedgerJson.Options);
            var versions = events.Select(e => e.Stream).Distinct().ToDictionary(s => s, _states.VersionOf);
            var created = new List<(NewEvent New, object Body)>(events.Length);
            foreach (var (stream, body) in events)
            {
                created.Add((
                    new NewEvent(
                        Guid.CreateVersion7(), stream, ++versions[stream], _catalog.Encode(body), at,
                        submission.Context.CorrelationId, submission.CommandId.ToString("N"), headers),
                    body));
            }

            var snapshots = _states.Apply(events);
            pending.Accept(submission, created, snapshots, at);
        }
        catch (Exception e)
        {
            // A bug in a decision hurts its own caller; the rest of the batch goes on, since states move only with a whole command.
            _trouble(e, "One command failed; its caller is told.");
            submission.Fail(e);
        }
    }

    private async Task CommitAsync(PendingBatch pending)
    {
        if (pending.IsEmpty)
        {
            pending.Complete(_head);
            return;
        }

        try
        {
            var position = await _store.AppendAsync(_lease!, pending.ToBatch()).ConfigureAwait(false);
            Publish(pending, position);
        }
        catch (UnknownOutcomeException e)
        {
            _trouble(e, "The writer asks the ledger whether the batch is there.");
            await SettleUnknownAsync(pending).ConfigureAwait(false);
            throw;
        }
        catch (StoreUnavailableException e)
        {
            pending.Fail(new LedgerBusyException($"The database cannot take it now; nothing was written. Try again. ({e.Message})"));
            throw;
        }
        catch (FencedException)
        {
            pending.Fail(new NotWriterException(OtherHolder));
            throw;
        }
        catch (ConcurrencyException e)
        {
            pending.Fail(new LedgerBusyException($"Somebody else appended to the ledger; nothing of this command was written. Try again. ({e.Message})"));
            throw;
        }
    }

    /// <summary>
    /// The commit was sent and no answer came. A new lease fences off the old connection, so after it the batch is either there for good or
    /// never will be; its last event's id tells which.
    /// </summary>
    private async Task SettleUnknownAsync(PendingBatch pending)
    {
        await LeaveAsync().ConfigureAwait(false);
        for (var patience = DateTimeOffset.UtcNow + _options.Deadline; DateTimeOffset.UtcNow < patience;)
        {
            try
            {
                await using var lease = await _store.TryAcquireAsync(_holder, CancellationToken.None).ConfigureAwait(false);
                if (await IsThereAsync(pending).ConfigureAwait(false))
                {
                    Publish(pending, pending.LastPosition);
                    return;
                }

                if (lease is not null)
                {
                    pending.Fail(new LedgerBusyException("The commit was lost; nothing was written. Try again."));
                    return;
                }
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                _trouble(e, "The database cannot be asked yet; the writer goes on trying.");
            }

            await Task.Delay(_options.LeaseRetry, CancellationToken.None).ConfigureAwait(false);
        }

        pending.Fail(new UnknownOutcomeException("The database went away during the commit. Ask again with the same idempotency key."));
    }

    private async Task<bool> IsThereAsync(PendingBatch pending)
    {
        if (pending.LastEventId is not { } id)
        {
            return false;
        }

        await foreach (var stored in _store.ReadRangeAsync(pending.LastPosition - 1, pending.LastPosition, CancellationToken.None).ConfigureAwait(false))
        {
            return stored.Id == id;
        }

        return false;
    }

    private void Publish(PendingBatch pending, long position)
    {
        _head = position;
        var recorded = pending.Complete(position);
        _committed(recorded);
        foreach (var snapshot in pending.Snapshots)
        {
            _ = Task.Run(() => SaveAsync(snapshot));
        }
    }

    private async Task SaveAsync(DueSnapshot snapshot)
    {
        try
        {
            await _store.SaveSnapshotAsync(snapshot.Save(), CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // A snapshot only saves time later; the events are the truth.
            _trouble(e, "A snapshot was not saved; the next one will be.");
        }
    }

    private void Replay(Submission submission, CommandRecord record)
    {
        if (!record.Hash.Span.SequenceEqual(submission.Context.Hash.Span))
        {
            submission.Complete(new CommandOutcome(LedgerErrors.KeyMismatch, _head, []));
            return;
        }

        submission.IsHandedOver = true;
        _ = ReadAsync();

        // Reading is I/O and holds up nobody else.
        async Task ReadAsync()
        {
            try
            {
                var events = new List<Recorded>(record.EventCount);
                if (record.EventCount > 0)
                {
                    await foreach (var stored in _store
                        .ReadRangeAsync(record.LastPosition - record.EventCount, record.LastPosition, CancellationToken.None).ConfigureAwait(false))
                    {
                        events.Add(_catalog.Decode(stored));
                    }
                }

                submission.Complete(new CommandOutcome(null, record.LastPosition, events, Replayed: true));
            }
            catch (Exception e)
            {
                submission.Fail(e);
            }
        }
    }

    private Instant NextInstant()
    {
        var now = _clock.GetCurrentInstant();
        var micros = Instant.FromUnixTimeTicks(now.ToUnixTimeTicks() / 10 * 10);
        return _lastAt = micros > _lastAt ? micros : _lastAt.PlusTicks(10);
    }
}

namespace Mbp.Ledger.Writing;

/// <summary>Commits one batch at a time and tells the truth about it: durable, not written, or (after all patience) unknown.</summary>
internal class BatchCommitter(
    IEventStore store, string holder, WriterOptions options, Action<IReadOnlyList<Recorded>> committed, Action<Exception, string> trouble, IBatchSigner? signer = null)
{
    // Where the writer was made, which is not where it runs: what can wait is not to hold it up.
    private readonly TaskScheduler _beside = TaskScheduler.Current;

    /// <returns>When everybody in the batch has an answer.</returns>
    /// <exception cref="Exception">The batch is not in the ledger, or its lease had to be given up: everything built on it falls with it.</exception>
    public virtual async Task CommitAsync(Lease lease, PendingBatch pending, Func<Task> leave)
    {
        if (pending.IsEmpty)
        {
            pending.Complete(pending.Record(pending.LastPosition));
            return;
        }

        long position;
        BatchReceipts? receipts = null;
        try
        {
            // The callers' patience ends with the deadline. A connection that hangs is cut then, and the ledger itself is asked.
            using var patience = options.Time.CreateTimer(static lease => ((Lease)lease!).Abort(), lease, options.Deadline, Timeout.InfiniteTimeSpan);
            var appending = store.AppendAsync(lease, pending.ToBatch());
            // While the database works. If the commit fails, nobody ever sees the signature.
            receipts = Sign(pending);
            position = await appending;
        }
        catch (Exception e) when (e is not (StoreUnavailableException or FencedException or ConcurrencyException or ArgumentException))
        {
            // An unknown outcome, or a failure that nobody foresaw, which is one too.
            trouble(e, "The writer asks the ledger whether the batch is there.");
            await leave();
            await SettleUnknownAsync(pending, receipts);
            throw;
        }
        catch (StoreUnavailableException e)
        {
            pending.Fail(new LedgerBusyException($"The database cannot take it now; nothing was written. Try again. ({e.Message})"));
            throw;
        }
        catch (FencedException)
        {
            pending.Fail(new NotWriterException(holder: null));
            throw;
        }
        catch (ConcurrencyException e)
        {
            pending.Fail(new LedgerBusyException($"Somebody else appended to the ledger; nothing of this command was written. Try again. ({e.Message})"));
            throw;
        }
        catch (ArgumentException e)
        {
            pending.Fail(e);
            throw;
        }

        Publish(pending, position, receipts);
    }

    /// <summary>
    /// The commit was sent and no answer came. A new lease fences off the old connection, so after it the batch is either there for good or
    /// never will be; its last event's id (or, without events, its keys) tells which.
    /// </summary>
    private async Task SettleUnknownAsync(PendingBatch pending, BatchReceipts? receipts)
    {
        for (var patience = options.Time.GetUtcNow() + options.Deadline; options.Time.GetUtcNow() < patience;)
        {
            bool? isThere = null;
            try
            {
                await using var lease = await store.TryAcquireAsync(holder, CancellationToken.None);
                isThere = await IsThereAsync(pending) ? true : lease is null ? null : false;
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                trouble(e, "The database cannot be asked yet; the writer goes on trying.");
            }

            // Once it is known it stays so, even if the lease could not be given back: what is published is published once.
            switch (isThere)
            {
                case true:
                    Publish(pending, pending.LastPosition, receipts);
                    return;
                case false:
                    pending.Fail(new LedgerBusyException("The commit was lost; nothing was written. Try again."));
                    return;
                default:
                    break;
            }

            await Task.Delay(options.LeaseRetry, options.Time, CancellationToken.None);
        }

        pending.Fail(new UnknownOutcomeException("The database went away during the commit. Ask again with the same idempotency key."));
    }

    private async Task<bool> IsThereAsync(PendingBatch pending)
    {
        if (pending.LastEventId is not { } id)
        {
            // Nothing but "already so": its keys tell, written by this very decision.
            var commands = pending.Keyed;
            var known = await store.FindCommandsAsync([.. commands.Select(command => command.Key)], CancellationToken.None);
            return commands.All(command =>
                known.TryGetValue(command.Key, out var record) && (record.LastPosition, record.EventCount, record.At) == (pending.LastPosition, 0, command.At));
        }

        await foreach (var stored in store.ReadRangeAsync(pending.LastPosition - 1, pending.LastPosition, CancellationToken.None))
        {
            return stored.Id == id;
        }

        return false;
    }

    private void Publish(PendingBatch pending, long position, BatchReceipts? receipts)
    {
        // Read models first: whoever is answered may read at once.
        var recorded = pending.Record(position);
        try
        {
            committed(recorded);
        }
        catch (Exception e)
        {
            // They can read it from the ledger; the callers' answers cannot wait for that.
            trouble(e, "The read models did not take a commit over.");
        }

        pending.Complete(recorded, receipts);
        foreach (var snapshot in pending.Snapshots)
        {
            _ = Task.Factory.StartNew(() => SaveAsync(snapshot), CancellationToken.None, TaskCreationOptions.DenyChildAttach, _beside);
        }
    }

    private BatchReceipts? Sign(PendingBatch pending)
    {
        try
        {
            return pending.Sign(signer);
        }
        catch (Exception e)
        {
            // That the events become durable is what was asked. A caller without a receipt can still have a proof from the log.
            trouble(e, "A batch was answered without receipts.");
            return null;
        }
    }

    private async Task SaveAsync(DueSnapshot snapshot)
    {
        try
        {
            await store.SaveSnapshotAsync(snapshot.Save(), CancellationToken.None);
        }
        catch (Exception e)
        {
            // A snapshot only saves time later; the events are the truth.
            trouble(e, "A snapshot was not saved; the next one will be.");
        }
    }
}

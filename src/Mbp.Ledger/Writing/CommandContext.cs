namespace Mbp.Ledger.Writing;

/// <summary>Who asks, and what goes with the events that come of it.</summary>
/// <param name="Actor">Pseudonymous id of who acts: an account, an operator, or a worker.</param>
/// <param name="CorrelationId">The trace that the command belongs to.</param>
/// <param name="Key">The idempotency key, if the caller gave one: the same key is never carried out twice.</param>
/// <param name="Hash">SHA-256 of what is asked; needed with a key.</param>
public sealed record CommandContext(string Actor, string CorrelationId, CommandKey? Key = null, ReadOnlyMemory<byte> Hash = default)
{
    /// <summary>For a worker of the host: no key, since its decisions are "already so" when repeated.</summary>
    public static CommandContext ForWorker(string name, string? correlationId = null) => new($"worker:{name}", correlationId ?? Guid.CreateVersion7().ToString("N"));
}

/// <summary>What became of a command.</summary>
/// <param name="Rejection">Why not; null = accepted.</param>
/// <param name="Position">The position of its last event: a read that has seen it has seen all of the command. For "already so", where it was decided.</param>
/// <param name="Events">What it caused, in order; empty for "already so".</param>
/// <param name="Replayed">It was carried out earlier under the same idempotency key; this is that answer.</param>
/// <param name="Receipt">The signed proof that the events were taken into the log, where the writer has a signer. A replayed answer has none.</param>
public sealed record CommandOutcome(Rejection? Rejection, long Position, IReadOnlyList<Recorded> Events, bool Replayed = false, Receipt? Receipt = null)
{
    /// <summary>The one event of a type that the command caused.</summary>
    public TEvent? Find<TEvent>()
        where TEvent : class
    {
        for (var i = 0; i < Events.Count; i++)
        {
            if (Events[i].Data is TEvent found)
            {
                return found;
            }
        }

        return null;
    }
}

/// <summary>The writer's queue is full, or the command waited past its deadline before it was looked at. Nothing was written.</summary>
public sealed class LedgerBusyException(string message) : Exception(message);

/// <summary>This process does not hold the writer's lease.</summary>
public sealed class NotWriterException(string? holder) : Exception(
    holder is null ? "No process holds the writer's lease at the moment." : $"The writer is another process: {holder}.")
{
    public string? Holder { get; } = holder;
}

/// <summary>The bounds of the write path.</summary>
public sealed record WriterOptions
{
    /// <summary>Commands that may wait; one more is refused at once.</summary>
    public int QueueLength { get; init; } = 4_096;

    /// <summary>Commands decided and committed together.</summary>
    public int BatchCommands { get; init; } = 512;

    /// <summary>Encoded bytes after which a batch is closed.</summary>
    public int BatchBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>Streams whose folded states stay in memory; the least recently used go first.</summary>
    public int CachedStreams { get; init; } = 20_000;

    /// <summary>How long a caller waits for an answer.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How often a process without the lease tries to take it.</summary>
    public TimeSpan LeaseRetry { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>What deadlines and pauses are measured by. Ledger time comes from the writer's clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}

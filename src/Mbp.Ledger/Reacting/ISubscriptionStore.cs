namespace Mbp.Ledger.Reacting;

/// <summary>Where the cursors of those who react are kept, and the messages on their way out.</summary>
public interface ISubscriptionStore
{
    /// <summary>Where a cursor is; null where there is none yet.</summary>
    Task<long?> FindAsync(string cursor, CancellationToken cancellationToken);

    /// <summary>Makes a cursor, unless there is one.</summary>
    Task CreateAsync(string cursor, long position, CancellationToken cancellationToken);

    /// <summary>Moves a cursor and puts messages into the outbox: both or neither. A message that is there already stays as it is.</summary>
    /// <returns>False: the cursor is not at <paramref name="from"/>, so another process moved it, and nothing was written.</returns>
    Task<bool> AdvanceAsync(string cursor, long from, long to, IReadOnlyList<PlacedMessage> messages, CancellationToken cancellationToken);

    /// <summary>The oldest messages to a destination, in order.</summary>
    Task<IReadOnlyList<OutboxMessage>> WaitingAsync(string destination, int most, CancellationToken cancellationToken);

    /// <summary>Removes a message that has arrived.</summary>
    Task DeleteAsync(Guid message, CancellationToken cancellationToken);
}

/// <summary>A message with the position of the event that it tells of.</summary>
public readonly record struct PlacedMessage(long Position, OutboxMessage Message);

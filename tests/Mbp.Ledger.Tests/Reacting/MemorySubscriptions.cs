using Mbp.Ledger.Reacting;

namespace Mbp.Ledger.Tests.Reacting;

/// <summary>Cursors and messages in memory, with an accident before any step that a test names.</summary>
internal sealed class MemorySubscriptions : ISubscriptionStore
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<(long Position, Guid Id), OutboxMessage> _outbox = [];

    public Dictionary<string, long> Cursors { get; } = new(StringComparer.Ordinal);

    /// <summary>Throws, or waits, before a step: <c>find</c>, <c>advance</c>, <c>waiting</c>, <c>delete</c>.</summary>
    public Action<string> Before { get; set; } = _ => { };

    /// <summary>The same when a step was done, and its answer is on the way.</summary>
    public Action<string> After { get; set; } = _ => { };

    public int Waiting
    {
        get
        {
            lock (_gate)
            {
                return _outbox.Count;
            }
        }
    }

    public long? At(string cursor)
    {
        lock (_gate)
        {
            return Cursors.TryGetValue(cursor, out var position) ? position : null;
        }
    }

    public async Task<long?> FindAsync(string cursor, CancellationToken cancellationToken)
    {
        await Task.Yield();
        Before("find");
        return At(cursor);
    }

    public Task CreateAsync(string cursor, long position, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            Cursors.TryAdd(cursor, position);
        }

        return Task.CompletedTask;
    }

    public async Task<bool> AdvanceAsync(string cursor, long from, long to, IReadOnlyList<PlacedMessage> messages, CancellationToken cancellationToken)
    {
        await Task.Yield();
        Before("advance");
        lock (_gate)
        {
            if (Cursors[cursor] != from)
            {
                return false;
            }

            Cursors[cursor] = to;
            foreach (var (position, message) in messages)
            {
                _outbox.TryAdd((position, message.Id), message);
            }
        }

        After("advance");
        return true;
    }

    public async Task<IReadOnlyList<OutboxMessage>> WaitingAsync(string destination, int most, CancellationToken cancellationToken)
    {
        await Task.Yield();
        Before("waiting");
        lock (_gate)
        {
            return [.. _outbox.Values.Where(message => message.Destination == destination).Take(most)];
        }
    }

    public async Task DeleteAsync(Guid message, CancellationToken cancellationToken)
    {
        await Task.Yield();
        Before("delete");
        lock (_gate)
        {
            _outbox.Remove(_outbox.First(pair => pair.Key.Id == message).Key);
        }

        After("delete");
    }
}

using System.Runtime.CompilerServices;

namespace Mbp.Ledger.Tests.Reading;

/// <summary>A ledger that a test writes event by event, with any positions, and takes away when it likes.</summary>
internal sealed class ListStore : IEventStore
{
    private readonly Lock _gate = new();
    private readonly List<StoredEvent> _events = [];
    private TaskCompletionSource _grown = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _reads;
    private int _looks;

    /// <summary>How often it was asked for events.</summary>
    public int Reads => Volatile.Read(ref _reads);

    /// <summary>How often it was asked for its head.</summary>
    public int Looks => Volatile.Read(ref _looks);

    public volatile bool IsAway;

    public void Add(params IEnumerable<StoredEvent> events)
    {
        lock (_gate)
        {
            _events.AddRange(events);
            _grown.SetResult();
            _grown = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    public Task<long> HeadAsync(CancellationToken cancellationToken)
    {
        MustBeThere();
        lock (_gate)
        {
            _looks++;
            return Task.FromResult(_events.Count == 0 ? 0 : _events[^1].Position);
        }
    }

    public async IAsyncEnumerable<StoredEvent> ReadRangeAsync(
        long afterPosition, long lastPosition, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _reads);
        await Task.Yield();
        List<StoredEvent> range;
        lock (_gate)
        {
            range = _events.FindAll(e => e.Position > afterPosition && e.Position <= lastPosition);
        }

        foreach (var stored in range)
        {
            cancellationToken.ThrowIfCancellationRequested();
            MustBeThere();
            yield return stored;
        }
    }

    public Task WaitBeyondAsync(long position, CancellationToken cancellationToken)
    {
        MustBeThere();
        lock (_gate)
        {
            return _events.Count > 0 && _events[^1].Position > position ? Task.CompletedTask : _grown.Task.WaitAsync(cancellationToken);
        }
    }

    public Task<Lease?> TryAcquireAsync(string holder, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<string?> HolderAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<long> AppendAsync(Lease lease, Batch batch) => throw new NotSupportedException();

    public IAsyncEnumerable<StoredEvent> ReadStreamAsync(StreamId stream, long afterVersion, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<IReadOnlyDictionary<StreamId, long>> FindVersionsAsync(IReadOnlyCollection<StreamId> streams, CancellationToken cancellationToken) => throw new NotSupportedException();

    public IAsyncEnumerable<StoredEvent> ReadAllAsync(long afterPosition, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<Snapshot?> LoadSnapshotAsync(StreamId stream, IFold fold, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task SaveSnapshotAsync(Snapshot snapshot, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<IReadOnlyDictionary<CommandKey, CommandRecord>> FindCommandsAsync(IReadOnlyCollection<CommandKey> keys, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    private void MustBeThere()
    {
        if (IsAway)
        {
            throw new StoreUnavailableException("The test took it away.");
        }
    }
}

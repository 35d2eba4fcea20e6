namespace Mbp.Ledger.Postgres.Custody;

/// <summary>In what way a position is not as the log says.</summary>
public enum LeafFaultKind
{
    /// <summary>The entry agrees with its hash, and the event with its salt does not give it.</summary>
    DataEdited,

    /// <summary>The event with its salt gives the stored hash, and the stored entry does not; or the entry is right and its hash is not.</summary>
    LeafEdited,

    /// <summary>Event, entry and hash agree in no pair.</summary>
    BothEdited,

    /// <summary>An event that the log has no entry for: inserted, or its entry was deleted.</summary>
    LeafMissing,

    /// <summary>An entry that is not void, and no event.</summary>
    EventMissing,

    /// <summary>An event where the log says, by a void entry, that there was none.</summary>
    EventInserted,

    /// <summary>An erasure that took or changed more than it was announced to, or a salt that went without one.</summary>
    ErasureUnfounded,
}

/// <param name="Position">Where.</param>
/// <param name="Kind">In what way.</param>
/// <param name="What">In words.</param>
public sealed record LeafFault(long Position, LeafFaultKind Kind, string What);

/// <summary>What a deep check looked at and found. Several threads add to it.</summary>
public sealed class DeepCheckReport
{
    /// <summary>More are counted, not kept.</summary>
    public const int Kept = 1_000;

    private readonly Lock _gate = new();
    private readonly List<LeafFault> _faults = [];
    private readonly List<long> _erased = [];
    private long _checks;
    private long _voids;
    private long _faultCount;
    private long _erasedCount;

    /// <summary>Positions that were held to the log.</summary>
    public long Checks => Interlocked.Read(ref _checks);

    /// <summary>Positions that foreign transactions used up: a void entry, and no event.</summary>
    public long Voids => Interlocked.Read(ref _voids);

    /// <summary>The first of them by position.</summary>
    public IReadOnlyList<LeafFault> Faults
    {
        get
        {
            lock (_gate)
            {
                return [.. _faults.OrderBy(fault => fault.Position)];
            }
        }
    }

    public long FaultCount => Interlocked.Read(ref _faultCount);

    /// <summary>
    /// Positions of erased texts. Their entries cannot be opened any more: that an event was what it says is taken on trust there, but for its time,
    /// stream, type, version and id, which the entry says openly, and for what the erasure's own event, which is in the log, says was left.
    /// </summary>
    public IReadOnlyList<long> Erased
    {
        get
        {
            lock (_gate)
            {
                return [.. _erased.Order()];
            }
        }
    }

    public long ErasedCount => Interlocked.Read(ref _erasedCount);

    public bool Holds => FaultCount == 0;

    internal void Checked(long positions, long voids)
    {
        Interlocked.Add(ref _checks, positions);
        Interlocked.Add(ref _voids, voids);
    }

    internal void Fail(long position, LeafFaultKind kind, string what)
    {
        Interlocked.Increment(ref _faultCount);
        lock (_gate)
        {
            if (_faults.Count < Kept)
            {
                _faults.Add(new LeafFault(position, kind, what));
            }
        }
    }

    internal void Trust(long position)
    {
        Interlocked.Increment(ref _erasedCount);
        lock (_gate)
        {
            if (_erased.Count < Kept)
            {
                _erased.Add(position);
            }
        }
    }
}

namespace Mbp.Host.Markets;

/// <summary>
/// The newest items of a list that only grows, as an immutable value: at most so many. Values that follow one another share an array, so that
/// adding costs one small object and now and then a copy. The first to add after a value writes into the array they share; whoever comes second
/// (the past folded again, say) gets an array of its own.
/// </summary>
internal sealed class Newest<T>
{
    private readonly Shared _shared;
    private readonly int _start;

    public Newest(int most)
        : this(new Shared(4), start: 0, count: 0, most)
    {
    }

    private Newest(Shared shared, int start, int count, int most) => (_shared, _start, Count, Most) = (shared, start, count, most);

    public int Count { get; }

    public int Most { get; }

    /// <summary>Oldest first.</summary>
    public ReadOnlySpan<T> Items => _shared.Items.AsSpan(_start, Count);

    public Newest<T> Add(T item)
    {
        var (end, dropped) = (_start + Count, Count == Most ? 1 : 0);
        if (end < _shared.Items.Length && Interlocked.CompareExchange(ref _shared.Used, end + 1, end) == end)
        {
            _shared.Items[end] = item;
            return new Newest<T>(_shared, _start + dropped, Count + 1 - dropped, Most);
        }

        var copy = new Shared(Math.Min(2 * Most, Math.Max(4, 2 * Count)));
        Items[dropped..].CopyTo(copy.Items);
        copy.Items[Count - dropped] = item;
        copy.Used = Count + 1 - dropped;
        return new Newest<T>(copy, start: 0, copy.Used, Most);
    }

    private sealed class Shared(int length)
    {
        public readonly T[] Items = new T[length];

        /// <summary>How many are written; what lies beyond belongs to nobody yet.</summary>
        public int Used;
    }
}

namespace Mbp.Host.Streaming;

/// <summary>
/// The newest frames, for all events after <see cref="Floor"/>. Frames are numbered as they come, so that a client finds its next one without a
/// search. One thread.
/// </summary>
internal sealed class FrameRing(int capacity)
{
    private readonly EventFrame?[] _frames = new EventFrame?[capacity];

    /// <summary>The number of the oldest frame that is kept.</summary>
    public long First { get; private set; }

    /// <summary>The number of the next frame to come.</summary>
    public long Next { get; private set; }

    public long Floor { get; private set; }

    public long Head { get; private set; }

    public EventFrame this[long number] => _frames[number % capacity]!;

    /// <summary>Begins anew: the next frame is of the first event after a position. Numbers go on, so those of old frames are all too old.</summary>
    public void BeginAfter(long position)
    {
        Array.Clear(_frames);
        First = Next;
        (Floor, Head) = (position, position);
    }

    public void Add(EventFrame frame)
    {
        if (Next - First == capacity)
        {
            Floor = this[First].Position;
            First++;
        }

        _frames[Next % capacity] = frame;
        Next++;
        Head = frame.Position;
    }

    /// <summary>Puts the frame in the place of the one that is kept of its position, if one is.</summary>
    public void Replace(EventFrame frame)
    {
        if (After(frame.Position - 1) is var number && number < Next && this[number].Position == frame.Position)
        {
            _frames[number % capacity] = frame;
        }
    }

    /// <summary>The number of the first frame after a position, which is not before <see cref="Floor"/>.</summary>
    public long After(long position)
    {
        var (low, high) = (First, Next);
        while (low < high)
        {
            var middle = low + (high - low) / 2;
            (low, high) = this[middle].Position > position ? (low, middle) : (middle + 1, high);
        }

        return low;
    }
}

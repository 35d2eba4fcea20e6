namespace Mbp.Ledger.Reading;

/// <summary>The newest events, all that there are after <see cref="Floor"/> up to <see cref="Head"/>. One thread at a time may be here.</summary>
internal sealed class EventRing(int capacity)
{
    private readonly Recorded?[] _events = new Recorded?[capacity];

    // Events are numbered as they come; a number's place is its rest. Positions would not do: they may have gaps.
    private long _first;
    private long _next;

    public long Floor { get; private set; }

    public long Head { get; private set; }

    /// <summary>Takes all events after a position up to the last of them; what it has already is passed over.</summary>
    public void Append(long after, IReadOnlyList<Recorded> events)
    {
        if (after > Head)
        {
            // What lies between is not known here, so it is as if the ledger began anew.
            Array.Clear(_events);
            _first = _next;
            (Floor, Head) = (after, after);
        }

        for (var i = 0; i < events.Count; i++)
        {
            if (events[i] is var e && e.Position > Head)
            {
                Add(e);
            }
        }
    }

    /// <summary>The events after a position, which is not before <see cref="Floor"/>; so many at most.</summary>
    public Recorded[] Copy(long after, long most)
    {
        var from = FirstAfter(after);
        var run = new Recorded[Math.Min(most, _next - from)];
        for (var i = 0; i < run.Length; i++)
        {
            run[i] = At(from + i);
        }

        return run;
    }

    /// <summary>Puts the event in the place of the one that is kept of its position, if one is.</summary>
    public void Replace(Recorded e)
    {
        if (FirstAfter(e.Position - 1) is var number && number < _next && At(number).Position == e.Position)
        {
            _events[number % capacity] = e;
        }
    }

    private void Add(Recorded e)
    {
        if (_next - _first == capacity)
        {
            Floor = At(_first).Position;
            _first++;
        }

        _events[_next % capacity] = e;
        _next++;
        Head = e.Position;
    }

    private long FirstAfter(long after)
    {
        var (low, high) = (_first, _next);
        while (low < high)
        {
            var middle = low + (high - low) / 2;
            (low, high) = At(middle).Position > after ? (low, middle) : (middle + 1, high);
        }

        return low;
    }

    private Recorded At(long number) => _events[number % capacity]!;
}

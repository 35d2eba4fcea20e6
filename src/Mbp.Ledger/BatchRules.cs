using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Mbp.Ledger.Merkle;
using NodaTime;

namespace Mbp.Ledger;

/// <summary>What every store asks of a batch, so that the one in memory refuses what PostgreSQL would refuse.</summary>
internal static class BatchRules
{
    // The width of mt_events.type.
    private const int MaxTypeLength = 500;

    public static IReadOnlyList<StreamMove> Check(Batch batch)
    {
        List<StreamMove> moves = [];
        Dictionary<StreamId, int> places = [];
        var last = Instant.MinValue;
        for (var i = 0; i < batch.Events.Count; i++)
        {
            var e = batch.Events[i];
            CheckEvent(e, i);
            Require(e.At >= last, i, $"has the time {e.At}, earlier than the event before it");
            last = e.At;

            ref var place = ref CollectionsMarshal.GetValueRefOrAddDefault(places, e.Stream, out var known);
            if (!known)
            {
                Require(e.Version >= 1, i, $"has the version {e.Version}; the first is 1");
                place = moves.Count;
                moves.Add(new(e.Stream, e.Version - 1, e.Version));
            }
            else
            {
                Require(e.Version == moves[place].Version + 1, i, $"has the version {e.Version} after {moves[place].Version} of {e.Stream}");
                moves[place] = moves[place] with { Version = e.Version };
            }
        }

        foreach (var command in batch.Commands)
        {
            CheckCommand(command, batch.Events.Count);
        }

        return moves;
    }

    /// <summary>What is asked of one event by itself.</summary>
    public static void CheckEvent(NewEvent e, int index)
    {
        Require(e.Body.Type is { Length: > 0 and <= MaxTypeLength }, index, $"has no type of 1 to {MaxTypeLength} characters");
        Require(e.Body.DotnetType is { Length: > 0 }, index, $"has no .NET type, without which a Marten cannot open the database");
        Require(e.Body.Data is { Length: > 0 }, index, $"has no body");
        Require(IsWholeMicroseconds(e.At), index, $"has the time {e.At}; the ledger keeps microseconds");
        Require(!HoldsNul(e.Body.Data) && !HoldsNul(e.Headers.Span), index, $"holds the character U+0000, which PostgreSQL cannot keep");
        Require(
            IsText(e.Stream.Value) && IsText(e.Body.Type) && IsText(e.Body.DotnetType) && IsText(e.CorrelationId) && IsText(e.CausationId),
            index,
            $"has U+0000 or half a surrogate pair in its stream, type or ids");
    }

    private static void CheckCommand(NewCommand command, int events)
    {
        if (command.FirstEvent < 0 || command.EventCount < 0 || command.FirstEvent + command.EventCount > events)
        {
            throw new ArgumentException($"The command {command.Key} claims events outside of its batch.");
        }

        if (!IsText(command.Key.Principal) || !IsText(command.Key.Key))
        {
            throw new ArgumentException("A command key holds U+0000 or half a surrogate pair.");
        }

        if (!IsWholeMicroseconds(command.At))
        {
            throw new ArgumentException($"The command {command.Key} has the time {command.At}; the ledger keeps microseconds.");
        }
    }

    private static bool IsWholeMicroseconds(Instant at) => at.Minus(Instant.FromUnixTimeTicks(0)).SubsecondNanoseconds % 1000 == 0;

    private static bool IsText(string value)
    {
        if (value.Contains('\0', StringComparison.Ordinal))
        {
            return false;
        }

        for (var i = 0; i < value.Length; i++)
        {
            if (char.IsSurrogate(value[i]) && !(char.IsHighSurrogate(value[i]) && i + 1 < value.Length && char.IsLowSurrogate(value[++i])))
            {
                return false;
            }
        }

        return true;
    }

    // The search is vectorized and finds nothing in a sane body; only a hit is looked at closely, as "\\u0000" is an escaped backslash.
    private static bool HoldsNul(ReadOnlySpan<byte> json)
    {
        var escape = "\\u0000"u8;
        for (var at = json.IndexOf(escape); at >= 0;)
        {
            var backslashes = 1;
            while (at - backslashes >= 0 && json[at - backslashes] == (byte)'\\')
            {
                backslashes++;
            }

            if (backslashes % 2 == 1)
            {
                return true;
            }

            var next = json[(at + escape.Length)..].IndexOf(escape);
            at = next < 0 ? -1 : at + escape.Length + next;
        }

        return json.Contains((byte)0);
    }

    private static void Require(bool holds, int index, [InterpolatedStringHandlerArgument(nameof(holds))] Fault fault)
    {
        if (!holds)
        {
            throw new ArgumentException($"Event {index} of the batch {fault.ToString()}.");
        }
    }

    /// <summary>Words that are put together only when a rule is broken: this runs for every event of the product.</summary>
    [InterpolatedStringHandler]
    private readonly ref struct Fault
    {
        private readonly StringBuilder? _words;

        public Fault(int literalLength, int formattedCount, bool holds, out bool wanted)
        {
            wanted = !holds;
            _words = holds ? null : new StringBuilder(literalLength + (16 * formattedCount));
        }

        public void AppendLiteral(string value) => _words?.Append(value);

        public void AppendFormatted<T>(T value) => _words?.Append(value);

        public override string ToString() => _words?.ToString() ?? "";
    }

    /// <summary>The leaves of a batch's events; what has none is refused in the words of the rule.</summary>
    public static LeafBatch LeavesOf(IReadOnlyList<NewEvent> events)
    {
        try
        {
            return LeafBatch.Of(events);
        }
        catch (CanonicalJsonException e)
        {
            throw new ArgumentException($"The body or the headers of an event cannot be kept: {e.Message}", e);
        }
    }
}

using System.Buffers;
using System.Globalization;
using Mbp.Ledger;
using Mbp.Ledger.Merkle;
using Mbp.Ledger.Writing;
using Mbp.Simulation.Tests.Machine;
using Mbp.Simulation.Tests.Workload;
using NodaTime;

namespace Mbp.Simulation.Tests;

/// <summary>
/// What must be true: a pure fold of the log, and what each caller was told. It sees every commit as the database makes it and every answer
/// as the writer gives it, and asks each decision again on the state that the log had at its place.
/// </summary>
internal sealed class Model(World world, InMemoryLog log)
{
    private readonly EventCatalog _catalog = Bank.Catalog();
    private readonly Dictionary<string, Attempt> _attempts = new(StringComparer.Ordinal);
    private readonly Dictionary<CommandKey, List<Attempt>> _byKey = [];
    private readonly Dictionary<CommandKey, Accepted> _accepted = [];
    private readonly Dictionary<StreamId, long> _versions = [];
    private readonly Dictionary<StateRef, List<(long Position, object State)>> _history = [];
    private readonly HashSet<string> _carriedOut = new(StringComparer.Ordinal);
    private readonly List<Recorded> _events = [];
    private Instant _lastAt = Instant.MinValue;

    /// <summary>The newest epoch that was given out; only it may commit.</summary>
    public long Epoch { get; set; }

    public long Head => _events.Count;

    public int AcceptedCommands => _carriedOut.Count;

    public IReadOnlyList<Recorded> Events => _events;

    /// <summary>One hand-over of a command to a writer. The same command may be tried many times; each try is told something of its own.</summary>
    public Attempt Try(Command command, CommandKey? key, string host)
    {
        var attempt = new Attempt($"t{_attempts.Count + 1}", command, key, host);
        _attempts.Add(attempt.Id, attempt);
        if (key is { } known)
        {
            (_byKey.TryGetValue(known, out var tries) ? tries : _byKey[known] = []).Add(attempt);
        }

        return attempt;
    }

    // As an auditor would: the leaf of each event from the event as it is stored, and the salt that went with it.
    private void CheckLeaves(LeafBatch leaves, IReadOnlyList<StoredEvent> written)
    {
        var entries = LeafBatch.Entries(leaves.Leaves).ToList();
        Require(entries.Count == written.Count && leaves.Hashes.Count == written.Count, $"{entries.Count} leaves were written with {written.Count} events");
        for (var i = 0; i < written.Count; i++)
        {
            var again = new ArrayBufferWriter<byte>();
            var hash = Leaf.Write(written[i], LeafBatch.Salt(leaves.Salts, i).Span, again);
            Require(hash == leaves.Hashes[i] && again.WrittenSpan.SequenceEqual(entries[i].Span), $"the leaf of position {written[i].Position} is not that of its event");
        }
    }

    /// <summary>The database made a batch durable.</summary>
    public void Committed(long epoch, long before, Batch batch)
    {
        Require(epoch == Epoch, $"the epoch {epoch} committed after the epoch {Epoch} had been given out");
        Require(before == Head, $"a batch was written after position {before}, the log was at {Head}");
        var written = log.All(before);
        Require(written.Count == batch.Events.Count, $"{written.Count} events were written of {batch.Events.Count}");
        CheckLeaves(batch.Leaves, written);
        for (var i = 0; i < written.Count;)
        {
            var count = 1;
            while (i + count < written.Count && written[i + count].CausationId == written[i].CausationId)
            {
                count++;
            }

            CarriedOut([.. written.Skip(i).Take(count).Select(_catalog.Decode)]);
            i += count;
        }

        foreach (var command in batch.Commands.Where(command => command.EventCount == 0))
        {
            AlreadySo(command, before + command.FirstEvent);
        }
    }

    /// <summary>The writer answered.</summary>
    public void Answered(Attempt attempt, CommandOutcome outcome)
    {
        Require(!attempt.Command.Fails || outcome.Rejection is not null, $"{attempt} was carried out, and it always fails");
        Require(outcome.Position <= Head, $"{attempt} was answered with position {outcome.Position}, and the log is at {Head}");
        if (world.Violation is not null)
        {
            return;
        }

        if (outcome.Rejection is { } rejection)
        {
            attempt.IsAbsent = true;
            Rejected(attempt, rejection, outcome.Position);
        }
        else if (attempt.Key is { } key && (outcome.Replayed || outcome.Events.Count == 0))
        {
            if (!_accepted.TryGetValue(key, out var accepted))
            {
                Violate($"{attempt} was answered as accepted, and its key is not in the ledger");
                return;
            }

            Require(accepted.Text == attempt.Command.Text, $"{attempt} was given the answer of \"{accepted.Text}\"");
            Require(
                (accepted.Position, accepted.Events) == (outcome.Position, outcome.Events.Count),
                $"{attempt} was told position {outcome.Position} with {outcome.Events.Count} events; they are {accepted.Events} at {accepted.Position}");
            Same(attempt, outcome);
        }
        else if (outcome.Events.Count == 0)
        {
            Require(!outcome.Replayed, $"{attempt} has no key and was answered from memory");
            Require(Decide(attempt.Command, outcome.Position, _lastAt) is { Rejection: null, Events.Length: 0 }, $"{attempt} was \"already so\" at {outcome.Position}, and is not");
        }
        else
        {
            Require(!outcome.Replayed, $"{attempt} has no key and was answered from memory");
            Require(outcome.Events[0].Stored.CorrelationId == attempt.Id, $"{attempt} was given the events of {outcome.Events[0].Stored.CorrelationId}");
            Same(attempt, outcome);
        }
    }

    /// <summary>The writer said that nothing of it was written.</summary>
    public void NotWritten(Attempt attempt)
    {
        attempt.IsAbsent = true;
        Require(!_carriedOut.Contains(attempt.Id), $"{attempt} was told that nothing was written, and it is in the ledger");
        if (attempt.Key is { } key && _accepted.ContainsKey(key))
        {
            Require(!AreAllAbsent(key), $"{attempt} was told that nothing was written, as was every other try of its key, and the key is in the ledger");
        }
    }

    /// <summary>A state as the log has it.</summary>
    public object StateAt(StateRef reference, long position)
    {
        if (_history.TryGetValue(reference, out var states))
        {
            for (var i = states.Count - 1; i >= 0; i--)
            {
                if (states[i].Position <= position)
                {
                    return states[i].State;
                }
            }
        }

        return reference.Fold.Initial;
    }

    public object StateOfVersion(StateRef reference, long version)
    {
        // One state for each event of the stream.
        return version == 0 ? reference.Fold.Initial
            : _history.TryGetValue(reference, out var states) && states.Count >= version ? states[(int)version - 1].State
            : throw new ArgumentException($"{reference.Stream} has no version {version}.");
    }

    public void Require(bool holds, [System.Runtime.CompilerServices.InterpolatedStringHandlerArgument(nameof(holds))] Words what)
    {
        if (!holds)
        {
            Violate(what.ToString());
        }
    }

    private void Violate(string what) => world.Violate(what);

    private void CarriedOut(Recorded[] events)
    {
        var (first, at) = (events[0], events[0].At);
        for (var i = 0; i < events.Length; i++)
        {
            var e = events[i];
            Require(e.Position == Head + 1 + i, $"position {e.Position} was written after {Head + i}");
            var version = _versions.GetValueOrDefault(e.Stream) + events.Take(i).Count(earlier => earlier.Stream == e.Stream);
            Require(e.Version == version + 1, $"{e.Stream} got version {e.Version} after {version}");
            Require(e.At == at, $"two times in one command: {at} and {e.At}");
            if (world.Violation is not null)
            {
                return;
            }
        }

        Require(at > _lastAt, $"ledger time went from {_lastAt} to {at}");
        if (!_attempts.TryGetValue(first.Stored.CorrelationId, out var attempt))
        {
            Violate($"position {first.Position} belongs to nothing that was asked");
            return;
        }

        Require(!attempt.IsAbsent, $"{attempt} is written at {first.Position}, and its caller was told that nothing was written");
        Require(_carriedOut.Add(attempt.Id), $"{attempt} is written a second time at {first.Position}");
        if (attempt.Key is { } key)
        {
            Require(!_accepted.ContainsKey(key), $"{attempt}: its key is carried out a second time at {first.Position}");
            _accepted[key] = new Accepted(attempt.Command.Text, first.Position + events.Length - 1, events.Length);
        }

        var decision = Decide(attempt.Command, Head, at);
        var said = events.Select(e => e.Stream.With(e.Data)).ToArray();
        Require(
            decision.Rejection is null && decision.Events.AsSpan().SequenceEqual(said),
            $"{attempt} at {first.Position} was decided on a state that the ledger never had: it wrote [{string.Join("; ", said)}], the truth makes it {Describe(decision)}");
        foreach (var e in events)
        {
            Fold(e);
        }

        _lastAt = at;
    }

    private void AlreadySo(NewCommand command, long position)
    {
        var attempt = _byKey.GetValueOrDefault(command.Key)?.Find(attempt => attempt.Hash.AsSpan().SequenceEqual(command.Hash.Span));
        if (attempt is null)
        {
            Violate($"{command.Key} is in the ledger, and nobody asked");
            return;
        }

        Require(!_accepted.ContainsKey(command.Key), $"{attempt}: its key is carried out a second time at {position}");
        Require(!AreAllAbsent(command.Key), $"{command.Key} is in the ledger, and every one who tried it was told that nothing was written");
        Require(Decide(attempt.Command, position, _lastAt) is { Rejection: null, Events.Length: 0 }, $"{attempt} was \"already so\" at {position}, and is not");
        _accepted[command.Key] = new Accepted(attempt.Command.Text, position, 0);
    }

    private void Rejected(Attempt attempt, Rejection rejection, long position)
    {
        NotWritten(attempt);
        var accepted = attempt.Key is { } key && _accepted.TryGetValue(key, out var found) ? found : null;
        if (rejection == LedgerErrors.KeyMismatch)
        {
            Require(accepted is not null && accepted.Text != attempt.Command.Text, $"{attempt} was called a mismatch, its key has \"{accepted?.Text ?? "nothing"}\"");
            return;
        }

        // A repeated command must be told what it was told before, not be decided anew.
        Require(
            accepted is null || accepted.Position > position || (accepted.Position == position && accepted.Events == 0),
            $"{attempt} was refused at {position} ({rejection.Code}), and its key was carried out at {accepted?.Position}");
        var decision = Decide(attempt.Command, position, _lastAt);
        Require(decision.Rejection == rejection, $"{attempt} was refused at {position} with {rejection.Code}; the truth makes it {Describe(decision)}");
    }

    private void Same(Attempt attempt, CommandOutcome outcome)
    {
        var first = outcome.Position - outcome.Events.Count + 1;
        for (var i = 0; i < outcome.Events.Count; i++)
        {
            var (told, there) = (outcome.Events[i], _events[(int)(first + i) - 1]);
            Require(
                told.Position == there.Position && told.Stored.Id == there.Stored.Id && told.Stream == there.Stream && told.Version == there.Version && told.At == there.At && told.Data.Equals(there.Data),
                $"{attempt} was told {told.Stream} {told.Version} {told.Data} at {told.Position}; there is {there.Stream} {there.Version} {there.Data}");
        }
    }

    private Decision<StreamEvent> Decide(Command command, long position, Instant at) => command.Operation.Decide(new Past(this, position), at);

    private void Fold(Recorded e)
    {
        _events.Add(e);
        _versions[e.Stream] = e.Version;
        foreach (var fold in Bank.FoldsOf(e.Stream))
        {
            var reference = new StateRef(e.Stream, fold);
            var states = _history.TryGetValue(reference, out var known) ? known : _history[reference] = [];
            states.Add((e.Position, fold.Apply(states.Count == 0 ? fold.Initial : states[^1].State, e.Data)));
        }
    }

    private bool AreAllAbsent(CommandKey key) => _byKey[key].TrueForAll(attempt => attempt.IsAbsent);

    private static string Describe(Decision<StreamEvent> decision) => decision.Rejection?.Code ?? $"[{string.Join("; ", decision.Events)}]";

    private sealed record Accepted(string Text, long Position, int Events);

    private sealed class Past(Model model, long position) : IStates
    {
        public TState Get<TState>(StateRef<TState> reference)
            where TState : class => (TState)model.StateAt(reference, position);
    }

    /// <summary>Words that are put together only when a rule is broken.</summary>
    [System.Runtime.CompilerServices.InterpolatedStringHandler]
    internal readonly ref struct Words
    {
        private readonly System.Text.StringBuilder? _words;

        public Words(int literalLength, int formattedCount, bool holds, out bool wanted)
        {
            wanted = !holds;
            _words = holds ? null : new System.Text.StringBuilder(literalLength + (16 * formattedCount));
        }

        public void AppendLiteral(string value) => _words?.Append(value);

        public void AppendFormatted<T>(T value) => _words?.Append(CultureInfo.InvariantCulture, $"{value}");

        public override string ToString() => _words?.ToString() ?? "";
    }
}

/// <summary>One try of a command: what a writer was handed, under an id that its events carry.</summary>
internal sealed class Attempt(string id, Command command, CommandKey? key, string host)
{
    public string Id => id;

    public Command Command => command;

    public CommandKey? Key => key;

    public byte[] Hash { get; } = System.Text.Encoding.UTF8.GetBytes(command.Text);

    /// <summary>Its caller was told that nothing was written.</summary>
    public bool IsAbsent { get; set; }

    public override string ToString() => $"{id} \"{command.Text}\"{(key is { } known ? $" under {known.Principal}/{known.Key}" : "")} at {host}";
}

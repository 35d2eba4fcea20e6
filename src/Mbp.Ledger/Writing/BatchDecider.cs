using System.Collections.Frozen;
using System.Runtime.InteropServices;
using System.Text.Json;
using Mbp.Ledger.Json;
using NodaTime;

namespace Mbp.Ledger.Writing;

/// <summary>
/// Decides commands in order on states that already hold everything decided before them, committed or not. What it is given is decided, or
/// answered, or left behind when the batch is full; it never waits for a commit unless it must read what that commit writes.
/// </summary>
internal sealed class BatchDecider(
    IEventStore store, EventCatalog catalog, IClock clock, StateCache states, WriterOptions options, Action<Exception, string> trouble)
{
    // The headers of an actor under a rule set are the same on every event; a bound keeps strangers from growing this.
    private const int KeptHeaders = 10_000;

    private readonly Dictionary<(string Actor, string? PolicyHash), byte[]> _headers = [];
    private readonly Dictionary<StreamId, int> _places = [];
    private Instant _lastAt = Instant.MinValue;

    /// <summary>Ledger time never goes back, whatever the clock does: not below what is in the ledger already.</summary>
    public void StartAt(Instant last) => _lastAt = Instant.Max(_lastAt, last);

    /// <summary>Decides from the front of <paramref name="taken"/> into <paramref name="pending"/>, until either is exhausted.</summary>
    /// <param name="taken">Commands in order; those that are dealt with are removed.</param>
    /// <param name="pending">The batch that they join.</param>
    /// <param name="underWay">The batch that is being committed, if there is one.</param>
    /// <param name="lost">Ends what is being read when the lease is lost: a database that hangs must not keep the writer from the next one.</param>
    public async Task DecideAsync(List<Submission> taken, PendingBatch pending, PendingBatch? underWay, CancellationToken lost)
    {
        if (underWay is not null && MustWaitFor(underWay, taken))
        {
            await underWay.Settled;
        }

        var reach = Reach(taken, pending);
        var known = await KnownAsync(taken, reach, lost);
        var unreadable = await LoadAsync(taken, reach, pending.Head, lost);
        var done = 0;
        for (; done < reach && pending.Bytes < options.BatchBytes && pending.Commands < options.BatchCommands; done++)
        {
            var submission = taken[done];
            if (submission.Context.Key is { } key && known.TryGetValue(key, out var record))
            {
                Replay(submission, record);
            }
            else if (unreadable.Count > 0 && submission.Operation.Reads.FirstOrDefault(unreadable.ContainsKey) is { Fold: not null } reference)
            {
                trouble(unreadable[reference], $"Commands on {reference.Stream} fail until a build that can read it runs; all others go on.");
                submission.Fail(unreadable[reference]);
            }
            else if (!pending.TryJoin(submission))
            {
                Decide(submission, pending);
            }
        }

        taken.RemoveRange(0, done);
    }

    /// <summary>How many can be decided now: a command that must read what this very batch writes waits for the next one, and so do all after it.</summary>
    private int Reach(List<Submission> taken, PendingBatch pending)
    {
        for (var i = 0; i < taken.Count; i++)
        {
            var reads = taken[i].Operation.Reads;
            for (var r = 0; r < reads.Count; r++)
            {
                if (states.IsMovedBy(pending.Number, reads[r]))
                {
                    return i;
                }
            }
        }

        return taken.Count;
    }

    /// <summary>Whether a key or a state has to be read that the batch under way is only now writing.</summary>
    private bool MustWaitFor(PendingBatch underWay, List<Submission> taken)
    {
        foreach (var submission in taken)
        {
            if (submission.Context.Key is { } key && underWay.Holds(key))
            {
                return true;
            }

            var reads = submission.Operation.Reads;
            for (var r = 0; r < reads.Count; r++)
            {
                if (states.IsBehind(reads[r]))
                {
                    return true;
                }
            }
        }

        return false;
    }

    private async ValueTask<IReadOnlyDictionary<CommandKey, CommandRecord>> KnownAsync(List<Submission> taken, int reach, CancellationToken lost)
    {
        HashSet<CommandKey>? keys = null;
        for (var i = 0; i < reach; i++)
        {
            if (taken[i].Context.Key is { } key)
            {
                (keys ??= new(reach)).Add(key);
            }
        }

        return keys is null ? FrozenDictionary<CommandKey, CommandRecord>.Empty : await store.FindCommandsAsync(keys, lost);
    }

    /// <summary>Makes sure that the states are in memory that the commands read; nearly always they are.</summary>
    private async ValueTask<IReadOnlyDictionary<StateRef, Exception>> LoadAsync(List<Submission> taken, int reach, long head, CancellationToken lost)
    {
        HashSet<StateRef>? missing = null;
        for (var i = 0; i < reach; i++)
        {
            var reads = taken[i].Operation.Reads;
            for (var r = 0; r < reads.Count; r++)
            {
                if (!states.Use(reads[r]))
                {
                    (missing ??= []).Add(reads[r]);
                }
            }
        }

        HashSet<StreamId>? unknown = null;
        for (var i = 0; i < reach; i++)
        {
            var appends = taken[i].Operation.Appends;
            for (var a = 0; a < appends.Count; a++)
            {
                if (!states.Knows(appends[a]))
                {
                    (unknown ??= []).Add(appends[a]);
                }
            }
        }

        var unreadable = missing is null ? FrozenDictionary<StateRef, Exception>.Empty : await states.LoadAsync(missing, head, lost);
        if (unknown is not null)
        {
            await states.LoadVersionsAsync(unknown, lost);
        }

        return unreadable;
    }

    private void Decide(Submission submission, PendingBatch pending)
    {
        var at = NextInstant();
        try
        {
            var decision = submission.Operation.Decide(states, at);
            if (decision.Rejection is { } rejection)
            {
                pending.Reject(submission, rejection);
                return;
            }

            var (context, causation) = (submission.Context, submission.CommandId.ToString("N"));
            var headers = HeadersOf(context.Actor, decision.PolicyHash);
            var events = decision.Events;
            var created = new NewEvent[events.Length];
            _places.Clear();
            for (var i = 0; i < created.Length; i++)
            {
                var (stream, body) = events[i];
                created[i] = new NewEvent(
                    Guid.CreateVersion7(), stream, states.VersionOf(stream) + NextPlaceIn(stream), catalog.Encode(body), at,
                    context.CorrelationId, causation, headers);
                // Found only at the commit, it would take the whole batch with it.
                BatchRules.CheckEvent(created[i], i);
            }

            // Whatever may fail comes before the states move.
            pending.Prepare(created);
            pending.Accept(submission, created, events, states.Apply(events), at);
        }
        catch (Exception e)
        {
            // A bug in a decision hurts its own caller; the rest of the batch goes on, since states move only with a whole command.
            trouble(e, "One command failed; its caller is told.");
            submission.Fail(e);
        }
    }

    /// <summary>1 for the command's first event of a stream, and so on.</summary>
    private int NextPlaceIn(StreamId stream) => ++CollectionsMarshal.GetValueRefOrAddDefault(_places, stream, out _);

    private byte[] HeadersOf(string actor, string? policyHash)
    {
        if (!_headers.TryGetValue((actor, policyHash), out var headers))
        {
            if (_headers.Count >= KeptHeaders)
            {
                _headers.Clear();
            }

            var named = new Dictionary<string, string> { ["actor"] = actor };
            if (policyHash is not null)
            {
                named["policy_hash"] = policyHash;
            }

            _headers[(actor, policyHash)] = headers = JsonSerializer.SerializeToUtf8Bytes(named, LedgerJson.Options);
        }

        return headers;
    }

    private void Replay(Submission submission, CommandRecord record)
    {
        if (!record.Hash.Span.SequenceEqual(submission.Context.Hash.Span))
        {
            submission.Complete(new CommandOutcome(LedgerErrors.KeyMismatch, record.LastPosition, []));
            return;
        }

        _ = ReadAsync();

        // Reading is I/O and holds up nobody else.
        async Task ReadAsync()
        {
            try
            {
                var events = new List<Recorded>(record.EventCount);
                if (record.EventCount > 0)
                {
                    await foreach (var stored in store
                        .ReadRangeAsync(record.LastPosition - record.EventCount, record.LastPosition, CancellationToken.None))
                    {
                        events.Add(catalog.Decode(stored));
                    }
                }

                submission.Complete(new CommandOutcome(null, record.LastPosition, events, Replayed: true));
            }
            catch (Exception e)
            {
                submission.Fail(e);
            }
        }
    }

    private Instant NextInstant()
    {
        var now = clock.GetCurrentInstant();
        var micros = Instant.FromUnixTimeTicks(now.ToUnixTimeTicks() / 10 * 10);
        return _lastAt = micros > _lastAt ? micros : _lastAt.PlusTicks(10);
    }
}

using Mbp.Ledger;
using Mbp.Ledger.Writing;
using Mbp.Simulation.Tests.Machine;
using Mbp.Simulation.Tests.Workload;

namespace Mbp.Simulation.Tests;

/// <summary>One life of a host: the real writer, a follower fed by it, a worker that a timer drives. A crash ends it, a restart is another one.</summary>
internal sealed class SimulatedHost
{
    private readonly Simulation _simulation;
    private readonly World _world;
    private readonly List<(Attempt Attempt, Task Answer, long Since)> _open = [];
    private LedgerWriter? _writer;

    public SimulatedHost(Simulation simulation, int place, int life)
    {
        (_simulation, _world, Place) = (simulation, simulation.World, place);
        Process = new Process(_world, $"host{place}.{life}", (place * 100) + life + 10);
        Clock = new WallClock(_world);
        Store = new SimulatedStore(simulation.Database, Process);
        var catalog = Bank.Catalog();
        Follower = new Follower(_world, Process, Store, catalog, simulation.Model);
        Process.Begin(() =>
        {
            _writer = MakeWriter(catalog);
            Process.Begin(Follower.RunAsync);
            Process.Begin(TickAsync);
            return Task.CompletedTask;
        });
    }

    public int Place { get; }

    public Process Process { get; }

    public WallClock Clock { get; }

    public SimulatedStore Store { get; }

    public Follower Follower { get; }

    /// <summary>It has stopped in good order.</summary>
    public bool IsGone { get; private set; }

    public bool IsUp => !Process.IsDead && !IsGone && _writer is not null;

    public bool IsDraining { get; private set; }

    public bool IsWriter => IsUp && _writer!.IsWriter;

    /// <summary>Hands a command to the writer, as an endpoint does, and holds what it answers against the truth.</summary>
    public async Task<Reply> SubmitAsync(Command command, CommandKey? key)
    {
        _world.MustBeIn(Process);
        var attempt = _simulation.Model.Try(command, key, Process.Name);
        _world.Say(Process.Name, $"gets {attempt}");
        using var gone = new CancellationTokenSource();
        using var goes = _simulation.Database.Strikes(_simulation.Scenario.CallerGoes)
            ? new VirtualTimer(_world, gone.Cancel, _world.Between(TimeSpan.Zero, _simulation.Scenario.Writer.Deadline))
            : null;

        var answer = _writer!.SubmitAsync(command.Operation, new CommandContext("client", attempt.Id, key, attempt.Hash), gone.Token);
        _open.Add((attempt, answer, _world.Now));
        var reply = await ReplyAsync(attempt, answer);
        _open.RemoveAll(open => open.Attempt == attempt);
        _world.MustBeIn(Process);
        _world.Say(Process.Name, $"answers {attempt.Id}: {reply}");
        _world.Count($"answer: {reply.Said}".ToLowerInvariant());
        return reply;
    }

    /// <summary>Nobody may wait longer than the writer's deadline says.</summary>
    public void CheckPatience()
    {
        if (Process.IsDead || Process.IsPaused)
        {
            return;
        }

        foreach (var (attempt, _, since) in _open)
        {
            var waited = TimeSpan.FromTicks(_world.Now - Math.Max(since, Process.ResumedAt));
            _simulation.Model.Require(
                waited < _simulation.Scenario.Writer.Deadline + TimeSpan.FromSeconds(1), $"{attempt} was left without an answer for {waited.TotalMilliseconds} ms");
        }
    }

    /// <summary>Begins to stop in good order.</summary>
    public void Drain(Action afterwards)
    {
        IsDraining = true;
        Process.Begin(async () =>
        {
            await DrainAsync();
            afterwards();
        });
    }

    private async Task DrainAsync()
    {
        _world.Say(Process.Name, "drains");
        await _writer!.DisposeAsync();
        _world.Say(Process.Name, "has drained");
        foreach (var (attempt, answer, _) in _open)
        {
            _simulation.Model.Require(answer.IsCompleted, $"{attempt} was left without an answer by a writer that has stopped");
        }

        // What was answered a moment ago is still on its way out.
        await Process.Delay(TimeSpan.FromMilliseconds(1));
        IsGone = true;
    }

    private async Task<Reply> ReplyAsync(Attempt attempt, Task<CommandOutcome> answer)
    {
        var model = _simulation.Model;
        try
        {
            var outcome = await answer;
            model.Answered(attempt, outcome);
            if (outcome.Replayed)
            {
                _world.Count("answer given again");
            }
            else if (outcome.Rejection == LedgerErrors.KeyMismatch)
            {
                _world.Count("key used for something else");
            }

            return new Reply(outcome.Rejection is null ? Said.Accepted : Said.Refused, outcome.Rejection?.Code ?? $"{outcome.Events.Count} events at {outcome.Position}{(outcome.Replayed ? " again" : "")}");
        }
        catch (LedgerBusyException e)
        {
            // With a deadline of a second or less, slow commits alone may keep a command waiting for too long.
            model.Require(
                !_simulation.Scenario.IsQuiet || _simulation.Scenario.Writer.Deadline <= TimeSpan.FromSeconds(1) || !e.Message.Contains("without being looked at", StringComparison.Ordinal), $"a command was left lying, and nothing had gone wrong");
            model.NotWritten(attempt);
            return new Reply(Said.Busy, "busy");
        }
        catch (NotWriterException e)
        {
            model.NotWritten(attempt);
            return new Reply(Said.NotWriter, $"not the writer, {e.Holder ?? "nobody"} is", e.Holder);
        }
        catch (ArgumentException)
        {
            model.NotWritten(attempt);
            return new Reply(Said.Busy, "odd");
        }
        catch (OperationCanceledException)
        {
            model.NotWritten(attempt);
            return new Reply(Said.Gone, "its caller had gone");
        }
        catch (UnknownOutcomeException)
        {
            return new Reply(Said.Unknown, "unknown outcome");
        }
        catch (StoreUnavailableException)
        {
            // The stored answer could not be read: it is there, and can be asked for again.
            return new Reply(Said.Unknown, "the answer could not be read");
        }
        catch (Exception e) when (attempt.Command.Fails && e is PoisonException or InvalidOperationException)
        {
            model.NotWritten(attempt);
            return new Reply(Said.Failed, e.GetType().Name);
        }
        catch (Exception e)
        {
            _world.Violate($"{attempt} was answered with {e}");
            return new Reply(Said.Failed, e.GetType().Name);
        }
    }

    private LedgerWriter MakeWriter(EventCatalog catalog)
    {
        var options = _simulation.Scenario.Writer with { Time = Process.Time };
        var holder = $"host{Place}";
        return new LedgerWriter(
            Store, catalog, Clock, holder, options,
            _simulation.Bug.States(Store, catalog, options.CachedStreams),
            _simulation.Bug.Committer(Store, holder, options, Follower.Committed, Report),
            Report);

        void Report(Exception e, string consequence) => _world.Say(Process.Name, $"{e.GetType().Name}: {e.Message} {consequence}");
    }

    /// <summary>A worker without keys: what it asks for is already so when somebody else has done it.</summary>
    private async Task TickAsync()
    {
        while (!IsGone)
        {
            await Process.Delay(_simulation.Scenario.TickEvery);
            if (IsWriter)
            {
                await SubmitAsync(Bank.Tick(1 + (_world.Now / _simulation.Scenario.TickEvery.Ticks)), key: null);
            }
        }
    }
}

internal enum Said
{
    Accepted,
    Refused,
    Failed,
    Busy,
    NotWriter,
    Gone,
    Unknown,
    Nothing,
}

/// <summary>What a client hears of its command.</summary>
internal sealed record Reply(Said Said, string Text, string? Holder = null)
{
    public override string ToString() => Text;
}

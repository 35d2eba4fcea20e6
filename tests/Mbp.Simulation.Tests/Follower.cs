using Mbp.Ledger;
using Mbp.Simulation.Tests.Machine;
using Mbp.Simulation.Tests.Workload;

namespace Mbp.Simulation.Tests;

/// <summary>
/// A host's read model, as LiveLedger keeps it: fed by the commits of its own writer, by reading where others wrote. It must see every event
/// once and in order, whichever way it comes.
/// </summary>
internal sealed class Follower(World world, Process process, SimulatedStore store, EventCatalog catalog, Model model)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(200);

    private readonly Queue<IReadOnlyList<Recorded>> _handedOver = new();
    private readonly Dictionary<string, Row> _rows = new(StringComparer.Ordinal);
    private long _lastHandedOver;
    private TaskCompletionSource _signal = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public long Position { get; private set; }

    public IReadOnlyDictionary<string, Row> Rows => _rows;

    /// <summary>The writer's callback: in ledger order, each commit once, and only what is durable.</summary>
    public void Committed(IReadOnlyList<Recorded> events)
    {
        world.MustBeIn(process);
        foreach (var e in events)
        {
            model.Require(e.Position > _lastHandedOver, $"{process.Name} was handed position {e.Position} after {_lastHandedOver}");
            _lastHandedOver = e.Position;
            model.Require(
                e.Position <= model.Head && model.Events[(int)e.Position - 1].Stored.Id == e.Stored.Id && model.Events[(int)e.Position - 1].Data.Equals(e.Data),
                $"{process.Name} was handed {e.Data} at {e.Position}, and that is not what the ledger has there");
        }

        _handedOver.Enqueue(events);
        _signal.TrySetResult();
    }

    public async Task RunAsync()
    {
        while (true)
        {
            try
            {
                await foreach (var stored in store.ReadAllAsync(Position, CancellationToken.None))
                {
                    Apply(catalog.Decode(stored));
                }

                await TakeOverAsync();
            }
            catch (StoreUnavailableException)
            {
                await process.Delay(LookEvery);
            }
        }
    }

    /// <summary>Takes commits as long as they follow on; returns when the ledger must be read.</summary>
    private async Task TakeOverAsync()
    {
        using var look = new VirtualTimer(world, () => _signal.TrySetResult(), LookEvery);
        for (var until = world.Now + LookEvery.Ticks; world.Now < until;)
        {
            while (_handedOver.TryDequeue(out var batch))
            {
                var fresh = batch.Where(e => e.Position > Position).ToList();
                if (fresh.Count > 0 && fresh[0].Position != Position + 1)
                {
                    return;
                }

                fresh.ForEach(Apply);
            }

            await _signal.Task;
            _signal = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    private void Apply(Recorded recorded)
    {
        world.MustBeIn(process);
        model.Require(recorded.Position == Position + 1, $"the follower of {process.Name} got position {recorded.Position} after {Position}");
        Position = recorded.Position;
        Bank.Balances.ApplyTo(_rows, recorded);
    }
}

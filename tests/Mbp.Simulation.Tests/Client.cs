using System.Globalization;
using Mbp.Ledger;
using Mbp.Simulation.Tests.Machine;
using Mbp.Simulation.Tests.Workload;

namespace Mbp.Simulation.Tests;

/// <summary>Somebody outside: sends commands to whom it takes for the writer, and tries again with the same key until it knows.</summary>
internal sealed class Client(Simulation simulation, string name, int number)
{
    private readonly World _world = simulation.World;
    private readonly Process _process = new(simulation.World, name, 1_000 + number);
    private int _host = simulation.World.Random.Next(simulation.Scenario.Hosts);
    private int _sent;

    public bool IsDone { get; private set; }

    public void Begin(int commands) => _process.Begin(async () =>
    {
        for (var n = 0; n < commands; n++)
        {
            await Think();
            await OneAsync(Choose());
        }

        IsDone = true;
    });

    /// <summary>One command that must come through.</summary>
    public void BeginOne(Command command) => _process.Begin(async () =>
    {
        var reply = await PersistAsync(command, NextKey());
        simulation.Model.Require(reply.Said == Said.Accepted, $"a command in quiet times was answered with \"{reply}\"");
        IsDone = true;
    });

    private async Task OneAsync(Command command)
    {
        var scenario = simulation.Scenario;
        if (_world.Chance(0.15))
        {
            await PersistAsync(command, key: null);
            return;
        }

        var key = NextKey();
        List<Task<Reply>> sent = [PersistAsync(command, key)];
        while (sent.Count < 4 && _world.Chance(scenario.SentTwice))
        {
            sent.Add(PersistAsync(command, key));
        }

        if (_world.Chance(scenario.SentTwice / 4))
        {
            // Another command under the same key: one of the two is carried out.
            sent.Add(PersistAsync(Choose(), key));
        }

        foreach (var task in sent)
        {
            await task;
        }

        if (_world.Chance(scenario.SentTwice / 2))
        {
            await Think();
            await PersistAsync(_world.Chance(0.7) ? command : Choose(), key);
        }
    }

    private CommandKey NextKey() => new(name, (++_sent).ToString(CultureInfo.InvariantCulture));

    private async Task<Reply> PersistAsync(Command command, CommandKey? key)
    {
        while (true)
        {
            var reply = await CallAsync(command, key);
            switch (reply.Said)
            {
                case Said.Accepted or Said.Refused or Said.Failed:
                case Said.Unknown or Said.Nothing when key is null:
                    return reply;
                case Said.NotWriter when reply.Holder is { } holder && _world.Chance(0.8):
                    _host = int.Parse(holder["host".Length..], CultureInfo.InvariantCulture);
                    break;
                case Said.NotWriter or Said.Nothing:
                    _host = _world.Random.Next(simulation.Scenario.Hosts);
                    break;
                default:
                    break;
            }

            await _process.Delay(_world.Between(TimeSpan.FromMilliseconds(5), TimeSpan.FromMilliseconds(250)));
        }
    }

    /// <summary>Through the network, which may lose it, lose the answer, or deliver it twice.</summary>
    private async Task<Reply> CallAsync(Command command, CommandKey? key)
    {
        var (database, scenario, place) = (simulation.Database, simulation.Scenario, _host);
        var answer = new TaskCompletionSource<Reply>(TaskCreationOptions.RunContinuationsAsynchronously);
        var patience = new VirtualTimer(_world, () => answer.TrySetResult(new Reply(Said.Nothing, "no answer")), scenario.Writer.Deadline * 2);
        await _process.Delay(database.Way());
        var copies = key is not null && database.Strikes(scenario.NetworkLoses / 2) ? 2 : 1;
        for (var i = 0; i < copies && !database.Strikes(scenario.NetworkLoses); i++)
        {
            var host = simulation.Hosts[place];
            if (host.IsUp)
            {
                host.Process.Begin(async () =>
                {
                    var reply = await host.SubmitAsync(command, key);
                    if (!database.Strikes(scenario.NetworkLoses))
                    {
                        await host.Process.Delay(database.Way());
                        answer.TrySetResult(reply);
                    }
                });
            }
        }

        var heard = await answer.Task;
        patience.Dispose();
        return heard;
    }

    private Task Think() => _process.Delay(simulation.Scenario.Think * (_world.Random.NextDouble() * 2));

    private Command Choose()
    {
        var (random, accounts) = (_world.Random, simulation.Scenario.Accounts);
        var account = random.Next(accounts);
        var other = (account + 1 + random.Next(accounts - 1)) % accounts;
        return random.Next(20) switch
        {
            < 5 => Bank.Deposit(account, random.Next(1, 120)),
            < 10 => Bank.Transfer(account, other, random.Next(1, 80)),
            < 12 => Bank.Empty(account),
            < 14 => Bank.CountOn($"{random.Next(2)}", most: 12),
            < 16 => Bank.Audit(account),
            16 => Bank.Many(account, random.Next(2, 30)),
            17 => Bank.Poison(account),
            18 => Bank.Crooked(account, other),
            _ => Bank.Stray(account),
        };
    }
}

using System.Diagnostics;
using System.Globalization;
using Mbp.Domain;
using Mbp.Domain.Accounts;
using Mbp.Domain.Markets;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Host.Tests.Hosting;
using Mbp.Ledger;
using Mbp.Ledger.Postgres;
using Mbp.Ledger.Writing;
using Mbp.Testing;
using NodaTime;
using NodaTime.Text;
using Npgsql;
using Xunit.Abstractions;

namespace Mbp.Host.Tests.Faults;

/// <summary>What goes wrong at night, one story each, under load and by seed. After each, every promise is looked at.</summary>
[Collection(FaultTestsRunAlone.Name)]
public sealed class FaultTests(ITestOutputHelper output)
{
    private const string CommitWaits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%ledger_seal%' AND datname = current_database()";

    [Theory]
    [FaultSeeds(1, 2)]
    public async Task PostgreSQL_is_killed_again_and_again(int seed)
    {
        using var folder = new ServerFolder();
        await PlayAsync(seed, new StageOptions { OwnServerIn = folder.Path }, async stage =>
        {
            stage.LetClientsTrade();
            for (var kill = 0; kill < 3; kill++)
            {
                await stage.MoreTradesAsync(stage.Dice.Next(50, 500));
                await stage.KillPostgresAsync(firstProcess: kill == 0 || stage.Dice.Next(2) == 0);
            }

            await stage.MoreTradesAsync(200);
            await stage.HoldsAsync();
        });
    }

    [Theory]
    [FaultSeeds(1, 2, 3)]
    public async Task The_connection_is_cut_in_the_middle_of_a_commit(int seed)
    {
        await using var proxy = new CuttingProxy();
        await PlayAsync(seed, new StageOptions { Through = proxy.To }, async stage =>
        {
            stage.LetClientsTrade();
            Cut[] cuts = [.. Enum.GetValues<Cut>(), .. Enum.GetValues<Cut>()];
            stage.Dice.Shuffle(cuts);
            foreach (var cut in cuts)
            {
                await stage.MoreTradesAsync(stage.Dice.Next(5, 100));
                stage.Tell($"the next commit is cut: {cut}");
                await proxy.CutNextCommitAsync(cut).WaitAsync(TimeSpan.FromSeconds(30));
            }

            await stage.MoreTradesAsync(100);
            await stage.HoldsAsync();
        });
    }

    /// <summary>Nobody can be asked what became of the commit: the caller hears just that, and the same key tells the truth later.</summary>
    [Fact]
    public Task An_outcome_that_nobody_knows_is_told_by_the_same_key_later() => Task.WhenAll(new[] { Cut.BeforeRequest, Cut.BeforeAnswer }.Select(async cut =>
    {
        await using var proxy = new CuttingProxy();
        await PlayAsync(0, new StageOptions { Through = proxy.To }, async stage =>
        {
            Task<Answer> BuyAsync() => stage.Api.BuyAsync(stage.Markets[0], "account0", "YES", "10", "the-key");
            async Task<string> TradesAsync() => Assert.Single(await stage.RowsAsync("SELECT count(*) FROM mt_events WHERE type = 'trade_executed'"));
            stage.Tell($"the next commit is cut, and the database stays away: {cut}");
            var isCut = proxy.CutNextCommitAsync(cut, thenDark: true);
            Assert.Equal((503, "ledger.unknown_outcome"), await BuyAsync() is var open ? (open.Status, open.Code) : default);
            await isCut;
            proxy.IsDark = false;
            await stage.UntilWriterAsync();

            // It is there already, or it is carried out now: once, whichever way it went.
            Assert.Equal(cut == Cut.BeforeAnswer ? "1" : "0", await TradesAsync());
            Assert.Equal((await BuyAsync()).Ok().Repeated, (await BuyAsync()).Ok().Repeated);
            Assert.Equal("1", await TradesAsync());
            await stage.AuditHoldsAsync();
        });
    }));

    /// <summary>A commit waits for the head row while somebody else takes the lease: when its turn comes, its epoch is over.</summary>
    [Theory]
    [FaultSeeds(1, 2)]
    public Task The_lease_is_stolen_while_a_commit_is_in_flight(int seed) => PlayAsync(seed, new StageOptions(), async stage =>
    {
        stage.LetClientsTrade();
        for (var theft = 0; theft < 2; theft++)
        {
            await stage.MoreTradesAsync(stage.Dice.Next(20, 200));
            await using var thief = new NpgsqlConnection(stage.Superuser);
            await thief.OpenAsync();
            stage.Tell("a thief holds the head row, with the next epoch in it");
            await using var taking = await thief.BeginTransactionAsync();
            var head = await AskAsync<long>(thief, "SELECT new_position FROM ledger_take_lease('main', 'thief')");
            await stage.UntilRowAsync(CommitWaits);
            await stage.EndLeaseSessionAsync();
            await AskAsync<object>(thief, "SELECT pg_advisory_lock(5063248, 2)");
            await taking.CommitAsync();
            stage.Tell("the theft is done");

            await Task.Delay(stage.Dice.Next(100, 600));
            Assert.Equal(head, await AskAsync<long>(thief, "SELECT max(seq_id) FROM mt_events"));
            var refused = await stage.Api.BuyAsync(stage.Markets[0], "account0", "YES", "1");
            Assert.Equal((503, "ledger.not_writer"), (refused.Status, refused.Code));
        }

        await stage.MoreTradesAsync(100);
        Assert.True(stage.Refusals.ContainsKey("ledger.not_writer"));
        await stage.HoldsAsync();
    });

    /// <summary>Another process leads for a while, and writes: the old writer commits nothing after it, and goes on from where the other ended.</summary>
    [Theory]
    [FaultSeeds(1, 2)]
    public Task The_lease_goes_to_another_process_under_load(int seed) => PlayAsync(seed, new StageOptions(), async stage =>
    {
        stage.LetClientsTrade();
        await using var other = new PostgresEventStore(stage.Host.Database.Connections);
        for (var round = 0; round < 3; round++)
        {
            await stage.MoreTradesAsync(stage.Dice.Next(20, 200));
            await stage.EndLeaseSessionAsync();
            Lease? lease;
            while ((lease = await other.TryAcquireAsync("another process", CancellationToken.None)) is null)
            {
                await stage.EndLeaseSessionAsync();
            }

            await using (lease)
            {
                stage.Tell($"another process leads from {lease.Position}");
                await Task.Delay(stage.Dice.Next(0, 500));
                var account = new AccountId($"other{round}");
                var at = Instant.Max(Instant.FromUnixTimeTicks(SystemClock.Instance.GetCurrentInstant().ToUnixTimeTicks() / 10 * 10), lease.At.PlusTicks(10));
                var opened = new NewEvent(Guid.CreateVersion7(), account.Stream, 1, Slices.Catalog().Encode(new AccountOpened(account, at)), at, "another", $"another {round}", """{"actor":"op-1"}"""u8.ToArray());
                Assert.Equal(lease.Position + 1, await other.AppendAsync(lease, new Batch(opened)));
                await Task.Delay(stage.Dice.Next(0, 500));
                Assert.Equal(lease.Position + 1, await other.HeadAsync(CancellationToken.None));
            }
        }

        await stage.MoreTradesAsync(100);
        await stage.HoldsAsync();
    });

    [Theory]
    [FaultSeeds(1, 2)]
    public async Task The_clock_steps_back(int seed)
    {
        var clock = new MovableClock();
        await PlayAsync(seed, new StageOptions { Clock = clock }, async stage =>
        {
            async Task<string> ClosingInAsync(Duration time) => await stage.Api.MarketAsync(
                "house", new { closesAt = InstantPattern.ExtendedIso.Format((clock.GetCurrentInstant() + time).PlusTicks(-(clock.GetCurrentInstant() + time).ToUnixTimeTicks() % 10_000_000)) });
            var (soon, late) = (await ClosingInAsync(Duration.FromHours(1)), await ClosingInAsync(Duration.FromHours(5)));
            stage.LetClientsTrade();
            foreach (var hours in new[] { -3, +5, -2, -24 })
            {
                await stage.MoreTradesAsync(stage.Dice.Next(20, 200));
                stage.Tell($"the clock steps by {hours} hours");
                clock.Advance(Duration.FromHours(hours) + Duration.FromSeconds(stage.Dice.Next(60)));
                var asked = Stopwatch.StartNew();
                await stage.MoreTradesAsync(20);
                Assert.True(asked.Elapsed < TimeSpan.FromSeconds(5), $"20 trades took {asked.Elapsed} after the clock had been moved.");
                if (hours > 0)
                {
                    // Two hours ahead of where it began: the first market's time has come, the second's has not.
                    await stage.Api.UntilAsync(soon, "Closed");
                }
            }

            // What is closed stays closed; what is open trades on, at the ledger's time, and closes when its time has come.
            Assert.Equal("markets.closed", (await stage.Api.BuyAsync(soon, "account0", "YES", "1")).Code);
            await stage.BuyAsync(late);
            clock.Advance(Duration.FromHours(24 + 2 + 4));
            await stage.Api.UntilAsync(late, "Closed");
            await stage.HoldsAsync();
        });
    }

    /// <summary>Commands that are bugs, each of its own kind: its caller hears of it, and nobody else does.</summary>
    [Theory]
    [FaultSeeds(1, 2)]
    public Task Poisoned_commands_hurt_only_their_callers(int seed) => PlayAsync(seed, new StageOptions(), async stage =>
    {
        var stream = new AccountId("account0").Stream;
        var account = Account.Fold.Of(stream);
        Dictionary<string, Operation> poisons = new()
        {
            ["throws"] = Operation.On(account, (_, _) => throw new DivideByZeroException()),
            ["does not fold"] = Operation.On(account, (at, _) => [stream.With(new AccountOpened(new("account0"), at))]),
            ["folds at first"] = Operation.On(account, (at, _) => [stream.With(new CreditsGranted(Credits.FromUnits(1), "half", at)), stream.With(new AccountOpened(new("account0"), at))]),
            ["has no name"] = Operation.On(account, (_, _) => [stream.With("an event of no slice")]),
            ["writes where it does not read"] = Operation.On(account, (at, _) => [StreamId.Of("account", "unread").With(new AccountOpened(new("unread"), at))]),
            ["cannot be stored"] = Operation.On(account, (at, _) => [stream.With(new CreditsGranted(Credits.FromUnits(1), "a\0b", at))]),
        };
        stage.LetClientsTrade();
        for (var n = 0; n < 60; n++)
        {
            var (name, poison) = poisons.ElementAt(n < poisons.Count ? n : stage.Dice.Next(poisons.Count));
            var key = new CommandKey("op-1", $"poison-{n}");
            stage.Tell($"a command that {name}");
            var epoch = stage.Writer.Epoch;
            var error = await Record.ExceptionAsync(() => stage.Writer.SubmitAsync(poison, new("op-1", "poison", key, new byte[] { 1 }), CancellationToken.None));
            Assert.False(error is null or UnknownOutcomeException or LedgerBusyException, $"A command that {name} was told: {error}");
            Assert.Equal(epoch, stage.Writer.Epoch);
            Assert.Empty(await stage.Host.Database.Store.FindCommandsAsync([key], CancellationToken.None));
        }

        await stage.MoreTradesAsync(50);
        // Nobody else was even put off.
        Assert.Empty(stage.Refusals);
        await stage.HoldsAsync();
    });

    /// <summary>One command of 5,000 events, with its session ended in the middle of it: all of it is there, once.</summary>
    [Theory]
    [FaultSeeds(1, 2)]
    public Task A_command_of_five_thousand_events_is_there_once_or_not_at_all(int seed) => PlayAsync(seed, new StageOptions(), async stage =>
    {
        // Cash goes to a market and comes back, again and again: nothing changes, in 5,000 steps.
        var accounts = Enumerable.Range(0, 6).Select(n => new AccountId($"account{n}")).ToList();
        var (market, one) = (new MarketId(stage.Markets[0]), Credits.FromUnits(1));
        var operation = Operation.On([.. accounts.Select(a => (StateRef)Account.Fold.Of(a.Stream))], (_, at) =>
        [
            .. Enumerable.Range(0, 2_500).SelectMany(n => new[]
            {
                accounts[n % 6].Stream.With(new AccountDebited(one, PostingKind.Liquidity, market, "to and fro", at)),
                accounts[n % 6].Stream.With(new AccountCredited(one, PostingKind.Liquidity, market, "to and fro", at)),
            }),
        ]);
        stage.LetClientsTrade();
        await stage.MoreTradesAsync(50);
        for (var n = 0; n < 3; n++)
        {
            var key = new CommandKey("op-1", $"large-{n}");
            var interrupted = false;
            for (var outcome = default(CommandOutcome); outcome is null;)
            {
                var asking = stage.Writer.SubmitAsync(operation, new("op-1", "large", key, new byte[] { 1 }), CancellationToken.None);
                if (!interrupted)
                {
                    await Task.Delay(stage.Dice.Next(0, 300));
                    stage.Tell("the session that commits is ended");
                    await stage.RowsAsync("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%ledger_seal%' AND pid <> pg_backend_pid() AND datname = current_database()");
                    interrupted = true;
                }

                var error = await Record.ExceptionAsync(async () => outcome = await asking);
                Assert.True(error is null or LedgerBusyException or NotWriterException or UnknownOutcomeException, $"{error}");
                Assert.Equal(outcome is null ? 0 : 5_000, outcome?.Events.Count ?? 0);
                await stage.UntilWriterAsync();
            }
        }

        await stage.MoreTradesAsync(50);
        await stage.HoldsAsync();
        Assert.Equal(["3|15000"], await stage.RowsAsync("SELECT count(DISTINCT causation_id), count(*) FROM mt_events WHERE data ->> 'reference' = 'to and fro'"));
    });

    /// <summary>5,000 commands at once, while the database holds the commit up: the queue takes what it may, and the rest is refused at once.</summary>
    [Theory]
    [FaultSeeds(1)]
    public Task A_full_queue_refuses_and_loses_nothing(int seed) => PlayAsync(seed, new StageOptions(), async stage =>
    {
        var sent = new List<Task<CommandOutcome>>();
        await using (var jam = new NpgsqlConnection(stage.Superuser))
        {
            await jam.OpenAsync();
            await using var holding = await jam.BeginTransactionAsync();
            await AskAsync<long>(jam, "SELECT position FROM ledger_head FOR UPDATE");
            stage.Tell("the head row is held; 6,000 trades come at once");
            sent.AddRange(Enumerable.Range(0, 6_000).Select(BuyAsync));
            // While one batch waits for the database, the writer takes one more to decide ahead; from then on the queue stays full.
            await stage.UntilRowAsync(CommitWaits);
            for (var refusals = 0; refusals < 50;)
            {
                sent.Add(BuyAsync(sent.Count));
                refusals = sent[^1].IsFaulted ? refusals + 1 : 0;
                await Task.Delay(refusals == 0 ? 0 : 10);
            }

            var asked = Stopwatch.StartNew();
            var refused = await stage.Api.BuyAsync(stage.Markets[0], "account0", "YES", "1", "over-http");
            Assert.Equal((503, "ledger.busy"), (refused.Status, refused.Code));
            Assert.Equal(TimeSpan.FromSeconds(1), refused.Headers.RetryAfter?.Delta);
            Assert.True(asked.Elapsed < TimeSpan.FromSeconds(2), $"It was refused after {asked.Elapsed}: {refused}. {stage.Writer.QueueDepth} are waiting of {sent.Count}.");
            stage.Tell("the head row is free");
            await holding.RollbackAsync();
        }

        var outcomes = await Task.WhenAll(sent.Select(async task => (Error: await Record.ExceptionAsync(() => task), Task: task)));
        Assert.All(outcomes, outcome => Assert.True(outcome.Error is null or LedgerBusyException, $"{outcome.Error}"));
        var accepted = outcomes.Count(outcome => outcome.Error is null);
        output.WriteLine($"{accepted} taken, {outcomes.Length - accepted} refused");
        Assert.InRange(accepted, 4_096, sent.Count - 20);
        Assert.Equal([$"{accepted}"], await stage.RowsAsync("SELECT count(*) FROM mt_events WHERE type = 'trade_executed'"));

        // With the same keys, all of them; those that were carried out are not carried out again.
        foreach (var some in Enumerable.Range(0, sent.Count).Chunk(2_000))
        {
            var again = await Task.WhenAll(some.Select(BuyAsync));
            Assert.Equal(some.Where(n => outcomes[n].Error is null), some.Where(n => again[n - some[0]].Replayed));
            Assert.All(some.Where(n => outcomes[n].Error is null), n => Assert.Equal(outcomes[n].Task.Result.Position, again[n - some[0]].Position));
        }

        Assert.Equal([$"{sent.Count}|{sent.Count}"], await stage.RowsAsync("SELECT count(*), count(DISTINCT data ->> 'tradeId') FROM mt_events WHERE type = 'trade_executed'"));
        await stage.AuditHoldsAsync();

        Task<CommandOutcome> BuyAsync(int n)
        {
            var (market, account) = (new MarketId(stage.Markets[n % 3]), new AccountId($"account{n % 6}"));
            var operation = TradeOperation.Of(
                market, account, at => new BuyShares(market, account, $"bulk{n}", n % 2 == 0 ? "YES" : "NO", Credits.FromUnits(Decimal8.One), null, at));
            return stage.Writer.SubmitAsync(operation, new("op-1", "bulk", new CommandKey("op-1", string.Create(CultureInfo.InvariantCulture, $"bulk-{n}")), new byte[] { 1 }), CancellationToken.None);
        }
    });

    private Task PlayAsync(int seed, StageOptions options, Func<FaultStage, Task> story) => FaultStage.PlayAsync(seed, options, async stage =>
    {
        await story(stage);
        output.WriteLine(stage.Summary());
    });

    private static async Task<T> AskAsync<T>(NpgsqlConnection session, string sql)
    {
        await using var command = new NpgsqlCommand(sql, session);
        return (T)(await command.ExecuteScalarAsync())!;
    }
}

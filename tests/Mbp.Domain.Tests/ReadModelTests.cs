using FsCheck;
using FsCheck.Fluent;
using Mbp.Domain.Accounts;
using Mbp.Domain.Audit;
using Mbp.Domain.Markets;
using Mbp.Domain.Markets.Halts;
using Mbp.Domain.Pricing;
using Mbp.Domain.Resolution;
using Mbp.Domain.Settlement;
using Mbp.Domain.Tests.Trading;
using Mbp.Domain.Trading;
using Mbp.Domain.Units;
using Mbp.Ledger;
using Mbp.Testing;
using NodaTime;

namespace Mbp.Domain.Tests;

/// <summary>The read models' folds, without a database: rows against the states that decide.</summary>
public sealed class ReadModelTests
{
    private static readonly MarketId Rain = new("rain");
    private static readonly Instant Noon = Pools.Noon;
    private long _position;

    [Fact]
    public void Every_table_is_written_by_one_projection_and_every_name_is_used_once()
    {
        var tables = ReadModels.All.SelectMany(projection => projection.Tables).Select(table => table.Name).ToList();
        Assert.Equal(tables.Distinct(), tables);
        Assert.Equal(ReadModels.All.Select(projection => projection.Name).Distinct().Count(), ReadModels.All.Count);
        foreach (var table in ReadModels.All.SelectMany(projection => projection.Tables))
        {
            Assert.StartsWith("mbp_", table.Name, StringComparison.Ordinal);
            Assert.NotEmpty(table.KeyColumns);
            Assert.Subset(table.Columns.Select(column => column.Name).ToHashSet(), table.KeyColumns.ToHashSet());
        }
    }

    [Fact]
    public void The_board_and_the_positions_are_the_pool_after_any_sequence() => Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes =>
    {
        var (prices, positions) = (new MemoryRows(PriceProjection.Projection), new MemoryRows(PositionTables.Projection));
        var pool = Pool.Empty(["YES", "NO"], 5_000);
        var track = PriceTrack.Empty;
        Take(Created(), prices, positions);
        var at = Noon;
        Change(LiquidityRules.Open(pool, Pools.House, Pools.Cash("1000"), [3, 2], at));
        for (var i = 0; i + 2 < bytes.Length; i += 3)
        {
            at += Duration.FromSeconds(bytes[i + 2]) + Duration.FromTicks(10);
            var account = bytes[i] % 2 == 0 ? Pools.Ana : Pools.House;
            var (outcome, held) = (pool.Outcomes[bytes[i] / 2 % 2], pool.HolderOf(account));
            Change((bytes[i] / 4 % 4) switch
            {
                0 => PoolRules.Buy(pool, "t", account, outcome, new Credits((bytes[i + 1] + 1L) * 10_000_000), null, at),
                1 => PoolRules.Sell(pool, "t", account, outcome, new Shares(held.Shares[pool.IndexOf(outcome)].Units / (bytes[i + 1] % 3 + 1)), null, at),
                2 => LiquidityRules.Add(pool, account, new Credits((bytes[i + 1] + 1L) * 10_000_000), at),
                _ => LiquidityRules.Remove(pool, account, new LpShares(held.LpShares.Units / (bytes[i + 1] % 3 + 2)), at),
            });
        }

        void Change(Decision<PoolEvent> decision)
        {
            if (decision.Rejection is not null)
            {
                return;
            }

            var @event = Assert.Single(decision.Events);
            pool = Pool.Evolve(pool, @event);
            Take(@event, prices, positions);
            track = track.Observe(@event.Prices, @event.At);

            var board = Assert.Single(prices.Of(PriceTables.Board));
            Assert.Equal((pool.Reserves, pool.Prices, pool.Locked.Units, pool.LpSupply.Units, (Int128)pool.FeesCollected.Units),
                (board.Reserves, board.Prices, board.Locked, board.LpSupply, board.Fees));
            var twap = Assert.Single(prices.Of(PriceTables.Twap));
            Assert.Equal(track.Sums, twap.Sums);
            foreach (var (account, holder) in pool.Holders)
            {
                for (var o = 0; o < 2; o++)
                {
                    var row = positions.Of(PositionTables.Positions).SingleOrDefault(p => p.AccountId == account.Value && p.Outcome == pool.Outcomes[o]);
                    Assert.Equal(holder.Shares[o].Units, row?.Shares ?? 0);
                    Assert.True((row?.Cost ?? 0) >= 0 && ((row?.Shares ?? 0) > 0 || (row?.Cost ?? 0) == 0), "Nothing held costs nothing.");
                }

                Assert.Equal(holder.LpShares.Units, positions.Of(PositionTables.LpPositions).SingleOrDefault(p => p.AccountId == account.Value)?.LpShares ?? 0);
                // Cost, sales and liquidity are the cash that moved, however it is divided among them.
                var rows = positions.Of(PositionTables.Positions).Where(p => p.AccountId == account.Value).ToList();
                var part = positions.Of(PositionTables.LpPositions).SingleOrDefault(p => p.AccountId == account.Value);
                var cash = rows.Aggregate((Int128)0, (sum, row) => sum + row.Realized - row.Cost) + (part?.Withdrawn ?? 0) + (part?.FeesClaimed ?? 0) - (part?.Deposited ?? 0);
                Assert.Equal((Int128)holder.Received.Units - holder.Paid.Units, cash);
            }
        }
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(100));

    [Fact]
    public void A_quotes_average_is_that_of_the_whole_history() => Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes =>
    {
        var (window, history) = (new PriceWindow(Duration.FromMinutes(15)), PriceHistory.Empty(Duration.FromDays(1)));
        var at = Noon;
        for (var i = 0; i + 1 < bytes.Length; i += 2)
        {
            // Some at the same instant, some an hour apart.
            at += Duration.FromSeconds(bytes[i] % 5 == 0 ? 0 : bytes[i] > 250 ? 3_600 : bytes[i]);
            var price = new Price((bytes[i + 1] + 1L) * 300_000);
            window.Add(at, price);
            history = history.Observe([price], at);
            foreach (var minutes in (int[])[1, 5, 15])
            {
                Assert.Equal(history.Twap(at, Duration.FromMinutes(minutes))!.Average(0), window.Average(at, Duration.FromMinutes(minutes)));
            }
        }
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    [Fact]
    public void A_statement_adds_up_to_the_balance_at_every_line()
    {
        var rows = new MemoryRows(BalanceTables.Projection);
        var account = new AccountId("ana").Stream;
        Take(account, new AccountOpened(new("ana"), Noon), rows);
        Take(account, new CreditsGranted(Pools.Cash("100"), "salary", Noon), rows);
        Take(account, new AccountDebited(Pools.Cash("30.5"), PostingKind.Trade, Rain, "t1", Noon), rows);
        Take(account, new AccountCredited(Pools.Cash("12"), PostingKind.Payout, Rain, "p1", Noon), rows);

        Int128 sum = 0;
        foreach (var line in rows.Of(BalanceTables.Postings).OrderBy(line => line.Position))
        {
            sum += line.Amount;
            Assert.Equal(sum, line.Balance);
        }

        Assert.Equal(Pools.Cash("81.5").Units, sum);
        Assert.Equal((Pools.Cash("81.5").Units, (Int128)Pools.Cash("100").Units), rows.Of(BalanceTables.Balances).Select(row => (row.Balance, row.Granted)).Single());
    }

    [Fact]
    public void A_posting_before_its_account_is_a_fault() =>
        Assert.Throws<InvalidOperationException>(() => Take(new AccountId("ana").Stream, new CreditsGranted(Pools.Cash("1"), "", Noon), new MemoryRows(BalanceTables.Projection)));

    [Fact]
    public void A_market_goes_through_its_phases()
    {
        var (rows, resolutions) = (new MemoryRows(MarketTable.Projection), new MemoryRows(ResolutionTable.Projection));
        List<string> seen = [];
        Then(Rain.Stream, Created());
        Then(Rain.Stream, new MarketCreatedTemplate("TPL-YESNO-01", 1, Pools.Cash("100"), [], Noon));
        Then(Rain.Stream, new MarketHalted(HaltLevel.Warn, "spike", Noon));
        Then(Rain.Stream, new MarketHalted(HaltLevel.Hard, "spike", Noon));
        Then(Rain.Stream, new MarketResumed("calm", Noon));
        Then(Rain.Stream, new MarketClosed("deadline", [], Noon));
        Then(Rain.Resolution, new ResolutionStarted(Rain, TruthSource.Manual, null, "1", "hash", Noon));
        Then(Rain.Resolution, new ManualProposed("YES", "https://evidence", "op-1", Noon));
        Then(Rain.Resolution, new ResolutionDetermined("YES", [], TruthSource.Manual, "https://evidence", ["op-1", "op-2"], Noon, Noon));
        Then(Rain.Resolution, new ResolutionFinished("YES", [], Noon));
        Then(Rain.Resolution, new SettlementPlanned(Rain, [], default, default, 0, default, default, default, "root", Noon));
        Then(Rain.Resolution, new MarketSettled(default, default, default, default, default, Noon));

        Assert.Equal(
            [
                "open Open none", "open Open none", "open Open warn", "paused Open hard", "open Open none", "paused Closed none", "paused Collecting none",
                "paused Collecting none", "paused Determined none", "resolved Finalized none", "resolved Settling none", "resolved Settled none",
            ],
            seen);
        var resolution = Assert.Single(resolutions.Of(ResolutionTable.Table));
        Assert.Equal(("YES", "op-1,op-2", "https://evidence", "manual", "trace"), (resolution.DecidedValue, resolution.DecidedBy, resolution.EvidenceUri, resolution.SourceKind, resolution.AuditTraceId));

        void Then(StreamId stream, object @event)
        {
            Take(stream, @event, rows, resolutions);
            var row = Assert.Single(rows.Of(MarketTable.Table));
            seen.Add($"{row.Status} {row.Phase} {row.HaltLevel}");
        }
    }

    [Fact]
    public void The_audit_trail_says_who_why_and_by_which_policy()
    {
        var rows = new MemoryRows(AuditTrail.Projection);
        Take(Rain.Stream, new MarketHalted(HaltLevel.Hard, "spike", Noon), rows);
        Take(new AccountId("ana").Stream, new CreditsGranted(Pools.Cash("1"), "salary", Noon), rows);
        Take(new AccountId("ana").Stream, new AccountDebited(Pools.Cash("1"), PostingKind.Trade, Rain, "t1", Noon), rows);

        var lines = rows.Of(AuditTrail.Table).OrderBy(line => line.Position).ToList();
        Assert.Equal(2, lines.Count);
        Assert.Equal(("rain", null, "op-1", "spike", "p1", "trace"), (lines[0].MarketId, lines[0].AccountId, lines[0].Actor, lines[0].Reason, lines[0].PolicyHash, lines[0].TraceId));
        Assert.Equal((null, "ana", "salary"), (lines[1].MarketId, lines[1].AccountId, lines[1].Reason));
    }

    private static MarketCreated Created() => new(
        Rain, "Will it rain?", "weather", MarketKind.Binary, ["YES", "NO"], null, null, TruthSource.Manual, null, Noon + Duration.FromDays(1), Noon + Duration.FromDays(2),
        5_000, "default", "hash", Pools.House, Noon);

    private void Take(object @event, params MemoryRows[] rows) => Take(Rain.Stream, @event, rows);

    private void Take(StreamId stream, object @event, params MemoryRows[] rows)
    {
        _position++;
        var recorded = new Recorded(
            new StoredEvent(_position, stream, _position, Guid.Empty, "type", default, Noon, "trace", "command", """{"actor":"op-1","policy_hash":"p1"}"""u8.ToArray()), @event);
        foreach (var one in rows)
        {
            one.Fold(recorded);
        }
    }
}

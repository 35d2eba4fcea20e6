using System.Diagnostics;
using Mbp.Host.Tests.Hosting;
using Xunit.Abstractions;

namespace Mbp.Host.Tests.Faults;

/// <summary>Many clients over HTTP, more than 100,000 operations, while PostgreSQL is killed and the lease is lost: one order of everything.</summary>
[Collection(FaultTestsRunAlone.Name)]
public sealed class LongHistoryTests(ITestOutputHelper output)
{
    private const int Operations = 100_000;
    private const int Faults = 8;

    [Theory]
    [FaultSeeds(1)]
    public async Task A_hundred_thousand_operations_under_faults_are_one_history(int seed)
    {
        using var folder = new ServerFolder();
        await FaultStage.PlayAsync(seed, new StageOptions { OwnServerIn = folder.Path, Clients = 32, ReadsPercent = 60 }, async stage =>
        {
            var watch = Stopwatch.StartNew();
            stage.LetClientsTrade();
            for (var fault = 1; fault <= Faults; fault++)
            {
                await stage.MoreAnswersAsync(Operations * fault / (Faults + 1) - stage.Answered);
                await (fault % 2 == 0 ? stage.EndLeaseSessionAsync() : stage.KillPostgresAsync(firstProcess: stage.Dice.Next(2) == 0));
            }

            await stage.MoreAnswersAsync(Operations - stage.Answered);
            await stage.StopClientsAsync();
            var asked = watch.Elapsed;
            await stage.HoldsAsync();
            output.WriteLine($"{stage.Summary()}\n{asked.TotalSeconds:0} s, and {(watch.Elapsed - asked).TotalSeconds:0} s to check");
            Assert.All(["ledger.busy", "ledger.not_writer"], code => Assert.Contains(code, stage.Refusals));
        });
    }
}

/// <summary>The checker must complain about every bad history that there can be, and about no good one. All of these are made by hand.</summary>
public sealed class HistoryTests
{
    // Two markets; two trades on the first, one on the second. A trade is two events: its posting and itself.
    private readonly List<Entry> _ledger =
    [
        new(1, "opening a", "a", ["0.5", "0.5"]),
        new(2, "opening b", "b", ["0.5", "0.5"]),
        new(3, "c1", Posting: "t1"), new(4, "c1", "a", ["0.6", "0.4"], "t1", 0, "0.5"),
        new(5, "c2", Posting: "t2"), new(6, "c2", "b", ["0.3", "0.7"], "t2", 1, "0.5"),
        new(7, "c3", Posting: "t3"), new(8, "c3", "a", ["0.55", "0.45"], "t3", 1, "0.4"),
    ];

    private readonly List<Told> _told =
    [
        new(1, "k1", "a", 10, 20, Verdict.Acknowledged, 4, "t1"),
        new(2, "k2", "b", 15, 30, Verdict.Acknowledged, 6, "t2"),
        new(1, "k3", "a", 31, 40, Verdict.Acknowledged, 8, "t3"),
        new(2, "k4", "a", 33, 50, Verdict.Refused),
        new(1, "k5", "b", 41, 50, Verdict.NotWritten),
    ];

    private readonly List<Seen> _seen =
    [
        new(1, "a", 21, 22, 4, 4, "0.6"), new(1, "b", 23, 24, 4, 2, "0.5"), new(2, "a", 31, 35, 6, 4, "0.6"), new(2, "a", 36, 45, 6, 8, "0.55"), new(1, "b", 41, 42, 8, 6, "0.3"),
    ];

    [Fact]
    public void A_good_history_holds() => Assert.Empty(Complaints());

    [Fact]
    public void A_gap() => Complains("Event 2 of the ledger has position 3.", () => _ledger.RemoveAt(1));

    [Fact]
    public void A_trade_without_its_cash() => Complains("trade t3 at 8 moved no cash", () => _ledger[6] = _ledger[6] with { Posting = null });

    [Fact]
    public void Cash_without_its_trade() => Complains("the trade t3 is missing", () => _ledger.RemoveAt(7));

    [Fact]
    public void Two_halves_of_different_commands() => Complains("Half a command", () => _ledger[6] = _ledger[6] with { Causation = "c9" });

    [Fact]
    public void A_trade_that_was_decided_on_a_stale_price() => Complains("The trade at 8 was decided at 0.5, and 4 had left the price at 0.4.", () => _ledger[7] = _ledger[7] with { Before = "0.5" });

    [Fact]
    public void A_trade_that_is_there_twice() => Complains("Trade t3 is in the ledger more than once: at 8 and 10.", () =>
        _ledger.AddRange([_ledger[6] with { Position = 9 }, _ledger[7] with { Position = 10, Before = "0.45" }]));

    [Fact]
    public void A_key_that_is_answered_twice() => Complains("Key k2 was answered for good more than once.", () => _told.Add(_told[1]));

    [Fact]
    public void Two_keys_that_claim_one_trade() => Complains("Keys k1 and k9 were told of the same trade t1.", () => _told.Add(_told[0] with { Key = "k9" }));

    [Fact]
    public void An_acknowledged_trade_that_is_lost() => Complains("and it is not there", () => _ledger.RemoveRange(6, 2));

    [Fact]
    public void An_acknowledged_trade_that_is_elsewhere() => Complains("that trade t1 is at 3 of a, and it is not there", () => _told[0] = _told[0] with { Position = 3 });

    [Theory]
    [InlineData(nameof(Verdict.Refused))]
    [InlineData(nameof(Verdict.NotWritten))]
    public void A_trade_that_is_there_and_was_denied(string verdict) => Complains("Trade t3 at 8 was acknowledged to nobody", () =>
        _told[2] = _told[2] with { Verdict = Enum.Parse<Verdict>(verdict), Position = 0, TradeId = "" });

    [Fact]
    public void An_order_that_is_not_that_of_time_on_one_market() => Complains("Key k3 was answered before key k1 was sent, and is after it: 8 and 4.", () =>
        (_told[0], _told[2]) = (_told[0] with { Start = 60, End = 70 }, _told[2] with { Start = 31, End = 40 }));

    [Fact]
    public void An_order_that_is_not_that_of_time_across_markets() => Complains("Key k3 was answered before key k2 was sent, and is after it: 8 and 6.", () => _told[1] = _told[1] with { Start = 41, End = 50 });

    [Fact]
    public void A_read_that_goes_back() => Complains("Client 2 saw a at 8, and then at 4.", () => _seen.Add(new(2, "a", 46, 47, 3, 4, "0.6")));

    [Fact]
    public void A_read_that_is_older_than_asked_for() => Complains("Client 3 asked for 5 and saw a at 1, without its event at 4.", () => _seen.Add(new(3, "a", 46, 47, 5, 1, "0.5")));

    [Fact]
    public void A_read_of_what_never_was() => Complains("saw a at 10, where no event of it is", () => _seen.Add(new(3, "a", 46, 47, 5, 10, "0.5")));

    [Fact]
    public void A_read_of_half_a_state() => Complains("Client 3 saw a at 8 with the price 0.6 instead of 0.55.", () => _seen.Add(new(3, "a", 46, 47, 5, 8, "0.6")));

    [Fact]
    public void A_read_of_the_future() => Complains("Client 3 saw the trade at 8 before it was sent.", () => _seen.Add(new(3, "a", 25, 26, 5, 8, "0.55")));

    private void Complains(string of, Action spoil)
    {
        spoil();
        Assert.Contains(Complaints(), complaint => complaint.Contains(of, StringComparison.Ordinal));
    }

    private IReadOnlyList<string> Complaints() => History.Complaints(_ledger, _told, _seen);
}

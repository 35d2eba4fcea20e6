using System.Globalization;
using Mbp.Domain.Settlement;
using Mbp.Host.Settlement;
using Mbp.Host.Tests.Hosting;
using Mbp.Host.Tests.Protection;
using NodaTime;

namespace Mbp.Host.Tests;

/// <summary>Many markets at once: all of them get through, and none waits for another's payouts.</summary>
public sealed class ManyDeadlinesTests(HostFixture fixture) : IClassFixture<HostFixture>
{
    private const int Markets = 250;

    private Api Api => fixture.Api;

    [Fact]
    public async Task Markets_that_close_resolve_and_pay_in_the_same_minute_all_get_through()
    {
        // One at a time and a payout a commit: whoever pays, pays for long.
        await fixture.RestartAsync(fixture.Options with { PayoutsPerCommit = 1 });
        var closesAt = fixture.Clock.GetCurrentInstant() + Duration.FromHours(1);
        await Api.AccountAsync("house", "10000000");
        foreach (var account in Enumerable.Range(0, 4).Select(Trader))
        {
            await Api.AccountAsync(account, "100000");
        }

        await EachAsync(async number =>
        {
            await Api.MarketAsync("house", new { id = Id(number), liquidity = "1000", closesAt = closesAt.ToString("uuuu-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture) });
            (await Api.BuyAsync(Id(number), Trader(number % 4), number % 2 == 0 ? "YES" : "NO", "5")).Ok();
        });
        fixture.Clock.Advance(Duration.FromHours(1) + Duration.FromSeconds(1));
        await EachAsync(number => Api.UntilAsync(Id(number), "Closed"));
        await EachAsync(async number =>
        {
            (await Api.PostAsync($"/v2/markets/{Id(number)}/resolution/start")).Ok();
            (await Api.PostAsync($"/v2/markets/{Id(number)}/resolution/manual", new { value = "INVALID", evidenceUri = "urn:gauge" })).Ok();
            (await fixture.Second.PostAsync($"/v2/markets/{Id(number)}/resolution/manual/approve")).Ok();
        });
        await EachAsync(number => Api.UntilAsync(Id(number), "Settled"));

        var ledger = await LedgerReading.AllAsync(fixture.Host.Database.Store);
        Assert.Equal(Markets, ledger.Count(r => r.Data is MarketSettled));
        Assert.Equal(2 * Markets, ledger.Count(r => r.Data is PayoutRecorded));
        LedgerReading.Audit(ledger, Domain.Audit.Check.SettledInFull);

        static string Id(int number) => $"m{number}";

        static string Trader(int number) => $"t{number}";
    }

    [Fact]
    public async Task No_more_postings_are_under_way_than_there_is_room_for()
    {
        var turns = new PostingTurns(10);
        await turns.EnterAsync(10, CancellationToken.None);
        var waiting = Enumerable.Range(0, 3).Select(_ => turns.EnterAsync(6, CancellationToken.None)).ToList();
        Assert.DoesNotContain(waiting, turn => turn.IsCompleted);
        turns.Leave(10);
        await waiting[0].WaitAsync(TimeSpan.FromSeconds(5));
        Assert.False(waiting[1].IsCompleted);
        turns.Leave(6);
        await waiting[1].WaitAsync(TimeSpan.FromSeconds(5));
        turns.Leave(6);
        await waiting[2].WaitAsync(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task Turns_come_in_order_and_whoever_gives_up_takes_no_room()
    {
        var turns = new PostingTurns(10);
        await turns.EnterAsync(8, CancellationToken.None);
        using var giveUp = new CancellationTokenSource();
        var large = turns.EnterAsync(10, giveUp.Token);
        // Small as it is, it does not pass by the one before it: a large market would never have its turn.
        var small = turns.EnterAsync(1, CancellationToken.None);
        Assert.False(small.IsCompleted);
        await giveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => large);
        turns.Leave(8);
        await small.WaitAsync(TimeSpan.FromSeconds(5));
        turns.Leave(1);
        await turns.EnterAsync(10, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(5));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => turns.EnterAsync(11, CancellationToken.None));
    }

    private static Task EachAsync(Func<int, Task> step) => Parallel.ForEachAsync(
        Enumerable.Range(0, Markets), new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (number, _) => await step(number));
}

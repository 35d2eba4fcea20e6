using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Mbp.Domain.Audit;
using Mbp.Domain.Payments;
using Mbp.Host.Tests.Hosting;
using Mbp.Host.Tests.Protection;
using NodaTime;
using Xunit.Abstractions;

namespace Mbp.Host.Tests.Payments;

/// <summary>Some hundred withdrawals on a rail that makes every mistake, a host that restarts among them, and the day's reconciliation.</summary>
public sealed class PayoutRunTests(PayoutGround ground, ITestOutputHelper output) : IClassFixture<PayoutGround>
{
    private const int Count = 300;
    private const int Accounts = 10;

    private Api Api => ground.Api;

    private string Journal => Path.Combine(ground.Books, "journal.jsonl");

    [Fact]
    public async Task Three_hundred_withdrawals_with_faults_end_at_a_hundred_percent()
    {
        for (var a = 0; a < Accounts; a++)
        {
            await Api.AccountAsync($"run{a}", "1000");
        }

        var ids = new List<string>();
        for (var n = 0; n < Count; n++)
        {
            ids.Add(await ground.WithdrawAsync($"run{n % Accounts}", string.Create(CultureInfo.InvariantCulture, $"{1 + (n % 7)}.{n:00000000}"), $"payee.{n}"));
            if (n % 100 == 60)
            {
                await ground.Host.RestartAsync(ground.Options);
            }
        }

        // Time passes until nothing moves but what only the statement can tell.
        for (var until = DateTimeOffset.UtcNow.AddSeconds(150); (await OpenAsync()).Any(state => state != "waiting") || (await WaitingAsync()).Any(item => (long)item["attempts"]! < 12); await Task.Delay(200))
        {
            Assert.True(DateTimeOffset.UtcNow < until, "They do not come to their ends.");
            ground.Host.Clock.Advance(Duration.FromSeconds(5));
        }

        ground.Host.Clock.Advance(Duration.FromMinutes(2));
        await Task.Delay(2_000);
        await ground.ConservationAsync();

        // The day after: payments that nobody was told of are found on the statement, and recorded.
        ground.Host.Clock.Advance(Duration.FromDays(1));
        var (exit, text) = await ground.ReconcileAsync("--day", ground.Day, "--json");
        output.WriteLine(text);
        var first = JsonNode.Parse(text)!.AsObject();
        Assert.Equal((0, "100.00", true), (exit, first.Text("matchedPercent"), (bool)first["final"]!));
        Assert.True((int)first["repaired"]! > 0, "No payment was silent.");
        Assert.True((int)first["failures"]! > 30 && (long)first["repairMedianMs"]! > 0, text);
        Assert.Equal(first.Text("reportSha256"), Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(first.Text("report")))));

        // Nothing is on its way any more; the second run has nothing to repair, and the third is no news.
        var conservation = await ground.ConservationAsync();
        Assert.Equal("0", conservation.Text("onTheWay"));
        Assert.Equal(0, (await ground.ReconcileAsync("--day", ground.Day)).Exit);
        var head = await ground.Host.Host.Database.Store.HeadAsync(CancellationToken.None);
        (exit, text) = await ground.ReconcileAsync("--day", ground.Day);
        output.WriteLine(text);
        Assert.Equal((0, head), (exit, await ground.Host.Host.Database.Store.HeadAsync(CancellationToken.None)));

        var ledger = await LedgerReading.AllAsync(ground.Host.Host.Database.Store);
        var audit = LedgerReading.Audit(ledger, Check.OnePayout, Check.Conservation);
        Assert.Equal(0, audit.OnTheWayUnits);
        var states = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var id in ids)
        {
            var name = audit.States.Withdrawal(id).GetType().Name;
            states[name] = states.GetValueOrDefault(name) + 1;
        }

        output.WriteLine(string.Join(", ", states.Select(state => $"{state.Value} {state.Key}")));
        Assert.Equal(["Failed", "Reversed", "Settled"], states.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(2, ledger.Count(recorded => recorded.Data is ReconciliationRecorded));

        // The rail's own books: one payment for each settled withdrawal, under the ledger's keys and no others.
        var orders = (await File.ReadAllLinesAsync(Journal)).Select(line => JsonNode.Parse(line)!["order"]).OfType<JsonObject>().Select(order => order.Text("key")).ToList();
        Assert.Equal(orders.Count, orders.Distinct(StringComparer.Ordinal).Count());
        Assert.Empty(orders.Except(ids, StringComparer.Ordinal));
        output.WriteLine($"{ground.Rails.Sum(rail => rail.Sent.Count)} sent, {ground.Rails.Sum(rail => rail.SentAgain.Count)} of them again");
        Assert.All(ground.Rails, rail => Assert.Empty(rail.SentAgain));

        await DiscrepanciesAreListedAsync(ids.First(id => audit.States.Withdrawal(id) is Withdrawal.Settled));
    }

    /// <summary>What somebody did to the rail's books is found and named, and nothing of it is repaired.</summary>
    private async Task DiscrepanciesAreListedAsync(string settled)
    {
        var lines = await File.ReadAllLinesAsync(Journal);
        await ground.Host.RestartAsync(ground.Options, whileStopped: () => File.WriteAllLines(
            Journal,
            // One payment is taken out of the books, and comes back under a key that nobody gave.
            lines.Select(line => line.Contains(settled, StringComparison.Ordinal) ? line.Replace(settled, "strange-key", StringComparison.Ordinal) : line)));
        var (exit, text) = await ground.ReconcileAsync("--day", ground.Day, "--json");
        output.WriteLine(text);
        Assert.Equal(1, exit);
        var found = JsonNode.Parse(text)!.AsObject();
        Assert.Equal("""{"missing_at_rail":1,"missing_in_ledger":1}""", found["discrepancies"]!.ToJsonString());
        Assert.Equal(["missing_at_rail", "missing_in_ledger"], found["items"]!.AsArray().Select(item => (string?)item!["class"]).Order(StringComparer.Ordinal));
        Assert.Equal(0, (int)found["repaired"]!);
        Assert.NotEqual("100.00", found.Text("matchedPercent"));
        Assert.Equal(2, (await ground.ReconcileAsync("--day", "yesterday")).Exit);
        Assert.Equal(2, (await ground.ReconcileAsync("--day", "2999-01-01")).Exit);
    }

    private async Task<List<string>> OpenAsync()
    {
        var open = new List<string>();
        foreach (var state in new[] { "requested", "submitted", "waiting" })
        {
            open.AddRange((await Api.AllAsync($"/v2/withdrawals?state={state}", 500)).Select(item => item.Text("state")));
        }

        return open;
    }

    private Task<IReadOnlyList<JsonObject>> WaitingAsync() => Api.AllAsync("/v2/withdrawals?state=waiting", 500);
}

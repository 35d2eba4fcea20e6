using System.Text.Json.Nodes;
using Mbp.Host.Tests.Hosting;
using Xunit.Abstractions;

namespace Mbp.Host.Tests.Payments;

/// <summary>kill -9 between what the rail did and what the ledger says: nobody is paid twice, nobody loses credits.</summary>
public sealed class PayoutKillTests(ITestOutputHelper output) : IAsyncLifetime, IDisposable
{
    private const int Rounds = 3;
    private const int PerRound = 8;

    private readonly ServerFolder _folder = new();
    private ChildHost? _host;

    private Api Api => _host!.Api;

    public async Task InitializeAsync() => _host = await ChildHost.StartAsync(_folder.Path);

    public async Task DisposeAsync() => await _host!.DisposeAsync();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_host_that_is_killed_after_the_rail_paid_pays_nobody_twice()
    {
        await Api.AccountAsync("ana", "1000");
        var ids = new List<string>();
        var (hanging, killedAtWork) = (0, 0);
        for (var round = 0; round < Rounds; round++)
        {
            for (var n = 0; n < PerRound; n++)
            {
                var payee = $"sim.{(n % 4 == 3 ? "times-out-after-paying" : "hangs-after-paying")}.{round}.{n}";
                ids.Add((await Api.PostAsync("/v2/accounts/ana/withdrawals", new { amount = "2", payee })).Ok()["id"]);
            }

            // Until the rail has paid somebody who will hear nothing of it.
            for (var until = DateTimeOffset.UtcNow.AddSeconds(30); Paid().Count <= hanging && DateTimeOffset.UtcNow < until;)
            {
                await Task.Delay(20);
            }

            var paid = Paid().Count;
            (killedAtWork, hanging) = (killedAtWork + paid - hanging, paid);
            await _host!.KillAsync();
            await _host.DisposeAsync();
            _host = await ChildHost.StartAsync(_folder.Path);
        }

        Assert.True(killedAtWork >= Rounds, "The rail had paid nobody when the host was killed.");
        for (var until = DateTimeOffset.UtcNow.AddSeconds(120); (await Api.AllAsync("/v2/accounts/ana/withdrawals", 100)).Any(item => item.Text("state") != "settled"); await Task.Delay(200))
        {
            Assert.True(DateTimeOffset.UtcNow < until, "They do not come to their ends.");
        }

        // To the unit, by the rail's books and by the ledger's.
        Assert.Equal(ids.Order(StringComparer.Ordinal), Paid().Order(StringComparer.Ordinal));
        Assert.Equal("952", (await Api.GetAsync("/v2/accounts/ana")).Ok()["balance"]);
        var conservation = (await Api.GetAsync("/v2/audit/conservation")).Ok().Json;
        Assert.Equal((true, "48", "0"), ((bool)conservation["holds"]!, conservation.Text("paidOut"), conservation.Text("onTheWay")));
        var today = (await Api.PostAsync("/v2/payouts/reconciliations", new { day = DateTimeOffset.UtcNow.ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture) })).Ok().Json;
        output.WriteLine($"{killedAtWork} orders had just been paid when the host was killed; {today.ToJsonString()}");
        Assert.Equal("100.00", today.Text("matchedPercent"));
    }

    /// <summary>The keys of the payments in the rail's own journal, each as often as it was paid.</summary>
    private List<string> Paid()
    {
        var journal = Path.Combine(_folder.Path, "rail", "journal.jsonl");
        return !File.Exists(journal) ? [] : [.. Lines(journal).Select(line => JsonNode.Parse(line)!["movement"]).OfType<JsonObject>().Where(moved => moved.Text("kind") == "settled").Select(moved => moved.Text("key"))];
    }

    // The host may be writing to it: only what is whole.
    private static string[] Lines(string journal)
    {
        while (true)
        {
            try
            {
                using var file = new FileStream(journal, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
                using var reader = new StreamReader(file);
                return reader.ReadToEnd().Split('\n')[..^1];
            }
            catch (IOException)
            {
                Thread.Sleep(5);
            }
        }
    }
}

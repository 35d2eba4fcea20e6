using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Mbp.Cli.Payments;
using Mbp.Domain.Payments;
using Mbp.Host.Payments;
using Mbp.Host.Platform;
using Mbp.Host.Tests.Hosting;
using NodaTime;

namespace Mbp.Host.Tests.Payments;

/// <summary>A host whose payouts are in a hurry, at the beginning of a day.</summary>
public sealed class PayoutGround : IAsyncLifetime
{
    public HostFixture Host { get; } = new();

    public Api Api => Host.Api;

    public MbpOptions Options => Host.Options with
    {
        Limits = false,
        Payouts = new PayoutTerms
        {
            Backoff = new PayoutBackoff(Duration.FromMilliseconds(50), Duration.FromMilliseconds(400)), Patience = TimeSpan.FromSeconds(2), ReconcilesDaily = false, Rail = clock => Watch(clock),
        },
    };

    /// <summary>Every rail that a host of this ground had.</summary>
    internal List<WatchedRail> Rails { get; } = [];

    /// <summary>The rail's own books.</summary>
    public string Books => Path.Combine(Host.Options.Data, "rail");

    /// <summary>The day on which everything happens, UTC.</summary>
    public string Day { get; private set; } = "";

    public async Task InitializeAsync()
    {
        await Host.InitializeAsync();
        var now = Host.Clock.GetCurrentInstant();
        // Far from both midnights.
        Host.Clock.Advance(now.InUtc().Date.PlusDays(1).AtStartOfDayInZone(DateTimeZone.Utc).ToInstant() + Duration.FromHours(6) - now);
        Day = Host.Clock.GetCurrentInstant().InUtc().Date.ToString("uuuu-MM-dd", CultureInfo.InvariantCulture);
        await Host.RestartAsync(Options);
    }

    public Task DisposeAsync() => Host.DisposeAsync();

    internal async Task<string> WithdrawAsync(string account, string amount, string payee, string? key = null) =>
        (await Api.PostAsync($"/v2/accounts/{account}/withdrawals", new { amount, payee }, key)).Ok()["id"];

    internal async Task<JsonObject> FindAsync(string id) => (await Api.GetAsync($"/v2/withdrawals/{id}")).Ok().Json["withdrawal"]!.AsObject();

    /// <summary>Waits until a withdrawal is in a state.</summary>
    internal async Task<JsonObject> UntilAsync(string id, string state, Action? meanwhile = null)
    {
        for (var until = DateTimeOffset.UtcNow.AddSeconds(60); ; await Task.Delay(50))
        {
            // The table follows the ledger a moment later: what was written by another client is not there at once.
            var answer = await Api.GetAsync($"/v2/withdrawals/{id}");
            if (answer.IsOk && answer.Json["withdrawal"]!.AsObject() is var found && found.Text("state") == state)
            {
                return found;
            }

            Assert.True(answer.Status is 200 or 404 && DateTimeOffset.UtcNow < until, $"It is not {state}: {answer}");
            meanwhile?.Invoke();
        }
    }

    internal async Task<string> BalanceAsync(string account) => (await Api.GetAsync($"/v2/accounts/{account}")).Ok()["balance"];

    internal async Task<JsonObject> ConservationAsync()
    {
        var found = (await Api.GetAsync("/v2/audit/conservation")).Ok().Json;
        Assert.True((bool)found["holds"]!, found.ToJsonString());
        return found;
    }

    private WatchedRail Watch(IClock clock)
    {
        Rails.Add(new WatchedRail(new SimulatedPixRail(Books, clock, seed: 20261128)));
        return Rails[^1];
    }

    /// <summary>The operator's command, as it is run.</summary>
    public async Task<(int Exit, string Output)> ReconcileAsync(params string[] more)
    {
        await using var output = new StringWriter();
        var root = new RootCommand("mbp") { ReconcileVerb.Create() };
        var exit = await root.Parse(["reconcile", "--url", Host.Host.Address.ToString(), "--data", Host.Options.Data, .. more])
            .InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, Output = output, Error = output });
        return (exit, output.ToString());
    }
}

using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Mbp.Domain.Governance.Rulesets;
using Mbp.Domain.Markets;
using Mbp.Domain.Resolution.Oracle;
using Mbp.Host.Tests.Hosting;
using Mbp.Ledger.Log;
using Mbp.Policies;
using NodaTime.Text;

namespace Mbp.Host.Tests.Resolution;

/// <summary>Five sources, a panel of three and three arbitrators with keys of their own, and the rule set that names them.</summary>
internal sealed class OracleHouse(HostFixture fixture, string ruleset)
{
    private readonly Dictionary<string, Ed25519PrivateKey> _keys = Names.ToDictionary(
        name => name, name => Ed25519PrivateKey.FromSeed(SHA256.HashData(Encoding.UTF8.GetBytes($"{name} of a test"))), StringComparer.Ordinal);

    private static IEnumerable<string> Names => [.. Of('s', 5), .. Of('p', 3), .. Of('a', 3)];

    private Api Api => fixture.Api;

    /// <summary>Publishes the rule set, and opens a market under it whose value the sources report.</summary>
    public async Task<string> MarketAsync(string house, object? more = null)
    {
        var yaml = BuiltInPolicies.Yaml(BuiltInPolicies.Default)
            .Replace("name: default", $"name: {ruleset}", StringComparison.Ordinal)
            .Replace("  arbitration_hours: 6\n", $"  arbitration_hours: 6\n  panel:\n{Voters('p', 3)}  arbitrators:\n{Voters('a', 3)}", StringComparison.Ordinal)
            + $"""

            oracle:
              sources:
            {Voters('s', 5)}  round_minutes: [15, 30, 60, 120]
              late_seconds: 2
              stale_seconds: 300
              tolerance_bps: 50
              failover:
                failed_rounds: 2
                good_rounds: 3
                dwell_seconds: 300
              reputation:
                agreed_ppm: 10000
                disagreed_ppm: 100000
                equivocated_ppm: 500000
                floor_ppm: 100000
            """;
        var read = PolicyFile.Read(yaml);
        Assert.True(read.Policy is not null, string.Join("\n", read.Faults));
        var signature = RulesetNote.Of(read.Policy!).Sign((await fixture.Host.Database.Log.SignerAsync(CancellationToken.None))!);
        (await Api.PostAsync("/v2/rulesets", new { yaml, signature })).Ok();
        await Api.AccountAsync(house, "1000000");
        return await Api.MarketAsync(house, more ?? new { ruleset, @params = new { truthSource = "oracle" } });
    }

    public Task<Answer> ReportAsync(string market, string source, string value, int round = 1)
    {
        var seen = fixture.Clock.GetCurrentInstant();
        return Api.PostAsync($"/v2/markets/{market}/resolution/reports", new
        {
            source, round, value, observedAt = InstantPattern.ExtendedIso.Format(seen), evidence = "sha256:00",
            signature = Sign(source, Statement.Report(new MarketId(market), round, value, seen, "sha256:00")),
        });
    }

    public Task<Answer> RuleAsync(string market, string judge, string value, int dispute = 1) => Api.PostAsync(
        string.Create(CultureInfo.InvariantCulture, $"/v2/markets/{market}/resolution/disputes/{dispute}/rulings"),
        new { judge, value, evidenceUri = "urn:ruling", signature = Sign(judge, Statement.Ruling(new MarketId(market), dispute, value, "urn:ruling")) });

    /// <summary>Waits until the market's clock has brought it to a phase.</summary>
    public async Task PhaseAsync(string market, string phase)
    {
        var seen = "";
        for (var until = DateTimeOffset.UtcNow.AddSeconds(60); DateTimeOffset.UtcNow < until; await Task.Delay(50))
        {
            seen = (await Api.GetAsync($"/v2/markets/{market}")).Ok()["phase"];
            if (seen == phase)
            {
                return;
            }
        }

        Assert.Fail($"{market} is {seen}, not {phase}");
    }

    private string Sign(string who, string statement) => Convert.ToBase64String(_keys[who].Sign(Encoding.UTF8.GetBytes(statement)));

    private string Voters(char kind, int count) => string.Concat(Of(kind, count).Select(name =>
        $"    - id: {name}\n      key: {Convert.ToBase64String(_keys[name].PublicKey.Span)}\n      weight: 1\n      group: g-{name}\n"));

    private static IEnumerable<string> Of(char kind, int count) => Enumerable.Range(1, count).Select(i => string.Create(CultureInfo.InvariantCulture, $"{kind}{i}"));
}

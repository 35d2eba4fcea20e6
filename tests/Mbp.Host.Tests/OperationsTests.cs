using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Mbp.Host.Tests.Hosting;
using Mbp.Testing;

namespace Mbp.Host.Tests;

/// <summary>What operators, probes and clients' tools read.</summary>
public sealed partial class OperationsTests(HostFixture fixture) : IClassFixture<HostFixture>
{
    private Api Api => fixture.Api;

    [Fact]
    public async Task Readiness_names_each_part_and_asks_for_no_key()
    {
        using var anybody = Api.As(otherKey: null);
        var ready = (await anybody.GetAsync("/health/ready")).Ok().Json;
        Assert.True((bool)ready["ready"]!);
        Assert.Equal(["leading", "following", "published"], new[] { "writer", "readModels", "templates" }.Select(part => (string?)ready["components"]![part]));
        Assert.True((bool)(await anybody.GetAsync("/health/live")).Ok().Json["live"]!);
    }

    [Fact]
    public async Task The_status_tells_the_ledgers_numbers_and_warns_of_missing_limits()
    {
        var account = await Api.AccountAsync("counted", "5");
        await Api.GetAsync($"/v2/accounts/{account}");
        var status = (await Api.GetAsync("/status")).Ok().Json;
        Assert.True((bool)status["writer"]!);
        Assert.Equal("on", (string?)status["limits"]);
        Assert.Empty(status["warnings"]!.AsArray());
        Assert.Equal(await fixture.Host.Database.Store.HeadAsync(CancellationToken.None), (long)status["position"]!);

        await fixture.RestartAsync(fixture.Options with { Limits = false });
        status = (await Api.GetAsync("/status")).Ok().Json;
        Assert.Equal("OFF", (string?)status["limits"]);
        Assert.Contains("quotas are off", (string?)status["warnings"]![0], StringComparison.Ordinal);
        await fixture.RestartAsync();
    }

    [Fact]
    public async Task The_metrics_are_prometheus_text()
    {
        // In a process of its own: meters are the process's, and hosts of other tests would show up on the page.
        var data = Directory.CreateTempSubdirectory("mbp-metrics-");
        await using var host = await ChildHost.StartAsync(data.FullName, "--ephemeral");
        var house = await host.Api.AccountAsync("metered", "20000");
        var market = await host.Api.MarketAsync(house);
        (await host.Api.BuyAsync(market, house, "YES", "1")).Ok();
        var answer = await host.Api.GetAsync("/metrics");
        data.Delete(recursive: true);
        Assert.Equal("text/plain", answer.ContentType);
        Assert.EndsWith("\n", answer.Text, StringComparison.Ordinal);
        var types = new Dictionary<string, string>(StringComparer.Ordinal);
        var samples = new HashSet<string>(StringComparer.Ordinal);
        foreach (var line in answer.Text.TrimEnd('\n').Split('\n'))
        {
            if (line.StartsWith("# TYPE ", StringComparison.Ordinal))
            {
                var words = line.Split(' ');
                Assert.Contains(words[3], new[] { "counter", "gauge", "histogram" });
                Assert.True(types.TryAdd(words[2], words[3]), $"{words[2]} is declared twice.");
            }
            else if (!line.StartsWith("# HELP ", StringComparison.Ordinal))
            {
                var sample = Sample().Match(line);
                Assert.True(sample.Success, $"No sample: {line}");
                var name = sample.Groups["name"].Value;
                Assert.True(types.ContainsKey(name) || types.GetValueOrDefault(Suffix().Replace(name, "")) == "histogram", $"{name} has no type.");
                Assert.True(samples.Add(name + sample.Groups["labels"].Value), $"{line} comes twice.");
            }
        }

        Assert.Contains("\nledger_leading 1\n", answer.Text, StringComparison.Ordinal);
        Assert.Contains("\nledger_queue_length 4096\n", answer.Text, StringComparison.Ordinal);
        Assert.Contains("\nledger_queue_depth 0\n", answer.Text, StringComparison.Ordinal);
        Assert.Equal("counter", types["trades_total"]);
        Assert.Equal("histogram", types.FirstOrDefault(type => type.Key.StartsWith("http_server_request_duration", StringComparison.Ordinal)).Value);
    }

    [Fact]
    public async Task The_contract_is_as_published()
    {
        using var anybody = Api.As(otherKey: null);
        var document = Snapshot.Indent((await anybody.GetAsync("/openapi/v2.json")).Ok().Text);
        Snapshot.Match(document, "json");
        var published = Path.Combine(Path.GetDirectoryName(Here())!, "..", "..", "specs", "openapi", "v2.json");
        if (Environment.GetEnvironmentVariable("MBP_ACCEPT") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(published)!);
            await File.WriteAllTextAsync(published, document);
        }

        Assert.Equal(document, await File.ReadAllTextAsync(published));
    }

    private static string Here([CallerFilePath] string file = "") => file;

    [GeneratedRegex("""^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?<labels>\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\\n]|\\["\\n])*"(,|(?=\})))*\})? (?<value>[-+]?(\d+(\.\d+)?([eE][-+]?\d+)?|Inf)|NaN)$""")]
    private static partial Regex Sample();

    [GeneratedRegex("_(bucket|sum|count)$")]
    private static partial Regex Suffix();
}

using System.Diagnostics;
using Mbp.Host.Tests.Hosting;

namespace Mbp.Host.Tests;

public sealed class StopTests(HostFixture fixture) : IClassFixture<HostFixture>
{
    [Fact]
    public async Task A_host_stops_at_once_whatever_it_waits_for()
    {
        await fixture.Api.AccountAsync("stopped", "1000");
        for (var i = 0; i < 10; i++)
        {
            await fixture.Api.GetAsync("/v2/markets");
            var took = Stopwatch.StartNew();
            await fixture.RestartAsync();
            Assert.True(took.Elapsed < TimeSpan.FromSeconds(10), $"Stop {i} took {took.Elapsed}.");
        }

        // A standby follows the database, where the writer follows itself.
        for (var i = 0; i < 5; i++)
        {
            var standby = await MbpHost.StartAsync(fixture.Options, CancellationToken.None);
            var took = Stopwatch.StartNew();
            await standby.DisposeAsync();
            Assert.True(took.Elapsed < TimeSpan.FromSeconds(10), $"Stop {i} of a standby took {took.Elapsed}.");
        }
    }
}

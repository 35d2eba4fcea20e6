using Mbp.Cli.Exercising;
using Mbp.Host.Platform;
using Mbp.Host.Tests.Hosting;
using Xunit.Abstractions;

namespace Mbp.Host.Tests.Protection;

/// <summary>The exercises of S3, section 7, on the real host with a test clock: each fails without its rule, and passes with it.</summary>
public sealed class ExerciseTests(HostFixture fixture, ITestOutputHelper output) : IClassFixture<HostFixture>, IAsyncLifetime
{
    // One for all of them: ledger time does not go back, so a host whose clock did would judge no tick.
    private static readonly TestClock Clock = new();

    public Task InitializeAsync() => fixture.RestartAsync(fixture.Options with { Clock = Clock });

    public Task DisposeAsync() => Task.CompletedTask;

    public static TheoryData<string> Names => [.. Exercises.All.Select(exercise => exercise.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task An_exercise_fails_without_its_rule_and_passes_with_it(string name)
    {
        using var stage = new ExerciseStage(fixture.Host.Address, fixture.Options.Data, fixture.Superuser);
        var result = await ExerciseVerb.RunAsync(Exercises.All.Single(exercise => exercise.Name == name), stage, CancellationToken.None);
        output.WriteLine($"without {result.Without}: {result.Control}\nwith it: {result.Observed}");
        Assert.True(result.Passed, $"without {result.Without}: {result.Control}\nwith it: {result.Observed}");
        LedgerReading.Audit(await LedgerReading.AllAsync(fixture.Host.Database.Store), Domain.Audit.Check.PolicyHash);
    }
}

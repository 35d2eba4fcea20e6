namespace Mbp.Host.Tests.Faults;

/// <summary>What goes wrong at night, one story each, under load and by seed. After each, every promise is looked at.</summary>
[Collection(FaultTestsRunAlone.Name)]
public sealed class FaultTests
{
    [Theory]
    [FaultSeeds(1, 2)]
    public async Task PostgreSQL_is_killed_again_and_again(int seed)
    {
        using var folder = new ServerFolder();
        await FaultStage.PlayAsync(seed, new StageOptions { OwnServerIn = folder.Path }, async stage =>
        {
            stage.LetClientsTrade();
            for (var kill = 0; kill < 3; kill++)
            {
                await stage.MoreTradesAsync(stage.Dice.Next(50, 500));
                await stage.KillPostgresAsync(firstProcess: kill == 0 || stage.Dice.Next(2) == 0);
            }

            await stage.MoreTradesAsync(200);
            await stage.HoldsAsync();
        });
    }
}

/// <summary>A folder that the server's user can pass through.</summary>
internal sealed class ServerFolder : IDisposable
{
    public ServerFolder()
    {
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(Path, (UnixFileMode)0b111_101_101);
        }
    }

    public string Path { get; } = Directory.CreateTempSubdirectory("mbp-fault-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

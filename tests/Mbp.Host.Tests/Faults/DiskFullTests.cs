using System.Diagnostics;
using System.Globalization;
using Xunit.Abstractions;

namespace Mbp.Host.Tests.Faults;

/// <summary>PostgreSQL's disk runs full under load, by the load itself or by somebody's file; later there is room again.</summary>
[Collection(FaultTestsRunAlone.Name)]
public sealed class DiskFullTests(ITestOutputHelper output)
{
    /// <summary>Either the tables cannot grow, and each batch is refused; or PostgreSQL's log cannot, which ends the server, and it cannot start either.</summary>
    [TmpfsTheory]
    [FaultSeeds(1, 2)]
    public async Task A_full_disk_refuses_and_what_comes_after_it_goes_on(int seed)
    {
        using var disk = new SmallDisk(megabytes: 192);
        await FaultStage.PlayAsync(seed, new StageOptions { OwnServerIn = disk.Folder }, async stage =>
        {
            for (var round = 0; round < 2; round++)
            {
                stage.LetClientsTrade();
                await stage.MoreTradesAsync(stage.Dice.Next(20, 200));
                var left = stage.Dice.Next(2) * stage.Dice.Next(0, 4 << 20);
                stage.Tell($"the disk is filled up to {left} bytes");
                disk.FillUpTo(left);
                var log = (seed + round) % 2 == 0;
                if (log)
                {
                    stage.Tell("PostgreSQL needs a new file for its log");
                    while (await Record.ExceptionAsync(() => stage.RowsAsync("SELECT pg_switch_wal()")) is null)
                    {
                        await Task.Delay(50);
                    }
                }

                await stage.RefusedForAsync(TimeSpan.FromSeconds(log ? 3 : 1));
                stage.Tell("there is room again");
                disk.Free();

                // Unaided at first; and as well after a restart.
                await stage.MoreTradesAsync(100);
                await stage.HoldsAsync();
                await stage.RestartHostAsync();
            }

            stage.LetClientsTrade();
            await stage.MoreTradesAsync(100);
            await stage.HoldsAsync();
            output.WriteLine(stage.Summary());
        });
    }
}

/// <summary>A tmpfs of its own.</summary>
internal sealed class SmallDisk : IDisposable
{
    private static readonly Lazy<string?> Lack = new(() =>
    {
        var folder = Directory.CreateTempSubdirectory("mbp-tmpfs-").FullName;
        var why = Mount(folder, megabytes: 1);
        _ = why is null ? Run("umount", folder) : null;
        Directory.Delete(folder);
        return why;
    });

    public SmallDisk(int megabytes)
    {
        if (Mount(Folder, megabytes) is { } why)
        {
            throw new InvalidOperationException(why);
        }
    }

    public string Folder { get; } = Directory.CreateTempSubdirectory("mbp-full-").FullName;

    /// <summary>Why there can be none here; null = there can.</summary>
    public static string? WhyNot => Lack.Value;

    private string Ballast => Path.Combine(Folder, "ballast");

    public void FillUpTo(long bytesLeft)
    {
        using var file = new FileStream(Ballast, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        try
        {
            for (var block = new byte[64 << 10]; new DriveInfo(Folder).AvailableFreeSpace > bytesLeft;)
            {
                file.Write(block);
            }
        }
        catch (IOException)
        {
            // Full.
        }
    }

    public void Free() => File.Delete(Ballast);

    public void Dispose()
    {
        Run("umount", "--lazy", Folder);
        Directory.Delete(Folder);
    }

    private static string? Mount(string folder, int megabytes) =>
        Run("mount", "-t", "tmpfs", "-o", string.Create(CultureInfo.InvariantCulture, $"size={megabytes}m,mode=755"), "tmpfs", folder) is { } said
            ? $"A small disk needs a tmpfs, and mounting one needs Linux and CAP_SYS_ADMIN (root, and a container that allows it): {said}"
            : null;

    /// <returns>What it complained of; null = it was done.</returns>
    private static string? Run(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!;
            var said = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? null : said.Trim();
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return e.Message;
        }
    }
}

/// <summary>Runs only where a tmpfs can be mounted.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class TmpfsTheoryAttribute : TheoryAttribute
{
    public TmpfsTheoryAttribute() => Skip = SmallDisk.WhyNot!;
}

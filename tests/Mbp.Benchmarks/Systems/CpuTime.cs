using System.Globalization;
using Npgsql;

namespace Mbp.Benchmarks.Systems;

/// <summary>Processor time and memory of processes, from the kernel's own books (Linux).</summary>
internal static class CpuTime
{
    // sysconf(_SC_CLK_TCK): 100 on every Linux that .NET runs on.
    private const double TicksPerSecond = 100;

    // Of /proc/PID/stat, counted after the command's closing parenthesis.
    private const int Parent = 1;
    private const int UserTime = 11;
    private const int SystemTime = 12;
    private const int ReapedUserTime = 13;
    private const int ReapedSystemTime = 14;

    /// <summary>Seconds of one process.</summary>
    public static double Of(int process) => Stat(process) is { } stat ? (stat[UserTime] + stat[SystemTime]) / TicksPerSecond : 0;

    /// <summary>Seconds of a process and all its children, those that are gone included.</summary>
    public static double OfTree(int process)
    {
        var own = Stat(process) is { } stat ? stat[UserTime] + stat[SystemTime] + stat[ReapedUserTime] + stat[ReapedSystemTime] : 0;
        var children = Directory.EnumerateDirectories("/proc")
            .Select(folder => int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var id) ? Stat(id) : null)
            .Where(child => child is not null && child[Parent] == process)
            .Sum(child => child![UserTime] + child[SystemTime]);
        return (own + children) / TicksPerSecond;
    }

    /// <summary>Bytes of physical memory that a process holds.</summary>
    public static long WorkingSet(int process) => Status(process, "VmRSS:");

    /// <summary>The most that a process ever held, or since <see cref="ForgetPeak"/>; 0 for one that is gone.</summary>
    public static long PeakWorkingSet(int process) => Status(process, "VmHWM:");

    /// <summary>From here on this process's peak counts anew.</summary>
    public static void ForgetPeak() => File.WriteAllText("/proc/self/clear_refs", "5");

    /// <summary>The process number of the PostgreSQL behind a connection: the parent of the session that answers.</summary>
    public static async Task<int> PostmasterAsync(string connection)
    {
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connection) { Pooling = false });
        await using var session = await source.OpenConnectionAsync().ConfigureAwait(false);
        return (int)(Stat(session.ProcessID)?[Parent] ?? throw new InvalidOperationException("The PostgreSQL session is not a process of this machine."));
    }

    private static long Status(int process, string field)
    {
        try
        {
            var line = File.ReadLines($"/proc/{process}/status").FirstOrDefault(l => l.StartsWith(field, StringComparison.Ordinal));
            return line is null ? 0 : long.Parse(line.AsSpan(field.Length).Trim().TrimEnd("kB").Trim(), CultureInfo.InvariantCulture) * 1024;
        }
        catch (IOException)
        {
            // It is gone.
            return 0;
        }
    }

    private static long[]? Stat(int process)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{process}/stat");
            return [.. text[(text.LastIndexOf(')') + 2)..].Split(' ').Take(ReapedSystemTime + 1)
                .Select(field => long.TryParse(field, CultureInfo.InvariantCulture, out var number) ? number : 0)];
        }
        catch (IOException)
        {
            // It is gone.
            return null;
        }
    }
}

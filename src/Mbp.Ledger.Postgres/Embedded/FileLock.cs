using System.Diagnostics;

namespace Mbp.Ledger.Postgres.Embedded;

/// <summary>Locks on files: they end with the process that holds them, however it ends.</summary>
internal static class FileLock
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>Waits for its turn.</summary>
    public static async Task<FileStream> TakeAsync(string path, CancellationToken cancellationToken)
    {
        for (var waited = Stopwatch.StartNew(); ;)
        {
            if (TryTake(path) is { } taken)
            {
                return taken;
            }

            if (waited.Elapsed > Patience)
            {
                throw new PostgresSetupException($"Another process holds {path} for more than {Patience.TotalMinutes} minutes: is a host hanging in its start?");
            }

            await Task.Delay(50, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Null = somebody has it.</summary>
    public static FileStream? TryTake(string path) => TryOpen(path, FileAccess.ReadWrite, FileShare.None);

    /// <summary>A lock that many may share; null = somebody has it alone.</summary>
    public static FileStream? TryShare(string path)
    {
        if (!File.Exists(path))
        {
            TryTake(path)?.Dispose();
        }

        return TryOpen(path, FileAccess.Read, FileShare.Read);
    }

    private static FileStream? TryOpen(string path, FileAccess access, FileShare share)
    {
        try
        {
            return new FileStream(path, access is FileAccess.Read ? FileMode.Open : FileMode.OpenOrCreate, access, share);
        }
        catch (IOException e) when (e is not (FileNotFoundException or DirectoryNotFoundException or PathTooLongException) && File.Exists(path))
        {
            return null;
        }
    }
}

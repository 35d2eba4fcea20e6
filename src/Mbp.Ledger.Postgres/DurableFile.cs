using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Mbp.Ledger.Postgres;

/// <summary>Files that are there after a power cut, too: the bytes are synced, and then the folder that names them.</summary>
public static class DurableFile
{
    /// <summary>Replaces a file as a whole: a crash leaves the old one or the new one. Only its owner may read it.</summary>
    public static void Replace(string path, ReadOnlySpan<byte> content)
    {
        ArgumentNullException.ThrowIfNull(path);
        SecretFile.Write(path, content);
        SyncFolder(path);
    }

    /// <summary>Writes a file that was not there, which nobody may write to again.</summary>
    /// <exception cref="IOException">It is there already.</exception>
    public static void WriteOnce(string path, ReadOnlySpan<byte> content)
    {
        ArgumentNullException.ThrowIfNull(path);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        }

        using (var file = new FileStream(path, options))
        {
            file.Write(content);
            file.Flush(flushToDisk: true);
        }

        SyncFolder(path);
    }

    private static void SyncFolder(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        var folder = Open(Path.GetDirectoryName(Path.GetFullPath(path))!, 0);
        if (folder < 0)
        {
            throw new IOException($"The folder of {path} cannot be synced.", new Win32Exception(Marshal.GetLastPInvokeError()));
        }

        // Some network file systems cannot sync a folder and say so (EINVAL); theirs is as durable as it gets.
        const int CannotBeSynced = 22;
        var error = Sync(folder) == 0 ? 0 : Marshal.GetLastPInvokeError();
        _ = Close(folder);
        if (error is not (0 or CannotBeSynced))
        {
            throw new IOException($"The folder of {path} was not synced.", new Win32Exception(error));
        }
    }

    [DllImport("libc", EntryPoint = "open", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Open([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags);

    [DllImport("libc", EntryPoint = "fsync", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Sync(int file);

    [DllImport("libc", EntryPoint = "close")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Close(int file);
}

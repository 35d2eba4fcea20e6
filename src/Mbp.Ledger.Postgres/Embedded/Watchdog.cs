using System.Diagnostics;

namespace Mbp.Ledger.Postgres.Embedded;

/// <summary>
/// A shell that waits for the end of its input, then stops the server and removes its folder. The input ends when the host closes it, and
/// also when the host is killed without a chance to do anything. (The kernel's parent-death signal would follow a thread, not the process.)
/// </summary>
internal sealed class Watchdog : IAsyncDisposable
{
    // Ignored signals: Ctrl+C in a terminal reaches the shell too, and must not end it before its work is done.
    private const string Script = """
        trap '' INT HUP TERM QUIT
        exec >/dev/null 2>&1
        folder=$1
        shift
        cat
        "$@"
        for sockets in $(sed -n "s/^unix_socket_directories = '\(.*\)'/\1/p" "$folder/data/mbp.conf"); do rm -rf "$sockets"; done
        rm -rf "$folder"
        """;

    private readonly Process _shell;

    private Watchdog(Process shell) => _shell = shell;

    public static Watchdog Start(string folder, IReadOnlyList<string> stopServer)
    {
        var shell = Process.Start(new ProcessStartInfo("sh", ["-c", Script, "mbp-watchdog", folder, .. stopServer]) { RedirectStandardInput = true, WorkingDirectory = "/" })
            ?? throw new PostgresSetupException("`sh` does not start.");
        return new(shell);
    }

    public async ValueTask DisposeAsync()
    {
        _shell.StandardInput.Close();
        await _shell.WaitForExitAsync().ConfigureAwait(false);
        _shell.Dispose();
    }
}

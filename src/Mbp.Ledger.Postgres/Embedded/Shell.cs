using System.ComponentModel;
using System.Diagnostics;

namespace Mbp.Ledger.Postgres.Embedded;

/// <summary>Runs other programs and keeps what they printed for the error message.</summary>
internal static class Shell
{
    /// <exception cref="PostgresSetupException">It failed; the message holds what it printed.</exception>
    public static async Task<string> RunAsync(IReadOnlyList<string> command, CancellationToken cancellationToken, string? folder = null)
    {
        var (exit, output) = await TryAsync(command, cancellationToken, folder).ConfigureAwait(false);
        return exit == 0 ? output : throw new PostgresSetupException($"`{string.Join(' ', command)}` failed ({exit}):\n{output.Trim()}");
    }

    /// <summary>The exit code and everything printed; -1 = there is no such program.</summary>
    public static async Task<(int Exit, string Output)> TryAsync(IReadOnlyList<string> command, CancellationToken cancellationToken, string? folder = null)
    {
        using var process = new Process
        {
            StartInfo = new ProcessStartInfo(command[0], command.Skip(1))
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                WorkingDirectory = folder ?? "/",
            },
        };
        // Messages are shown to people and looked at by nobody else; still, one language is enough.
        process.StartInfo.Environment["LC_ALL"] = "C";
        // For the server: a commit needs some megabytes each time. Given back to the kernel after each, they are a sixth of its work to get again.
        process.StartInfo.Environment["MALLOC_MMAP_THRESHOLD_"] = "33554432";
        process.StartInfo.Environment["MALLOC_TRIM_THRESHOLD_"] = "67108864";
        try
        {
            process.Start();
        }
        catch (Win32Exception e)
        {
            return (-1, $"{command[0]}: {e.Message}");
        }

        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        var errors = process.StandardError.ReadToEndAsync(cancellationToken);
        try
        {
            await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        return (process.ExitCode, await output.ConfigureAwait(false) + await errors.ConfigureAwait(false));
    }
}

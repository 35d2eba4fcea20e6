using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Mbp.Benchmarks.Systems;

/// <summary>A server in a process of its own, stopped in good order when it is disposed of, and at the latest when this process ends.</summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    private const int KeptLines = 200;

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _said = new();

    private ChildProcess(Process process) => _process = process;

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>When it was started, as a <see cref="Stopwatch"/> counts.</summary>
    public long StartedAt { get; private init; }

    /// <summary>What it printed last.</summary>
    public string Said => string.Join('\n', _said);

    /// <summary>
    /// Starts a program beside this one. All servers run under the host's own runtime settings (garbage collector and so on): a comparison of
    /// two programs is to be none of two settings.
    /// </summary>
    public static ChildProcess Start(string program, params IReadOnlyList<string> arguments)
    {
        var folder = AppContext.BaseDirectory;
        var start = new ProcessStartInfo(
            "dotnet", ["exec", "--runtimeconfig", Path.Combine(folder, "Mbp.Host.runtimeconfig.json"), Path.Combine(folder, program), .. arguments])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        var startedAt = Stopwatch.GetTimestamp();
        var process = Process.Start(start) ?? throw new InvalidOperationException($"{program} does not start.");
        var child = new ChildProcess(process) { StartedAt = startedAt };
        process.OutputDataReceived += (_, line) => child.Keep(line.Data);
        process.ErrorDataReceived += (_, line) => child.Keep(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        AppDomain.CurrentDomain.ProcessExit += child.OnExit;
        return child;
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public async ValueTask DisposeAsync()
    {
        AppDomain.CurrentDomain.ProcessExit -= OnExit;
        Terminate();
        await _process.WaitForExitAsync().ConfigureAwait(false);
        _process.Dispose();
    }

    // Not Kill: its PostgreSQL is to be stopped, too.
    private void Terminate()
    {
        if (!_process.HasExited)
        {
            using var kill = Process.Start("kill", ["-TERM", _process.Id.ToString(CultureInfo.InvariantCulture)]);
            kill.WaitForExit();
        }
    }

    private void OnExit(object? sender, EventArgs e) => Terminate();

    private void Keep(string? line)
    {
        if (line is not null)
        {
            _said.Enqueue(line);
        }

        while (_said.Count > KeptLines)
        {
            _said.TryDequeue(out _);
        }
    }
}

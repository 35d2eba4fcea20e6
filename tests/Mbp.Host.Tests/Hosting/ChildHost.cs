using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Mbp.Host.Tests.Hosting;

/// <summary>The built host as a process of its own, which can be killed.</summary>
internal sealed class ChildHost : IAsyncDisposable
{
    private readonly Process _process;

    private ChildHost(Process process, Api api) => (_process, Api) = (process, api);

    public Api Api { get; }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public static async Task<ChildHost> StartAsync(string data, params string[] more)
    {
        var address = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{FreePort()}"));
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "Mbp.Host.dll"), "--urls", address.ToString(), "--data", data, .. more])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = data,
        };
        var process = Process.Start(start) ?? throw new InvalidOperationException("The host does not start.");
        var said = new List<string>();
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        for (var until = DateTimeOffset.UtcNow.AddSeconds(60); ; await Task.Delay(50))
        {
            Assert.False(process.HasExited || DateTimeOffset.UtcNow > until, $"The host is not up:\n{Said()}");
            try
            {
                using var anybody = new Api(address, key: null);
                if ((await anybody.GetAsync("/health/ready")).IsOk)
                {
                    return new ChildHost(process, new Api(address, await File.ReadAllTextAsync(Path.Combine(data, "api-key"))));
                }
            }
            catch (HttpRequestException)
            {
                // It does not listen yet.
            }
        }

        void Keep(string? line)
        {
            lock (said)
            {
                said.Add(line ?? "");
            }
        }

        string Said()
        {
            lock (said)
            {
                return string.Join('\n', said);
            }
        }
    }

    /// <summary>kill -9: no chance to do anything.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGTERM: the host stops in good order, and with it the PostgreSQL that is its own.</summary>
    public async ValueTask DisposeAsync()
    {
        Api.Dispose();
        if (!_process.HasExited)
        {
            using var kill = Process.Start("kill", ["-TERM", _process.Id.ToString(CultureInfo.InvariantCulture)]);
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }
}

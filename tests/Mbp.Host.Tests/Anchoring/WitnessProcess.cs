using System.Diagnostics;
using Mbp.Host.Tests.Hosting;
using Mbp.Ledger.Log;

namespace Mbp.Host.Tests.Anchoring;

/// <summary><c>mbp witness</c> as a process of its own, which can be killed.</summary>
internal sealed class WitnessProcess : IAsyncDisposable
{
    private readonly Process _process;

    private WitnessProcess(Process process, Uri address) => (_process, Address) = (process, address);

    public Uri Address { get; }

    public static async Task<WitnessProcess> StartAsync(string store, VerifierKey log)
    {
        var address = new Uri($"http://127.0.0.1:{ChildHost.FreePort()}");
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "mbp.dll"), "witness", "--listen", address.ToString(), "--store", store, "--log", log.ToString()])
        {
            RedirectStandardOutput = true,
        };
        var process = Process.Start(start)!;
        Assert.True(VerifierKey.TryParse(await process.StandardOutput.ReadLineAsync() ?? "", out _));
        Assert.StartsWith("listens on", await process.StandardOutput.ReadLineAsync(), StringComparison.Ordinal);
        return new WitnessProcess(process, address);
    }

    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    public ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            Kill();
        }

        _process.Dispose();
        return ValueTask.CompletedTask;
    }
}

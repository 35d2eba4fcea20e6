namespace Mbp.Host.Tests.Hosting;

/// <summary>A data folder that the server's user can pass through, gone with the test.</summary>
internal sealed class ServerFolder : IDisposable
{
    public ServerFolder()
    {
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(Path, (UnixFileMode)0b111_101_101);
        }
    }

    public string Path { get; } = Directory.CreateTempSubdirectory("mbp-data-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

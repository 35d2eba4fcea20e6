using Xunit;

namespace Mbp.Ledger.Tests.Embedded;

/// <summary>Runs only where npm is.</summary>
public sealed class NpmFactAttribute : FactAttribute
{
    public NpmFactAttribute() => Skip = Programs.Find("npm") is null ? "There is no npm on this machine, and so no PostgreSQL from npm to test." : null!;
}

/// <summary>Runs only as root.</summary>
public sealed class RootFactAttribute : FactAttribute
{
    public RootFactAttribute() => Skip = Environment.IsPrivilegedProcess ? null! : "Only root hands the server to another user.";
}

internal static class Programs
{
    public static string? Find(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
}

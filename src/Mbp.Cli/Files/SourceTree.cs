using System.Diagnostics;

namespace Mbp.Cli.Files;

/// <summary>The source tree that this <c>mbp</c> was built from: programs that are no part of it are built there when they are asked for.</summary>
internal static class SourceTree
{
    private static readonly string[] SourceEndings = [".cs", ".csproj", ".sql", ".props", ".yml"];

    /// <summary>A program of the tree, built if a source is newer.</summary>
    /// <param name="project">Its folder, such as <c>src/Mbp.Host</c>.</param>
    /// <param name="what">What it is, for the error.</param>
    public static async Task<string> ProgramAsync(string project, string what, CancellationToken cancellationToken)
    {
        var root = Root(what);
        var name = Path.GetFileName(project);
        var program = Path.Combine(root, "artifacts", "bin", name, "release", $"{name}.dll");
        if (IsOld(program, root, project))
        {
            string[] build = ["build", Path.Combine(root, project), "-c", "Release", "-v", "quiet", "--nologo"];
            if (await RunAsync(build, toError: true, cancellationToken).ConfigureAwait(false) != 0)
            {
                throw new EnvironmentException($"{project} does not build; what the compiler says is above.");
            }

            // The compiler leaves a program alone that a newer file does not concern; it has been looked at all the same.
            File.SetLastWriteTimeUtc(program, DateTime.UtcNow);
        }

        return program;
    }

    /// <summary>Runs <c>dotnet</c> to its end.</summary>
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments, bool toError, CancellationToken cancellationToken)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", arguments) { RedirectStandardOutput = toError })
            ?? throw new EnvironmentException("`dotnet` does not start.");
        if (toError)
        {
            await process.StandardOutput.BaseStream.CopyToAsync(Console.OpenStandardError(), cancellationToken).ConfigureAwait(false);
        }

        // Ctrl+C in a terminal reaches the program, too, which ends by itself.
        await process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        return process.ExitCode;
    }

    private static string Root(string what)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "EventSourcedMbp.sln")))
            {
                return folder.FullName;
            }
        }

        throw new EnvironmentException($"{what} is built from source, and this mbp does not lie in a source tree (there is no EventSourcedMbp.sln above it).");
    }

    private static bool IsOld(string program, string root, string project) =>
        !File.Exists(program)
        || new[] { "src", "specs/policies", project }.SelectMany(folder => Directory.EnumerateFiles(Path.Combine(root, folder), "*", SearchOption.AllDirectories))
            .Append(Path.Combine(root, "Directory.Packages.props"))
            .Any(file => SourceEndings.Contains(Path.GetExtension(file)) && File.GetLastWriteTimeUtc(file) > File.GetLastWriteTimeUtc(program));
}

using System.CommandLine;
using System.Diagnostics;
using Mbp.Cli.Files;

namespace Mbp.Cli.Benchmarking;

/// <summary>
/// <c>mbp bench ...</c>: runs the benchmark program from the source tree, after building it if need be. It is no part of the product, so the
/// product's command carries none of it.
/// </summary>
internal static class BenchVerb
{
    private const string Project = "tests/Mbp.Benchmarks";
    private const string Program = "artifacts/bin/Mbp.Benchmarks/release/Mbp.Benchmarks.dll";

    private static readonly string[] SourceEndings = [".cs", ".csproj", ".sql", ".props"];

    public static Command Create() => new("bench", "Measures; the report is one JSON object on standard output.")
    {
        Verb("write", "Trades over HTTP beside a naive way, and the append path beside COPY: [--seconds 60]."),
        Verb("anchor", "The product with and without its public log, how soon a trade is provable, the deep check: [--seconds 30]."),
        Verb("soak", "A fixed rate for a long time: [--rate 120] [--minutes 60] [--markets 32] [--out DIR]."),
        Verb("inner", "The parts of the write path, one by one (BenchmarkDotNet): [--filter NAME]."),
        Verb("rebuild", "Every read model from a large ledger, beside a bare read of it: [--events 1000000] [--rounds 3] [--data DIR]."),
        Verb("stream", "Followers of the event stream while trades come in: [--clients 2000] [--rate 500] [--seconds 30]."),
        Verb("page", "Markets' whole pages at a fixed rate while trades go in: [--reads 1000] [--trades 500] [--seconds 30]."),
        Verb("lag", "How long after its answer a trade is in every table: [--rate 2000] [--seconds 30]."),
        Verb("restart", "How soon a ledger of many events takes trades again: [--events 1000000] [--data DIR]."),
        Verb("read", "The whole ledger read, decoded and audited, beside rows only and a naive way: [--events 1000000] [--rounds 5] [--data DIR]."),
    };

    private static Command Verb(string name, string description)
    {
        // The benchmark program knows its options, and says what is wrong with them.
        var command = new Command(name, description) { TreatUnmatchedTokensAsErrors = false };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var root = Root();
            var program = Path.Combine(root, Program);
            if (IsOld(program, root))
            {
                await BuildAsync(root, cancellationToken).ConfigureAwait(false);
                // The compiler leaves a program alone that a newer file does not concern; it has been looked at all the same.
                File.SetLastWriteTimeUtc(program, DateTime.UtcNow);
            }

            return await RunAsync([program, name, .. parsed.UnmatchedTokens], toError: false, cancellationToken).ConfigureAwait(false);
        });
        return command;
    }

    private static async Task BuildAsync(string root, CancellationToken cancellationToken)
    {
        string[] build = ["build", Path.Combine(root, Project), "-c", "Release", "-v", "quiet", "--nologo"];
        if (await RunAsync(build, toError: true, cancellationToken).ConfigureAwait(false) != 0)
        {
            throw new EnvironmentException($"{Project} does not build; what the compiler says is above.");
        }
    }

    private static string Root()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "EventSourcedMbp.sln")))
            {
                return folder.FullName;
            }
        }

        throw new EnvironmentException("The benchmarks are built from source, and this mbp does not lie in a source tree (there is no EventSourcedMbp.sln above it).");
    }

    private static bool IsOld(string program, string root) =>
        !File.Exists(program)
        || new[] { "src", Project }.SelectMany(folder => Directory.EnumerateFiles(Path.Combine(root, folder), "*", SearchOption.AllDirectories))
            .Append(Path.Combine(root, "Directory.Packages.props"))
            .Any(file => SourceEndings.Contains(Path.GetExtension(file)) && File.GetLastWriteTimeUtc(file) > File.GetLastWriteTimeUtc(program));

    private static async Task<int> RunAsync(IReadOnlyList<string> arguments, bool toError, CancellationToken cancellationToken)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", arguments) { RedirectStandardOutput = toError })
            ?? throw new EnvironmentException("`dotnet` does not start.");
        if (toError)
        {
            await process.StandardOutput.BaseStream.CopyToAsync(Console.OpenStandardError(), cancellationToken).ConfigureAwait(false);
        }

        // Ctrl+C in a terminal reaches the benchmark, too, which stops its servers and ends by itself.
        await process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        return process.ExitCode;
    }
}

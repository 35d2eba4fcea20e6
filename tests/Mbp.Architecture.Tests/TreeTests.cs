using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Xunit;

namespace Mbp.Architecture.Tests;

/// <summary>Rules about the files of the repository.</summary>
public sealed partial class TreeTests
{
    private static readonly string Root = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(Here())!, "..", ".."));

    [Fact]
    public void Only_the_host_and_the_command_line_read_a_clock() => Assert.Empty(Sources("src/Mbp.Ledger", "src/Mbp.Domain")
        .Where(file => Clock().IsMatch(Code(file)))
        // The writer's deadlines are about callers' patience, not about ledger time.
        .Where(file => Path.GetFileName(file) is not ("LedgerWriter.cs" or "BatchCommitter.cs"))
        .ToList());

    [Fact]
    public void Deciders_are_called_by_their_own_slice_the_host_and_the_command_line_only() => Assert.Empty(Sources("src/Mbp.Domain")
        .SelectMany(file => Decider().Matches(Code(file)).Select(match => (File: file, Decider: match.Value)))
        .Where(use => Slice(use.File) is var slice && slice.Length > 0 && slice != "Audit" && OwnerOf(use.Decider) is { } owner && owner != slice)
        .Where(use => !Known.Contains((Slice(use.File), use.Decider)))
        .Select(use => $"{use.File} uses {use.Decider}"));

    [Fact]
    public void No_test_left_what_it_received_and_no_snapshot_is_an_orphan()
    {
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(Root, "tests"), "*.received.*", SearchOption.AllDirectories));
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(Root, "tests"), "*.verified.*", SearchOption.AllDirectories).Where(file =>
        {
            var words = Path.GetFileName(file).Split('.');
            var test = Path.Combine(Path.GetDirectoryName(file)!, $"{words[0]}.cs");
            return !File.Exists(test) || !File.ReadAllText(test).Contains($" {words[1]}(", StringComparison.Ordinal);
        }).ToList());
    }

    [Fact]
    public void Lock_files_name_no_host() => Assert.Empty(
        Files("package-lock.json").Concat(Files("packages.lock.json")).Where(file => Address().IsMatch(File.ReadAllText(file))).ToList());

    // Where one decision over several streams is made of another's pure parts: creating a market opens its pool; a trade asks whether the market trades.
    private static readonly HashSet<(string Slice, string Decider)> Known =
    [
        ("Markets", "TradeDecider"), ("Trading", "MarketDecider"), ("Pricing", "MarketDecider"),
    ];

    private static string Slice(string file) => Path.GetRelativePath(Path.Combine(Root, "src/Mbp.Domain"), file) is var path && path.Contains('/', StringComparison.Ordinal) ? path.Split('/')[0] : "";

    private static string? OwnerOf(string decider) => Sources("src/Mbp.Domain").FirstOrDefault(file => File.ReadAllText(file).Contains($"static class {decider}\n", StringComparison.Ordinal)) is { } file ? Slice(file) : null;

    private static IEnumerable<string> Sources(params string[] folders) => folders.SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories));

    private static IEnumerable<string> Files(string name) => new[] { "src", "tests", "tools" }
        .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Root, folder), name, SearchOption.AllDirectories))
        .Where(file => !file.Contains("node_modules", StringComparison.Ordinal));

    // Without comments, which may name what they like.
    private static string Code(string file) => string.Join('\n', File.ReadLines(file).Where(line => !line.TrimStart().StartsWith("//", StringComparison.Ordinal)));

    private static string Here([CallerFilePath] string file = "") => file;

    [GeneratedRegex(@"\b(DateTime|DateTimeOffset)\.(Utc)?Now\b|\bSystemClock\b|\bStopwatch\b|\bEnvironment\.TickCount")]
    private static partial Regex Clock();

    [GeneratedRegex(@"\b[A-Z][A-Za-z]*Decider(?=\.)")]
    private static partial Regex Decider();

    [GeneratedRegex(@"https?://(?!json\.schemastore\.org)")]
    private static partial Regex Address();
}
